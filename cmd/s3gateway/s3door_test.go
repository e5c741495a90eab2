package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestS3RoundTrip(t *testing.T) {
	w := newWorld(t, open...)
	client, ctx := w.s3(), t.Context()
	body := bytes.Repeat([]byte("s3gateway "), 50_000)
	put, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String("a b/ü+1.txt"), Body: bytes.NewReader(body),
		ContentType: aws.String("text/plain"), Metadata: map[string]string{"colour": "blue"}, ContentEncoding: aws.String("identity")})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &w.bucket, Key: aws.String("a b/ü+1.txt")})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(got.Body)
	if err != nil || !bytes.Equal(data, body) {
		t.Fatalf("%d bytes came back of %d: %v", len(data), len(body), err)
	}
	if got.Metadata["colour"] != "blue" || *got.ContentType != "text/plain" || *got.ETag != *put.ETag || *got.ContentEncoding != "identity" {
		t.Errorf("metadata changed on the way: %+v", got)
	}
	part, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &w.bucket, Key: aws.String("a b/ü+1.txt"), Range: aws.String("bytes=10-19")})
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := io.ReadAll(part.Body); string(data) != "s3gateway " || *part.ContentRange != "bytes 10-19/500000" {
		t.Errorf("range: %q, %s", data, *part.ContentRange)
	}
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &w.bucket, Prefix: aws.String("a b/")})
	if err != nil || len(list.Contents) != 1 || *list.Contents[0].Key != "a b/ü+1.txt" {
		t.Fatalf("list: %+v, %v", list, err)
	}
	if _, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &w.bucket, Delete: &types.Delete{
		Objects: []types.ObjectIdentifier{{Key: aws.String("a b/ü+1.txt")}}}}); err != nil {
		t.Fatal(err)
	}
	w.unchanged()
}

func TestMultipartUploadIsOneObject(t *testing.T) {
	w := newWorld(t, open...)
	client, ctx, key := w.s3(), t.Context(), aws.String("big.bin")
	first, second := bytes.Repeat([]byte("1"), 5<<20), []byte("tail")
	create, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var parts []types.CompletedPart
	for i, data := range [][]byte{first, second} {
		part, err := client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &w.bucket, Key: key, UploadId: create.UploadId,
			PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{ETag: part.ETag, PartNumber: aws.Int32(int32(i + 1)),
			ChecksumCRC32: part.ChecksumCRC32})
	}
	done, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &w.bucket, Key: key, UploadId: create.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	if err != nil {
		t.Fatal(err)
	}
	if want := w.url + "/" + w.bucket + "/big.bin"; *done.Location != want {
		t.Errorf("Location %s names another place than %s", *done.Location, want)
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &w.bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(got.Body); err != nil || !bytes.Equal(data, append(first, second...)) {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func TestFramedBodiesAreDecodedAndProven(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 10_000) // 160,000 bytes: three chunks
	for _, c := range []struct {
		name string
		chunking
		status int
		code   string
	}{
		{name: "signed chunks"},
		{name: "signed chunks and trailer", chunking: chunking{trailer: true}},
		{name: "unsigned with trailer", chunking: chunking{trailer: true, unsigned: true}},
		{name: "wrong signature of a middle chunk", chunking: chunking{badChunk: 2}, status: 403, code: "SignatureDoesNotMatch"},
		{name: "wrong signature of the last chunk", chunking: chunking{badChunk: 4}, status: 403, code: "SignatureDoesNotMatch"},
		{name: "wrong trailer checksum", chunking: chunking{trailer: true, badTrailer: true}, status: 400, code: "BadDigest"},
		{name: "wrong trailer checksum, unsigned", chunking: chunking{trailer: true, unsigned: true, badTrailer: true}, status: 400, code: "BadDigest"},
		{name: "wrong trailer signature", chunking: chunking{trailer: true, badTrailerSig: true}, status: 403, code: "SignatureDoesNotMatch"},
		{name: "no final chunk", chunking: chunking{noEnd: true}, status: 400, code: "IncompleteBody"},
		{name: "longer than declared", chunking: chunking{declared: 159_999}, status: 400, code: "IncompleteBody"},
		{name: "shorter than declared", chunking: chunking{declared: 160_001}, status: 400, code: "IncompleteBody"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, open...)
			got := do(t, w.chunkedPut("framed.bin", body, c.chunking, "Content-Type", "application/x-test"))
			if c.status != 0 {
				got.isS3Error(t, c.status, c.code)
				w.unchanged()
				return
			}
			if got.status != 200 {
				t.Fatalf("%d: %s", got.status, got.body)
			}
			object, err := w.store.Client(t).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &w.bucket, Key: aws.String("framed.bin"), ChecksumMode: types.ChecksumModeEnabled})
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(object.Body)
			if err != nil || !bytes.Equal(data, body) {
				t.Errorf("the store holds %d bytes of %d: %v", len(data), len(body), err)
			}
			if e := aws.ToString(object.ContentEncoding); e != "" {
				t.Errorf("the framing became the object's Content-Encoding %q", e)
			}
			if c.trailer && aws.ToString(object.ChecksumCRC32C) == "" {
				t.Error("the trailing checksum was lost on the way")
			}
		})
	}
}

