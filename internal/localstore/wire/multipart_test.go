package wire_test

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/signer"
)

const minPart = 5 << 20

func (r *rig) upload(target string, header ...string) string {
	r.t.Helper()
	var doc struct{ UploadId, Bucket, Key string }
	if err := xml.Unmarshal([]byte(r.must("POST", target+"?uploads", "", header...).body), &doc); err != nil || doc.UploadId == "" {
		r.t.Fatalf("%+v, %v", doc, err)
	}
	return doc.UploadId
}

func partsDocument(etags ...string) string {
	var b strings.Builder
	for i, etag := range etags {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, etag)
	}
	return "<CompleteMultipartUpload>" + b.String() + "</CompleteMultipartUpload>"
}

func TestAMultipartUpload(t *testing.T) {
	r := newRig(t)
	r.versioned("big")
	first, last := strings.Repeat("a", minPart), "the end"
	id := r.upload("/big/k", "Content-Type", "text/plain", "X-Amz-Meta-A", "b", "X-Amz-Storage-Class", "GLACIER_IR")
	one := r.must("PUT", "/big/k?partNumber=1&uploadId="+id, first).header.Get("Etag")
	two := r.must("PUT", "/big/k?partNumber=2&uploadId="+id, last).header.Get("Etag")

	a := r.must("GET", "/big/k?uploadId="+id+"&max-parts=1", "")
	a.contains(t, "<PartNumber>1</PartNumber>", "<NextPartNumberMarker>1</NextPartNumberMarker>", "<IsTruncated>true</IsTruncated>", "<StorageClass>GLACIER_IR</StorageClass>", "<MaxParts>1</MaxParts>")
	a = r.must("GET", "/big/k?uploadId="+id+"&part-number-marker=1", "")
	a.contains(t, "<PartNumber>2</PartNumber>", "<Size>7</Size>", "<IsTruncated>false</IsTruncated>", "<PartNumberMarker>1</PartNumberMarker>")

	r.refused(404, "NoSuchKey", "GET", "/big/k", "")
	for _, c := range []struct {
		status     int
		code, body string
	}{
		{400, "MalformedXML", "<CompleteMultipartUpload></CompleteMultipartUpload>"},
		{400, "MalformedXML", "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"},
		{400, "MalformedXML", "<CompleteMultipartUpload><Part>"},
		{400, "MalformedXML", "<!DOCTYPE x><CompleteMultipartUpload/>"},
		{400, "MalformedXML", partsDocument(one, two) + "<more/>"},
		{400, "MalformedXML", "<Other/>"},
		{400, "MissingRequestBodyError", ""},
		{400, "InvalidArgument", "<CompleteMultipartUpload><Part><PartNumber>0</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>"},
		{400, "InvalidPart", partsDocument(one, one)},
		{400, "InvalidPartOrder", "<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>a</ETag></Part><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>"},
	} {
		r.refused(c.status, c.code, "POST", "/big/k?uploadId="+id, c.body)
	}
	r.refused(400, "InvalidRequest", "POST", "/big/k?uploadId="+id, partsDocument(one, two), "X-Amz-Mp-Object-Size", "5")
	r.refused(400, "InvalidRequest", "POST", "/big/k?uploadId="+id, partsDocument(one, two), "X-Amz-Mp-Object-Size", "x")
	r.refused(404, "NoSuchKey", "POST", "/big/k?uploadId="+id, partsDocument(one, two), "If-Match", `"x"`)
	r.refused(404, "NoSuchUpload", "POST", "/big/k?uploadId="+id[:20]+strings.Repeat("0", 12), partsDocument(one, two)).contains(t, "<UploadId>")
	r.refused(404, "NoSuchUpload", "POST", "/big/k?uploadId=../../x", partsDocument(one, two))

	a = r.must("POST", "/big/k?uploadId="+id, partsDocument(one, strings.Trim(two, `"`)), "X-Amz-Mp-Object-Size", fmt.Sprint(minPart+7))
	a.contains(t, `xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`, "<Bucket>big</Bucket>", "<Key>k</Key>", "-2&quot;</ETag>", "<ChecksumType>FULL_OBJECT</ChecksumType>", "<Location>http://store/big/k</Location>")
	version := a.header.Get("X-Amz-Version-Id")
	again := r.must("POST", "/big/k?uploadId="+id, partsDocument(one, two))
	if again.header.Get("X-Amz-Version-Id") != version {
		t.Error("a retry made another version")
	}

	got := r.must("GET", "/big/k", "")
	if got.body != first+last {
		t.Errorf("%d bytes", len(got.body))
	}
	got.headers(t, "Content-Type", "text/plain", "X-Amz-Meta-A", "b", "X-Amz-Version-Id", version, "X-Amz-Mp-Parts-Count", "", "X-Amz-Storage-Class", "GLACIER_IR")

	got = r.must("GET", "/big/k?partNumber=2", "")
	if got.status != 206 || got.body != last {
		t.Errorf("part 2: %d %q", got.status, got.body)
	}
	r.must("GET", "/big/k?partNumber=2", "", "X-Amz-Checksum-Mode", "ENABLED").headers(t, "X-Amz-Checksum-Crc64nvme", "", "X-Amz-Checksum-Type", "")
	r.refused(400, "InvalidArgument", "GET", "/big/none?partNumber=0", "")
	got.headers(t, "X-Amz-Mp-Parts-Count", "2", "Content-Range", fmt.Sprintf("bytes %d-%d/%d", minPart, minPart+6, minPart+7))
	r.must("HEAD", "/big/k?partNumber=1", "").headers(t, "Content-Length", fmt.Sprint(minPart), "X-Amz-Mp-Parts-Count", "2")
	r.refused(416, "InvalidPartNumber", "GET", "/big/k?partNumber=3", "").contains(t, "<ActualPartCount>2</ActualPartCount>", "<PartNumberRequested>3</PartNumberRequested>")
	r.refused(400, "InvalidArgument", "GET", "/big/k?partNumber=0", "")
	r.refused(400, "InvalidArgument", "GET", "/big/k?partNumber=10001", "")
	r.refused(400, "InvalidRequest", "GET", "/big/k?partNumber=1", "", "Range", "bytes=0-1")

	a = r.must("GET", "/big/k?attributes", "", "X-Amz-Object-Attributes", "ETag,Checksum, ObjectParts,StorageClass", "X-Amz-Object-Attributes", "ObjectSize", "X-Amz-Max-Parts", "1")
	a.contains(t, "-2</ETag>", "<ChecksumCRC64NVME>", "<PartsCount>2</PartsCount>", "<NextPartNumberMarker>1</NextPartNumberMarker>", "<IsTruncated>true</IsTruncated>",
		"<StorageClass>GLACIER_IR</StorageClass>", fmt.Sprintf("<ObjectSize>%d</ObjectSize>", minPart+7))
	a.headers(t, "X-Amz-Version-Id", version, "Last-Modified", "Mon, 06 May 2030 07:08:09 GMT")
	r.refused(400, "InvalidRequest", "GET", "/big/k?attributes", "")
	r.refused(400, "InvalidArgument", "GET", "/big/k?attributes", "", "X-Amz-Object-Attributes", "Colour")
}

