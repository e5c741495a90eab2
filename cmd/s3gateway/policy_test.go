package main

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// limit is MAX_FILE_SIZE of the tests below; a multipart upload needs parts of
// 5 MiB, so it lies a little above one.
const limit = 5<<20 + 1000

// refusal is what a way of storing bytes says to an object; empty for taken.
type refusal struct {
	status int
	code   string
}

// s3Refusal reads an answer of the S3 door.
func (w *world) s3Refusal(a answer) refusal {
	if a.status < 300 {
		return refusal{}
	}
	_, code, _ := strings.Cut(string(a.body), "<Code>")
	code, _, _ = strings.Cut(code, "</Code>")
	return refusal{a.status, code}
}

// sdkRefusal reads an error of the SDK.
func sdkRefusal(err error) refusal {
	var api smithy.APIError
	var status interface{ HTTPStatusCode() int }
	if err == nil || !errors.As(err, &api) || !errors.As(err, &status) {
		return refusal{}
	}
	return refusal{status.HTTPStatusCode(), api.ErrorCode()}
}

const partSize = 5 << 20

func (w *world) putMultipart(key, contentType string, body []byte) refusal {
	return w.inParts(key, contentType, len(body), func(id *string, n int32, from, to int) (*string, error) {
		part, err := w.s3().UploadPart(w.t.Context(), &s3.UploadPartInput{Bucket: &w.bucket, Key: &key, UploadId: id, PartNumber: &n, Body: bytes.NewReader(body[from:to])})
		if err != nil {
			return nil, err
		}
		return part.ETag, nil
	})
}

func (w *world) putPartCopy(key, contentType string, body []byte) refusal {
	w.plant("source.png", contentType, body)
	source := w.bucket + "/source.png"
	return w.inParts(key, contentType, len(body), func(id *string, n int32, from, to int) (*string, error) {
		part, err := w.s3().UploadPartCopy(w.t.Context(), &s3.UploadPartCopyInput{Bucket: &w.bucket, Key: &key, UploadId: id, PartNumber: &n,
			CopySource: &source, CopySourceRange: aws.String("bytes=" + strconv.Itoa(from) + "-" + strconv.Itoa(to-1))})
		if err != nil {
			return nil, err
		}
		return part.CopyPartResult.ETag, nil
	})
}

// inParts makes a multipart upload and aborts it when a part is refused, as
// clients do.
func (w *world) inParts(key, contentType string, size int, upload func(id *string, n int32, from, to int) (*string, error)) refusal {
	client, ctx := w.s3(), w.t.Context()
	create, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: &key, ContentType: &contentType})
	if err != nil {
		return sdkRefusal(err)
	}
	var parts []types.CompletedPart
	for from, n := 0, int32(1); from < size; from, n = from+partSize, n+1 {
		etag, err := upload(create.UploadId, n, from, min(size, from+partSize))
		if err != nil {
			if _, e := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &w.bucket, Key: &key, UploadId: create.UploadId}); e != nil {
				w.t.Error(e)
			}
			return sdkRefusal(err)
		}
		parts = append(parts, types.CompletedPart{ETag: etag, PartNumber: aws.Int32(n)})
	}
	_, err = client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &w.bucket, Key: &key, UploadId: create.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	return sdkRefusal(err)
}

// form is a multipart/form-data body with one file.
func form(t *testing.T, filename, contentType string, body []byte) (*bytes.Buffer, string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	part, err := m.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="` + filename + `"`}, "Content-Type": {contentType},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, m.FormDataContentType()
}

func (w *world) rest(path string) string { return w.url + "/api/v1/upload/" + path }

func problemRefusal(t *testing.T, a answer) refusal {
	t.Helper()
	if a.status < 300 {
		return refusal{}
	}
	code, _ := a.json(t)["code"].(string)
	return refusal{a.status, code}
}

func (w *world) putByLink(key, contentType string, body []byte) refusal {
	link := do(w.t, newRequest(w.t, "POST", w.rest("presigned"), strings.NewReader(`{"filename":"`+key+`","content_type":"`+contentType+`"}`),
		"Content-Type", "application/json"))
	if link.status != 200 {
		return problemRefusal(w.t, link)
	}
	url, _ := link.json(w.t)["upload_url"].(string)
	return w.s3Refusal(do(w.t, newRequest(w.t, http.MethodPut, url, bytes.NewReader(body), "Content-Type", contentType)))
}

func TestAFileThatDeclaresNoLengthIsCounted(t *testing.T) {
	w := newWorld(t, "MAX_FILE_SIZE=1000", "ALLOWED_FILE_TYPES=image/png")
	content, formType := form(t, "a.png", "image/png", png(1001))
	r := newRequest(t, "POST", w.rest("direct"), struct{ *bytes.Buffer }{content}, "Content-Type", formType)
	r.ContentLength = -1
	do(t, r).isProblem(t, 413, "File too large. Maximum size: 1000 bytes")
	w.unchanged()
}

func TestPolicyScopeUploadsLeavesOtherKeysAlone(t *testing.T) {
	w := newWorld(t, "MAX_FILE_SIZE=1000", "ALLOWED_FILE_TYPES=image/png", "POLICY_SCOPE=uploads")
	if got := do(t, w.signedPut("backup/page.html", page(2000), "Content-Type", "text/html")); got.status != 200 {
		t.Errorf("outside the prefix: %d %s", got.status, got.body)
	}
	do(t, w.signedPut("uploads/page.html", page(500), "Content-Type", "text/html")).isS3Error(t, 403, "AccessDenied")
	do(t, w.signedPut("uploads/a.png", png(1001), "Content-Type", "image/png")).isS3Error(t, 400, "EntityTooLarge")
}