func TestRequestsThatMustNotBeBelieved(t *testing.T) {
	at := time.Now()
	body := []byte("payload")
	put := func(w *world) *http.Request { return w.signedPut("x.txt", body) }
	for _, c := range []struct {
		name    string
		request func(*world) *http.Request
		status  int
		code    string
	}{
		{"no signature", func(w *world) *http.Request {
			return newRequest(t, "PUT", w.url+"/"+w.bucket+"/x.txt", bytes.NewReader(body))
		}, 403, "AccessDenied"},
		{"wrong secret", func(w *world) *http.Request {
			r := newRequest(t, "PUT", w.url+"/"+w.bucket+"/x.txt", bytes.NewReader(body))
			sign(t, r, hexSHA256(body), "another-secret-of-the-same-length-or-so", at)
			return r
		}, 403, "SignatureDoesNotMatch"},
		{"unknown key", func(w *world) *http.Request {
			r := put(w)
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), testKeyID, "NOBODY", 1))
			return r
		}, 403, "InvalidAccessKeyId"},
		{"changed method", func(w *world) *http.Request { r := put(w); r.Method = "POST"; r.URL.RawQuery = "uploads"; return r }, 403, "SignatureDoesNotMatch"},
		{"changed key", func(w *world) *http.Request { r := put(w); r.URL.Path += "2"; return r }, 403, "SignatureDoesNotMatch"},
		{"added query", func(w *world) *http.Request { r := put(w); r.URL.RawQuery = "acl"; return r }, 403, "SignatureDoesNotMatch"},
		{"changed signed header", func(w *world) *http.Request {
			r := w.signedPut("x.txt", body, "X-Amz-Meta-A", "1")
			r.Header.Set("X-Amz-Meta-A", "2")
			return r
		}, 403, "SignatureDoesNotMatch"},
		{"added x-amz header", func(w *world) *http.Request { r := put(w); r.Header.Set("X-Amz-Acl", "public-read"); return r }, 403, "AccessDenied"},
		{"changed body", func(w *world) *http.Request {
			r := put(w)
			r.Body = io.NopCloser(strings.NewReader("PAYLOAD"))
			return r
		}, 400, "XAmzContentSHA256Mismatch"},
		{"old", func(w *world) *http.Request {
			r := newRequest(t, "PUT", w.url+"/"+w.bucket+"/x.txt", bytes.NewReader(body))
			sign(t, r, hexSHA256(body), testSecret, at.Add(-16*time.Minute))
			return r
		}, 403, "RequestTimeTooSkewed"},
		{"from the future", func(w *world) *http.Request {
			r := newRequest(t, "PUT", w.url+"/"+w.bucket+"/x.txt", bytes.NewReader(body))
			sign(t, r, hexSHA256(body), testSecret, at.Add(16*time.Minute))
			return r
		}, 403, "RequestTimeTooSkewed"},
		{"no length", func(w *world) *http.Request {
			r := newRequest(t, "PUT", w.url+"/"+w.bucket+"/x.txt", io.MultiReader(bytes.NewReader(body)))
			sign(t, r, "UNSIGNED-PAYLOAD", testSecret, at)
			return r
		}, 411, "MissingContentLength"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, open...)
			do(t, c.request(w)).isS3Error(t, c.status, c.code)
			w.unchanged()
		})
	}
}