func TestPartNumberOfAPlainObject(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.must("PUT", "/things/k", "hello")
	a := r.must("GET", "/things/k?partNumber=1", "", "X-Amz-Checksum-Mode", "ENABLED")
	if a.status != 206 || a.body != "hello" {
		t.Errorf("%d %q", a.status, a.body)
	}
	a.headers(t, "Content-Range", "bytes 0-4/5", "X-Amz-Mp-Parts-Count", "", "X-Amz-Checksum-Type", "FULL_OBJECT")
	r.refused(416, "InvalidPartNumber", "GET", "/things/k?partNumber=2", "")
	a = r.must("GET", "/things/k?attributes", "", "X-Amz-Object-Attributes", "ObjectParts,ETag")
	if strings.Contains(a.body, "ObjectParts") {
		t.Error(a.body)
	}
	if a = r.must("PUT", "/things/empty", ""); a.status != 200 {
		t.Fatal(a)
	}
	if a = r.must("GET", "/things/empty?partNumber=1", ""); a.status != 200 || a.body != "" {
		t.Errorf("%d %q", a.status, a.body)
	}
}

func TestPartsAndTheirLimits(t *testing.T) {
	r := newRig(t)
	r.bucket("big")
	id := r.upload("/big/k")
	for _, n := range []string{"0", "10001", "-1", "x", ""} {
		r.refused(400, "InvalidArgument", "PUT", "/big/k?partNumber="+n+"&uploadId="+id, "x")
	}
	r.refused(404, "NoSuchUpload", "PUT", "/big/other?partNumber=1&uploadId="+id, "x")
	r.refused(400, "BadDigest", "PUT", "/big/k?partNumber=1&uploadId="+id, "x", "Content-Md5", "63M6AMDJ0zbmVpGjerVCkw==")
	one := r.must("PUT", "/big/k?partNumber=1&uploadId="+id, "small").header.Get("Etag")
	two := r.must("PUT", "/big/k?partNumber=2&uploadId="+id, "small").header.Get("Etag")
	r.refused(400, "EntityTooSmall", "POST", "/big/k?uploadId="+id, partsDocument(one, two))
	r.refused(412, "PreconditionFailed", "DELETE", "/big/k?uploadId="+id, "", "X-Amz-If-Match-Initiated-Time", "Mon, 06 May 2030 07:08:08 GMT")
	r.must("DELETE", "/big/k?uploadId="+id, "", "X-Amz-If-Match-Initiated-Time", "Mon, 06 May 2030 07:08:09 GMT")
	r.refused(404, "NoSuchUpload", "DELETE", "/big/k?uploadId="+id, "")
	r.refused(404, "NoSuchUpload", "GET", "/big/k?uploadId="+id, "")
}

