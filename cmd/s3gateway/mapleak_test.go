package main

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/proxy"
)

// mapped are the documents and parameters that operations need, by their names.
// KEY stands for a key, UPLOAD for an unfinished upload of it, ETAG for that of
// its one part.
var mapped = map[string]struct{ body, query, header string }{
	"DeleteObjects":           {body: "<Delete><Object><Key>KEY</Key></Object><Object><Key>none</Key></Object></Delete>"},
	"CompleteMultipartUpload": {body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>ETAG</ETag></Part></CompleteMultipartUpload>"},
	"GetObjectAttributes":     {header: "x-amz-object-attributes: ETag,ObjectSize,ObjectParts"},
	"ListObjects":             {query: "delimiter=/&prefix=dir/&marker=dir/0&max-keys=1"},
	"ListObjectsV2":           {query: "delimiter=/&prefix=dir/&start-after=dir/0&max-keys=1&encoding-type=url"},
	"ListObjectVersions":      {query: "prefix=dir/&key-marker=dir/0&max-keys=1&encoding-type=url"},
	"ListMultipartUploads":    {query: "prefix=KEY&max-uploads=1&encoding-type=url"},
	"PutObjectTagging":        {body: "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"},
	"PutBucketTagging":        {body: "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"},
	"PutBucketVersioning":     {body: "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"},
	"CopyObject":              {header: "x-amz-copy-source: /BUCKET/KEY\nx-amz-metadata-directive: REPLACE"},
	"UploadPartCopy":          {header: "x-amz-copy-source: /BUCKET/KEY"},
	"PutObject":               {body: "body"},
	"UploadPart":              {body: "body"},
}

// No answer in a mapped bucket, of whichever operation, of what is there and of
// what is not, names the backend's bucket, its prefix or its address.
func TestNoAnswerNamesWhereAMappedBucketIs(t *testing.T) {
	const key = "dir/a b+c%.txt"
	store := testbed.Open(t)
	for _, where := range []struct{ prefix, backend string }{{"", ""}, {"team-folder/x y/", ""}, {"team-folder/x y/", "far-backend"}} {
		if where.backend != "" && store.Socket != "" {
			continue // the embedded store has no address that a second backend could be
		}
		prefix, target := where.prefix, store.Bucket(t)
		file, row := "", "name: pictures, bucket: "+target
		if prefix != "" {
			row += fmt.Sprintf(", prefix: %q", prefix)
		}
		if where.backend != "" {
			row += ", backend: " + where.backend
			file = fmt.Sprintf("backends: [{name: %s, endpoint_url: %q, region: %s, access_key_id: %s, secret_access_key: %s}]\n",
				where.backend, store.Endpoint, store.Region, store.AccessKeyID, store.SecretAccessKey)
		}
		w := newWorldOn(t, store, target, append(open, yamlFile(t, file+"buckets:\n  - {"+row+"}\n"))...)
		secrets := []string{target, "team-folder", "far-backend", store.Endpoint.Host, "localhost"}
		if store.Socket != "" {
			secrets = append(secrets, store.Socket)
		}
		for _, op := range proxy.NewTable().Operations() {
			if op.Name == "PostObject" || op.Name == "ListBuckets" || op.Name == "DeleteBucket" {
				continue // TestAFormIntoAMappedBucket; the others name no key
			}
			for _, there := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, prefix %q, backend %q, there %v", op.Name, prefix, where.backend, there), func(t *testing.T) {
					answer := do(t, w.mappedRequest(op, key, there))
					text := string(answer.body)
					for name, values := range answer.header {
						text += "\n" + name + ": " + strings.Join(values, ",")
					}
					plain, err := url.QueryUnescape(strings.ReplaceAll(text, "%.", "%25."))
					if err != nil {
						plain = text
					}
					for _, secret := range secrets {
						if strings.Contains(text, secret) || strings.Contains(plain, secret) {
							t.Errorf("%d names %s:\n%s", answer.status, secret, text)
						}
					}
					if answer.status >= 500 && answer.status != http.StatusNotImplemented {
						t.Errorf("%d %s", answer.status, answer.body)
					}
				})
			}
		}
	}
}