func TestPresignedLinksExpire(t *testing.T) {
	w := newWorld(t, open...)
	presign := s3.NewPresignClient(w.s3(), s3.WithPresignExpires(time.Minute))
	put, err := presign.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String("link.txt")})
	if err != nil {
		t.Fatal(err)
	}
	send := func() answer {
		r := newRequest(t, put.Method, put.URL, strings.NewReader("by link"))
		for name, values := range put.SignedHeader {
			if name != "Host" {
				r.Header[name] = values
			}
		}
		return do(t, r)
	}
	if got := send(); got.status != 200 {
		t.Fatalf("%d: %s", got.status, got.body)
	}
	w.before = w.store.Snapshot(t, w.bucket)
	w.clock.Advance(2 * time.Minute)
	send().isS3Error(t, 403, "AccessDenied")
	w.unchanged()
}

func TestSignatureMismatchExplainsItself(t *testing.T) {
	w := newWorld(t, open...)
	r := newRequest(t, "GET", w.url+"/"+w.bucket+"/x", nil)
	sign(t, r, hexSHA256(nil), "another-secret-of-the-same-length-or-so", time.Now())
	got := do(t, r)
	for _, want := range []string{"<StringToSign>AWS4-HMAC-SHA256", "<CanonicalRequest>GET"} {
		if !strings.Contains(string(got.body), want) {
			t.Errorf("%s is missing in %s", want, got.body)
		}
	}
}

func TestReservedKeysAreClosed(t *testing.T) {
	w := newWorld(t, open...)
	for _, key := range []string{".s3gateway/x", ".s3gateway/tus/1", ".s3gateway"} {
		do(t, w.signedPut(key, []byte("x"))).isS3Error(t, 403, "AccessDenied")
	}
	w.unchanged()
}

func TestClientThatLeavesStoresNothing(t *testing.T) {
	w := newWorld(t, open...)
	r := newRequest(t, "PUT", w.url+"/"+w.bucket+"/half.bin", bytes.NewReader(make([]byte, 1<<20)))
	sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
	conn, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		t.Fatal(err)
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(wire.Bytes()[:wire.Len()/2]); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	eventually(t, "the gateway noticed", func() bool { return strings.Contains(w.log.String(), `"operation":"PutObject"`) })
	w.unchanged()
}

func TestChecksumOfTheSDKIsKept(t *testing.T) {
	w := newWorld(t, open...)
	client := w.s3(func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported })
	if _, err := client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String("crc64"),
		Body: strings.NewReader("x"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme}); err != nil {
		t.Fatal(err)
	}
	head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &w.bucket, Key: aws.String("crc64"), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil || aws.ToString(head.ChecksumCRC64NVME) == "" {
		t.Errorf("%+v, %v", head, err)
	}
}

func TestUnexposedBucketDoesNotExist(t *testing.T) {
	w := newWorld(t, open...)
	other := w.store.Bucket(t)
	_, err := w.s3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &other})
	if missing := (*types.NoSuchBucket)(nil); !errors.As(err, &missing) {
		t.Errorf("want NoSuchBucket, got %v", err)
	}
	all, err := w.s3().ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil || len(all.Buckets) != 1 || *all.Buckets[0].Name != w.bucket {
		t.Errorf("%+v, %v", all, err)
	}
}
