package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"
)

// postForm makes a signed browser form for the bucket of a world; change may
// edit the fields after they were signed.
func (w *world) postForm(conditions string, file []byte, fields map[string]string, change func(map[string]string)) *http.Request {
	w.t.Helper()
	at := time.Now().UTC()
	scope := at.Format("20060102") + "/us-east-1/s3/aws4_request"
	all := map[string]string{
		"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": testKeyID + "/" + scope, "x-amz-date": at.Format("20060102T150405Z"),
	}
	for name, value := range fields {
		all[name] = value
	}
	policy := fmt.Sprintf(`{"expiration":%q,"conditions":[{"bucket":%q},["starts-with","$x-amz-algorithm",""],["starts-with","$x-amz-credential",""],["starts-with","$x-amz-date",""]%s]}`,
		at.Add(time.Minute).Format(time.RFC3339), w.bucket, conditions)
	all["policy"] = base64.StdEncoding.EncodeToString([]byte(policy))
	key := []byte("AWS4" + testSecret)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	all["x-amz-signature"] = hex.EncodeToString(mac(key, all["policy"]))
	if change != nil {
		change(all)
	}
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for name, value := range all {
		if err := m.WriteField(name, value); err != nil {
			w.t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile("file", "picture.png")
	if err != nil {
		w.t.Fatal(err)
	}
	part.Write(file)
	m.Close()
	return newRequest(w.t, "POST", w.url+"/"+w.bucket, &b, "Content-Type", m.FormDataContentType())
}

const keyAndType = `,["starts-with","$key","up/"],["eq","$Content-Type","image/png"],["content-length-range",1,2000]`

func pictureFields() map[string]string {
	return map[string]string{"key": "up/${filename}", "Content-Type": "image/png"}
}

func TestABrowserFormIsStored(t *testing.T) {
	w := newWorld(t, "ALLOWED_FILE_TYPES=image/png")
	fields := pictureFields()
	fields["success_action_status"], fields["x-amz-meta-colour"] = "201", "blue"
	got := do(t, w.postForm(keyAndType+`,{"success_action_status":"201"},["starts-with","$x-amz-meta-colour",""]`, png(1500), fields, nil))
	if got.status != 201 || !strings.Contains(string(got.body), "<Key>up/picture.png</Key>") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	read := w.signed("GET", "up/picture.png")
	if !bytes.Equal(read.body, png(1500)) || read.header.Get("Content-Type") != "image/png" || read.header.Get("X-Amz-Meta-Colour") != "blue" {
		t.Errorf("%d bytes, %v", len(read.body), read.header)
	}
	redirected := do(t, w.postForm(keyAndType+`,["starts-with","$success_action_redirect","https://app.example/"]`, png(100),
		map[string]string{"key": "up/b.png", "Content-Type": "image/png", "success_action_redirect": "https://app.example/done?a=1"}, nil))
	if to := redirected.header.Get("Location"); redirected.status != 303 || !strings.HasPrefix(to, "https://app.example/done?") || !strings.Contains(to, "key=up%2Fb.png") {
		t.Errorf("%d %s", redirected.status, to)
	}
}

func TestAFormOutsideItsPolicyIsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		file   []byte
		change func(map[string]string)
		status int
		code   string
	}{
		{"wrong signature", png(100), func(f map[string]string) { f["x-amz-signature"] = strings.Repeat("0", 64) }, 403, "SignatureDoesNotMatch"},
		{"changed policy", png(100), func(f map[string]string) { f["policy"] = base64.StdEncoding.EncodeToString([]byte(`{}`)) }, 403, "SignatureDoesNotMatch"},
		{"key outside the condition", png(100), func(f map[string]string) { f["key"] = "other/a.png" }, 403, "AccessDenied"},
		{"field that no condition names", png(100), func(f map[string]string) { f["acl"] = "public-read" }, 403, "AccessDenied"},
		{"file over the range", png(2001), nil, 400, "EntityTooLarge"},
		{"file under the range", nil, nil, 400, "EntityTooSmall"},
		{"file of another type", page(500), nil, 403, "AccessDenied"},
		{"no key", png(100), func(f map[string]string) { delete(f, "key") }, 403, "AccessDenied"},
		{"unknown access key", png(100), func(f map[string]string) {
			f["x-amz-credential"] = strings.Replace(f["x-amz-credential"], testKeyID, "NOBODY", 1)
		}, 403, "InvalidAccessKeyId"},
		{"reserved key", png(100), func(f map[string]string) { f["key"] = ".s3gateway/x" }, 403, "AccessDenied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "ALLOWED_FILE_TYPES=image/png")
			do(t, w.postForm(keyAndType, c.file, pictureFields(), c.change)).isS3Error(t, c.status, c.code)
			w.unchanged()
		})
	}
}

// TestFormFieldsThatAreNoHeadersAreRefused: a field holds any bytes, and a
// condition such as starts-with covers them.
func TestFormFieldsThatAreNoHeadersAreRefused(t *testing.T) {
	w := newWorld(t, "ALLOWED_FILE_TYPES=image/png")
	for _, c := range []struct{ field, value string }{
		{"x-amz-meta-a", "a\r\nx-amz-acl: public-read"},
		{"x-amz-meta-a", "a\x00b"},
		{"x-amz-meta-a b", "a"},
		{"x-amz-meta-a:b", "a"},
		{"Cache-Control", "no-store\x7f"},
	} {
		fields := pictureFields()
		fields[c.field] = c.value
		got := do(t, w.postForm(keyAndType+fmt.Sprintf(`,["starts-with","$%s",""]`, c.field), png(100), fields, nil))
		got.isS3Error(t, 400, "InvalidArgument")
		w.unchanged()
	}
}

func TestAFormThatDoesNotEndWithItsFileStoresNothing(t *testing.T) {
	w := newWorld(t, open...)
	r := w.postForm(keyAndType, png(100), pictureFields(), nil)
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		t.Fatal(err)
	}
	end := b.String()[strings.LastIndex(strings.TrimSuffix(b.String(), "\r\n"), "\r\n"):]
	delimiter := strings.TrimSuffix(end, "--\r\n")
	whole := strings.TrimSuffix(b.String(), end)
	for name, body := range map[string]string{
		"a second file":          whole + delimiter + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.html\"\r\n\r\n<html>" + end,
		"a field behind it":      whole + delimiter + "\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nUpload" + end,
		"an end before its end":  whole + end + strings.Repeat("x", 70000) + end,
		"a file far behind":      whole + strings.Repeat("x", 70000) + delimiter + "\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n" + end,
		"a delimiter at its end": whole + delimiter + end,
		"a field after the file": strings.TrimSuffix(b.String(), "--\r\n") + "\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\nx" + b.String()[:len("--")] + "\r\n",
		"no end":                 strings.TrimSuffix(b.String(), "--\r\n") + "xx\r\n",
	} {
		again := newRequest(t, "POST", r.URL.String(), strings.NewReader(body), "Content-Type", r.Header.Get("Content-Type"))
		if got := do(t, again); got.status != 400 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		w.unchanged()
	}
}