func TestAFormIntoAMappedBucket(t *testing.T) {
	store := testbed.Open(t)
	target := store.Bucket(t)
	w := newWorldOn(t, store, target, append(open, yamlFile(t, "buckets:\n  - {name: pictures, bucket: "+target+", prefix: team-folder/}\n"))...)
	w.bucket = "pictures"
	for _, status := range []string{"201", "204"} {
		a := do(t, w.postForm(`,["starts-with","$key",""],["eq","$success_action_status","`+status+`"]`, []byte("hello"),
			map[string]string{"key": "a b/${filename}", "success_action_status": status}, nil))
		text := a.header.Get("Location") + string(a.body)
		if strconv.Itoa(a.status) != status || strings.Contains(text, target) || strings.Contains(text, "team-folder") || !strings.Contains(text, w.url+"/pictures/a%20b/") {
			t.Errorf("%d %s %s", a.status, a.header, a.body)
		}
	}
	w.bucket = target
	if keys := w.keysOf(target); len(keys) != 1 || !strings.HasPrefix(keys[0], "team-folder/a b/") {
		t.Errorf("the store holds %q", keys)
	}
}

// The pages of a mapped bucket follow each other, and the tokens between them
// tell nothing of where it is.
func TestPagesOfAMappedBucket(t *testing.T) {
	store := testbed.Open(t)
	target := store.Bucket(t)
	w := newWorldOn(t, store, target, append(open, yamlFile(t, "buckets:\n  - {name: pictures, bucket: "+target+", prefix: team-folder/}\n"))...)
	bucket := "pictures"
	var want []string
	for i := range 7 {
		key := fmt.Sprintf("d%d/%d é+.txt", i/3, i)
		if _, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
		want = append(want, key)
	}
	var got []string
	pages := s3.NewListObjectsV2Paginator(w.s3(), &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got = append(got, *o.Key)
		}
		for _, token := range []string{aws.ToString(page.NextContinuationToken), aws.ToString(page.ContinuationToken)} {
			plain, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(token, "b."))
			if strings.Contains(token+string(plain), "team-folder") {
				t.Errorf("a token tells where the bucket is: %s", token)
			}
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, want %q", got, want)
	}
	_, err := w.s3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, ContinuationToken: aws.String("another-folder/x")})
	if got := sdkRefusal(err); got != (refusal{400, "InvalidArgument"}) {
		t.Errorf("a token of nobody's: %v", err)
	}
}

// mappedRequest is a request of an operation, about a key that is there or one
// that is not.
func (w *world) mappedRequest(op proxy.Operation, key string, there bool) *http.Request {
	t, client := w.t, w.s3()
	bucket, upload, etag := "pictures", "none", `"0123456789abcdef0123456789abcdef"`
	if there {
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("body")}); err != nil {
			t.Fatal(err)
		}
		made, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		part, err := client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: made.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("part")})
		if err != nil {
			t.Fatal(err)
		}
		upload, etag = *made.UploadId, *part.ETag
	} else {
		key = "dir/none"
	}
	escaped := (&url.URL{Path: "/" + key}).EscapedPath()
	escaped = strings.ReplaceAll(escaped, "+", "%2B")
	with := func(text string) string {
		return strings.NewReplacer("BUCKET", bucket, "KEY", key, "UPLOAD", upload, "ETAG", etag).Replace(text)
	}
	needs, path, query := mapped[op.Name], "/"+bucket, []string{}
	if op.Level == proxy.ObjectLevel {
		path += escaped
	}
	for _, tell := range op.Tells {
		query = append(query, tell+map[string]string{"uploadId": "=" + url.QueryEscape(upload), "partNumber": "=1", "list-type": "=2", "id": "=x"}[tell])
	}
	if needs.query != "" {
		query = append(query, with(strings.ReplaceAll(needs.query, "KEY", url.QueryEscape(key))))
	}
	body := []byte(with(needs.body))
	r := newRequest(t, op.Method, w.url+path+"?"+strings.Join(query, "&"), bytes.NewReader(body))
	for line := range strings.Lines(needs.header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		value = strings.ReplaceAll(strings.ReplaceAll(value, "/KEY", escaped), "BUCKET", bucket)
		r.Header.Set(name, value)
	}
	if op.Body == proxy.DocumentBody {
		sum := md5.Sum(body)
		r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	sign(t, r, hexSHA256(body), testSecret, time.Now())
	return r
}