func TestChecksumsOfMultipartUploads(t *testing.T) {
	r := newRig(t)
	r.bucket("big")
	for _, c := range []struct {
		algorithm, kind, wantKind string
	}{
		{"CRC32", "", "COMPOSITE"}, {"CRC32", "FULL_OBJECT", "FULL_OBJECT"}, {"CRC32C", "COMPOSITE", "COMPOSITE"}, {"SHA256", "", "COMPOSITE"},
		{"sha1", "composite", "COMPOSITE"}, {"CRC64NVME", "", "FULL_OBJECT"}, {"XXHASH3", "", "COMPOSITE"},
	} {
		header := []string{"X-Amz-Checksum-Algorithm", c.algorithm}
		if c.kind != "" {
			header = append(header, "X-Amz-Checksum-Type", c.kind)
		}
		name := strings.ToUpper(c.algorithm)
		a := r.must("POST", "/big/k?uploads", "", header...)
		a.headers(t, "X-Amz-Checksum-Algorithm", name, "X-Amz-Checksum-Type", c.wantKind)
		var doc struct{ UploadId string }
		_ = xml.Unmarshal([]byte(a.body), &doc)
		hash, _ := signer.NewChecksum(name)
		_, _ = io.WriteString(hash, "data")
		p := r.must("PUT", "/big/k?partNumber=1&uploadId="+doc.UploadId, "data", "X-Amz-Checksum-"+name, base64.StdEncoding.EncodeToString(hash.Sum(nil)))
		sum := p.header.Get("X-Amz-Checksum-" + name)
		if sum == "" {
			t.Errorf("%s: the part has no checksum: %v", name, p.header)
		}
		part := "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>" + p.header.Get("Etag") + "</ETag><Checksum" + name + ">" + sum + "</Checksum" + name + "></Part></CompleteMultipartUpload>"
		r.refused(400, "InvalidPart", "POST", "/big/k?uploadId="+doc.UploadId, strings.Replace(part, ">"+sum, ">"+strings.Repeat("A", len(strings.TrimRight(sum, "=")))+sum[len(strings.TrimRight(sum, "=")):], 1))
		r.refused(400, "InvalidArgument", "POST", "/big/k?uploadId="+doc.UploadId, strings.Replace(part, ">"+sum, ">AAAA", 1))
		a = r.must("POST", "/big/k?uploadId="+doc.UploadId, part)
		a.contains(t, "<Checksum"+name+">", "<ChecksumType>"+c.wantKind+"</ChecksumType>")
		want := sum
		if c.wantKind == "COMPOSITE" {
			want = r.must("HEAD", "/big/k", "", "X-Amz-Checksum-Mode", "ENABLED").header.Get("X-Amz-Checksum-" + name)
			if !strings.HasSuffix(want, "-1") {
				t.Errorf("%s: composite checksum %q", name, want)
			}
		}
		if c.wantKind == "COMPOSITE" {
			r.must("GET", "/big/k?partNumber=1", "", "X-Amz-Checksum-Mode", "ENABLED").headers(t, "X-Amz-Checksum-"+name, sum, "X-Amz-Checksum-Type", "COMPOSITE")
		}
		r.must("HEAD", "/big/k", "", "X-Amz-Checksum-Mode", "ENABLED").headers(t, "X-Amz-Checksum-"+name, want, "X-Amz-Checksum-Type", c.wantKind)
	}
	r.refused(400, "InvalidRequest", "POST", "/big/k?uploads", "", "X-Amz-Checksum-Type", "COMPOSITE")
	r.refused(400, "InvalidRequest", "POST", "/big/k?uploads", "", "X-Amz-Checksum-Algorithm", "SHA256", "X-Amz-Checksum-Type", "FULL_OBJECT")
	r.refused(400, "InvalidRequest", "POST", "/big/k?uploads", "", "X-Amz-Checksum-Algorithm", "CRC64NVME", "X-Amz-Checksum-Type", "COMPOSITE")
	r.refused(400, "InvalidRequest", "POST", "/big/k?uploads", "", "X-Amz-Checksum-Algorithm", "MD4")

	id := r.upload("/big/k")
	one := r.must("PUT", "/big/k?partNumber=1&uploadId="+id, "data").header.Get("Etag")
	r.refused(400, "BadDigest", "POST", "/big/k?uploadId="+id, partsDocument(one), "X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=")
	r.refused(400, "InvalidRequest", "POST", "/big/k?uploadId="+id, partsDocument(one), "X-Amz-Checksum-Crc64nvme", "x")
	r.refused(400, "InvalidRequest", "POST", "/big/k?uploadId="+id, partsDocument(one), "X-Amz-Checksum-Type", "COMPOSITE")
	r.must("POST", "/big/k?uploadId="+id, partsDocument(one), "X-Amz-Checksum-Type", "FULL_OBJECT")
}

func TestCopiesOfParts(t *testing.T) {
	r := newRig(t)
	r.versioned("big")
	r.must("PUT", "/big/source", "0123456789")
	source := r.must("HEAD", "/big/source", "").header
	id := r.upload("/big/k")
	target := "/big/k?partNumber=1&uploadId=" + id
	a := r.must("PUT", target, "", "X-Amz-Copy-Source", "big/source", "X-Amz-Copy-Source-Range", "bytes=2-4")
	if strings.Contains(a.body, "Checksum") {
		t.Error(a.body)
	}
	a.contains(t, "<ETag>&quot;289dff07669d7a23de0ef88d2f7129e7&quot;</ETag>", "<CopyPartResult ")
	a.headers(t, "X-Amz-Copy-Source-Version-Id", source.Get("X-Amz-Version-Id"))
	for _, value := range []string{"2-4", "bytes=2-", "bytes=-4", "bytes=4-2", "bytes=0-1,3-4", "Bytes=2-4", "bytes= 2-4"} {
		r.refused(400, "InvalidArgument", "PUT", target, "", "X-Amz-Copy-Source", "big/source", "X-Amz-Copy-Source-Range", value)
	}
	r.refused(400, "InvalidArgument", "PUT", target, "", "X-Amz-Copy-Source", "big/source", "X-Amz-Copy-Source-Range", "bytes=2-10").
		contains(t, "size: 10")
	r.refused(412, "PreconditionFailed", "PUT", target, "", "X-Amz-Copy-Source", "big/source", "X-Amz-Copy-Source-If-Match", `"x"`)
	r.must("POST", "/big/k?uploadId="+id, partsDocument(`"289dff07669d7a23de0ef88d2f7129e7"`))
	if a := r.must("GET", "/big/k", ""); a.body != "234" {
		t.Errorf("%q", a.body)
	}
}

func TestTheListingOfUploads(t *testing.T) {
	r := newRig(t)
	r.bucket("big")
	r.upload("/big/a%2Fb")
	first := r.upload("/big/c%20d", "X-Amz-Checksum-Algorithm", "SHA1")
	r.later(time.Second)
	second := r.upload("/big/c%20d")
	a := r.must("GET", "/big?uploads&encoding-type=url&max-uploads=2", "")
	a.contains(t, "<ListMultipartUploadsResult ", "<Key>a/b</Key>", "<Key>c+d</Key>", "<UploadId>"+first, "<IsTruncated>true</IsTruncated>", "<NextKeyMarker>c+d</NextKeyMarker>",
		"<NextUploadIdMarker>"+first, "<ChecksumAlgorithm>SHA1</ChecksumAlgorithm>", "<Initiated>2030-05-06T07:08:09.000Z</Initiated>")
	a = r.must("GET", "/big?uploads&key-marker=c%20d&upload-id-marker="+first, "")
	a.contains(t, second, "<IsTruncated>false</IsTruncated>", "<Key>c d</Key>")
	if strings.Contains(a.body, "<UploadId>"+first) {
		t.Error(a.body)
	}
	r.must("GET", "/big?uploads&delimiter=%2F", "").contains(t, "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>")
	r.must("GET", "/big?uploads&upload-id-marker=x", "").contains(t, first)
	r.refused(400, "InvalidArgument", "GET", "/big?uploads&key-marker=c&upload-id-marker=x", "")
}

func TestTheSDKUploadsInParts(t *testing.T) {
	r := newRig(t)
	bucket, key := aws.String(r.bucket("big")), aws.String("k")
	up, err := r.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c})
	if err != nil {
		t.Fatal(err)
	}
	var parts []types.CompletedPart
	for n, text := range []string{strings.Repeat("a", minPart), "b"} {
		p, err := r.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(n + 1)),
			Body: strings.NewReader(text), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(n + 1)), ETag: p.ETag, ChecksumCRC32C: p.ChecksumCRC32C})
	}
	listed, err := r.ListParts(t.Context(), &s3.ListPartsInput{Bucket: bucket, Key: key, UploadId: up.UploadId})
	if err != nil || len(listed.Parts) != 2 || listed.Parts[0].ChecksumCRC32C == nil || listed.ChecksumType != types.ChecksumTypeComposite {
		t.Fatalf("%+v, %v", listed, err)
	}
	done, err := r.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	if err != nil || !strings.HasSuffix(aws.ToString(done.ChecksumCRC32C), "-2") {
		t.Fatalf("%+v, %v", done, err)
	}
	got, err := r.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key, ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, got.Body); n != minPart+1 || err != nil {
		t.Error(n, err)
	}
	about, err := r.GetObjectAttributes(t.Context(), &s3.GetObjectAttributesInput{Bucket: bucket, Key: key,
		ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesObjectParts, types.ObjectAttributesChecksum}})
	if err != nil || aws.ToInt32(about.ObjectParts.TotalPartsCount) != 2 || len(about.ObjectParts.Parts) != 2 ||
		aws.ToString(about.ObjectParts.Parts[1].ChecksumCRC32C) != aws.ToString(parts[1].ChecksumCRC32C) || about.Checksum.ChecksumType != types.ChecksumTypeComposite {
		t.Errorf("%+v, %v", about, err)
	}
}

// The copy of an object with a checksum of checksums has one of the whole.
func TestACopyHasAChecksumOfTheWhole(t *testing.T) {
	r := newRig(t)
	r.bucket("big")
	for _, algorithm := range []string{"MD5", "SHA256", "CRC32", "CRC64NVME"} {
		var doc struct{ UploadId string }
		made := r.must("POST", "/big/k?uploads", "", "X-Amz-Checksum-Algorithm", algorithm)
		if err := xml.Unmarshal([]byte(made.body), &doc); err != nil {
			t.Fatal(err)
		}
		hash, _ := signer.NewChecksum(algorithm)
		hash.Write([]byte("data"))
		sum := base64.StdEncoding.EncodeToString(hash.Sum(nil))
		at := "/big/k?uploadId=" + doc.UploadId
		p := r.must("PUT", at+"&partNumber=1", "data", "X-Amz-Checksum-"+algorithm, sum)
		r.must("POST", at, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+p.header.Get("Etag")+"</ETag><Checksum"+algorithm+">"+sum+"</Checksum"+algorithm+"></Part></CompleteMultipartUpload>")
		r.must("PUT", "/big/c", "", "X-Amz-Copy-Source", "/big/k").contains(t, "<Checksum"+algorithm+">"+sum+"</Checksum"+algorithm+">", "<ChecksumType>FULL_OBJECT</ChecksumType>")
		r.must("HEAD", "/big/c", "", "X-Amz-Checksum-Mode", "ENABLED").headers(t, "X-Amz-Checksum-"+algorithm, sum, "X-Amz-Checksum-Type", "FULL_OBJECT")
	}
}
