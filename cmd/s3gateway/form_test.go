package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// postForm makes a signed browser form for the bucket of a world; change may
// edit the fields after they were signed.
func (w *world) postForm(conditions string, file []byte, fields map[string]string, change func(map[string]string)) *http.Request {
	w.t.Helper()
	return w.postFormUnder(fmt.Sprintf(`{"bucket":%q}`, w.bucket)+conditions, file, fields, change)
}

// postFormUnder makes one whose policy names no bucket but in the conditions.
func (w *world) postFormUnder(conditions string, file []byte, fields map[string]string, change func(map[string]string)) *http.Request {
	w.t.Helper()
	return w.postFormBy(aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testSecret}, conditions, file, fields, change)
}

// postFormBy makes one that is signed by any caller.
func (w *world) postFormBy(keys aws.Credentials, conditions string, file []byte, fields map[string]string, change func(map[string]string)) *http.Request {
	w.t.Helper()
	at := time.Now().UTC()
	scope := at.Format("20060102") + "/us-east-1/s3/aws4_request"
	all := map[string]string{
		"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": keys.AccessKeyID + "/" + scope, "x-amz-date": at.Format("20060102T150405Z"),
	}
	for name, value := range fields {
		all[name] = value
	}
	policy := fmt.Sprintf(`{"expiration":%q,"conditions":[["starts-with","$x-amz-algorithm",""],["starts-with","$x-amz-credential",""],["starts-with","$x-amz-date",""],%s]}`,
		at.Add(time.Minute).Format(time.RFC3339), conditions)
	all["policy"] = base64.StdEncoding.EncodeToString([]byte(policy))
	key := []byte("AWS4" + keys.SecretAccessKey)
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

// Of a path that a browser sends as the file's name only the name counts.
func TestAFormsFileNameIsNoPath(t *testing.T) {
	for _, name := range []string{`C:\\Users\\me\\a.png`, "/home/me/a.png", "../../a.png", "a/../b/a.png", `..\\a.png`, "a.png"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "ALLOWED_FILE_TYPES=image/png")
			r := w.postForm(keyAndType, png(100), pictureFields(), nil)
			form, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			form = bytes.ReplaceAll(form, []byte("picture.png"), []byte(name))
			again := newRequest(t, "POST", r.URL.String(), bytes.NewReader(form), "Content-Type", r.Header.Get("Content-Type"))
			if got := do(t, again); got.status != 204 || !strings.HasSuffix(got.header.Get("Location"), "/up/a.png") {
				t.Errorf("%d %s %s", got.status, got.header.Get("Location"), got.body)
			}
			if keys := w.keysOf(w.bucket); len(keys) != 1 || keys[0] != "up/a.png" {
				t.Errorf("stored as %q", keys)
			}
		})
	}
}

func TestABrowserFormIsStored(t *testing.T) {
	w := newWorld(t, "ALLOWED_FILE_TYPES=image/png")
	fields := pictureFields()
	fields["success_action_status"], fields["x-amz-meta-colour"], fields["Content-Language"] = "201", "blue", "de"
	got := do(t, w.postForm(keyAndType+`,{"success_action_status":"201"},["starts-with","$x-amz-meta-colour",""],{"Content-Language":"de"}`, png(1500), fields, nil))
	if got.status != 201 || !strings.Contains(string(got.body), "<Key>up/picture.png</Key>") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	read := w.signed("GET", "up/picture.png")
	if !bytes.Equal(read.body, png(1500)) || read.header.Get("Content-Type") != "image/png" || read.header.Get("X-Amz-Meta-Colour") != "blue" ||
		read.header.Get("Content-Language") != "de" {
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
		{"no key", png(100), func(f map[string]string) { delete(f, "key") }, 400, "InvalidArgument"},
		{"no signature", png(100), func(f map[string]string) { delete(f, "x-amz-signature") }, 400, "InvalidArgument"},
		{"wrong signature of version 2", png(100), func(f map[string]string) {
			for _, name := range []string{"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"} {
				delete(f, name)
			}
			f["AWSAccessKeyId"], f["signature"] = testKeyID, "c2lnbmF0dXJl"
		}, 403, "SignatureDoesNotMatch"},
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

// A policy that names no bucket would be good for every one.
func TestAFormsPolicyNamesItsBucket(t *testing.T) {
	w := newWorld(t, "ALLOWED_FILE_TYPES=image/png")
	got := do(t, w.postFormUnder(keyAndType[1:], png(100), pictureFields(), nil))
	got.isS3Error(t, 403, "AccessDenied")
	if !strings.Contains(string(got.body), "Extra input fields: bucket") {
		t.Errorf("%s", got.body)
	}
	w.unchanged()
}

// The policy judges the key that is written, and of a path that a browser sends
// only the last part is the file's name.
func TestTheNameOfAFormsFileIsPartOfTheKeyThatIsJudged(t *testing.T) {
	for _, c := range []struct {
		key, file, stored string
		status            int
		code              string
	}{
		{"${filename}", `; filename="up-a.png"`, "up-a.png", 204, ""},
		{"${filename}", `; filename="other.png"`, "", 403, "AccessDenied"},
		{"up/${filename}", `; filename="a/b/c.png"`, "up/c.png", 204, ""},
		{"up/${filename}", `; filename="C:\\dir\\c d.png"`, "up/c d.png", 204, ""},
		{"up/x${filename}", `; filename=""`, "up/x", 204, ""},
		{"up/x${filename}", ``, "up/x${filename}", 204, ""},
		{"${filename}", `; filename=""`, "", 400, "InvalidArgument"},
	} {
		t.Run(c.key+c.file, func(t *testing.T) {
			w := newWorld(t, open...)
			made := w.postForm(`,["starts-with","$key","up"]`, []byte("test data"), map[string]string{"key": c.key}, nil)
			body, _ := bodyOf(t, made)
			body = strings.Replace(body, `; filename="picture.png"`, c.file, 1)
			got := do(t, newRequest(t, "POST", made.URL.String(), strings.NewReader(body), "Content-Type", made.Header.Get("Content-Type")))
			if c.status != 204 {
				got.isS3Error(t, c.status, c.code)
				w.unchanged()
				return
			}
			if read := w.signed("GET", c.stored); got.status != 204 || string(read.body) != "test data" {
				t.Errorf("%d %s, %d %s", got.status, got.body, read.status, read.body)
			}
		})
	}
}

// The line break after a form's last delimiter may be missing (RFC 2046 section
// 5.1.1) where the form is small enough to be read to its end first; a large one
// without it is refused, and nothing of it is stored.
func TestTheLineBreakAfterALargeFormIsNeeded(t *testing.T) {
	w := newWorld(t, open...)
	send := func(key string, size int) answer {
		full := w.postForm(`,["starts-with","$key",""]`, make([]byte, size), map[string]string{"key": key}, nil)
		body, _ := bodyOf(t, full)
		r := newRequest(t, "POST", full.URL.String(), strings.NewReader(strings.TrimSuffix(body, "\r\n")), "Content-Type", full.Header.Get("Content-Type"))
		return do(t, r)
	}
	got := send("large", 70000)
	got.isS3Error(t, 400, "MalformedPOSTRequest")
	w.unchanged()
	if got := send("small", 60000); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if read := w.signed("GET", "small"); len(read.body) != 60000 {
		t.Errorf("%d bytes", len(read.body))
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

// bodyOf is a form's body and its boundary.
func bodyOf(t *testing.T, r *http.Request) (body, boundary string) {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), params["boundary"]
}

// S3 passes over what follows the file. The length of a large file must be known
// before its end, so that there only the end of the form may follow.
func TestWhatFollowsTheFileOfAForm(t *testing.T) {
	const late = "\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\nx\r\n"
	for _, c := range []struct {
		name   string
		size   int
		tail   func(boundary string) string // in the place of "--\r\n"
		status int
	}{
		{"no last line end", 100, func(string) string { return "--" }, 204},
		{"an epilogue", 100, func(string) string { return "--\r\nto be ignored" }, 204},
		{"a field after the file", 100, func(b string) string { return late + "--" + b + "--\r\n" }, 204},
		{"no end", 100, func(string) string { return "xx\r\n" }, 400},
		{"an end that is cut off by its content", 100, func(string) string { return "-\r\n" }, 400},
		{"a large file and its end", 100_000, func(string) string { return "--\r\n" }, 204},
		{"a field after a large file", 100_000, func(b string) string { return late + "--" + b + "--\r\n" }, 400},
		{"a large file without an end", 100_000, func(string) string { return "xx\r\n" }, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, open...)
			file := png(c.size)
			r := w.postForm(`,["starts-with","$key","up/"],["eq","$Content-Type","image/png"]`, file, pictureFields(), nil)
			body, boundary := bodyOf(t, r)
			body = strings.TrimSuffix(body, "--\r\n") + c.tail(boundary)
			again := newRequest(t, "POST", r.URL.String(), strings.NewReader(body), "Content-Type", r.Header.Get("Content-Type"))
			if got := do(t, again); got.status != c.status {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if c.status != 204 {
				w.unchanged()
				return
			}
			if read := w.signed("GET", "up/picture.png"); !bytes.Equal(read.body, file) {
				t.Errorf("%d bytes were stored, %d were sent", len(read.body), len(file))
			}
		})
	}
}

func TestAFormsTagsAndChecksumsCount(t *testing.T) {
	const tags = `<Tagging><TagSet><Tag><Key>a b</Key><Value>1+2 =</Value></Tag></TagSet></Tagging>`
	for _, c := range []struct {
		name        string
		field       string
		value       string
		status      int
		code, names string // names is a header of the answer
	}{
		{"tags", "tagging", tags, 204, "", ""},
		{"tags that are no document", "tagging", "a=b", 400, "MalformedXML", ""},
		{"a checksum that the store compares", "x-amz-checksum-crc32", "0wiusg==", 204, "", "X-Amz-Checksum-Crc32"},
		{"another such checksum", "x-amz-checksum-crc32", "AAAAAA==", 400, "", ""},
		{"a checksum that the store may not know", "x-amz-checksum-xxhash3", "jw+pSh/pbMQ=", 204, "", ""},
		{"another such checksum that the store may not know", "x-amz-checksum-xxhash3", "AAAAAAAAAAA=", 400, "BadDigest", ""},
		{"an MD5", "Content-MD5", "63M6AMDJ0zbmVpGjerVCkw==", 204, "", ""},
		{"another MD5", "Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==", 400, "BadDigest", ""},
		{"what is no MD5", "Content-MD5", "x", 400, "InvalidDigest", ""},
		{"what is no checksum", "x-amz-checksum-md5", "x", 400, "InvalidRequest", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, open...)
			got := do(t, w.postForm(`,["starts-with","$key",""],["starts-with","$`+c.field+`",""]`, []byte("test data"),
				map[string]string{"key": "k", c.field: c.value}, nil))
			if got.status != c.status || c.code != "" && !strings.Contains(string(got.body), "<Code>"+c.code+"</Code>") || c.names != "" && got.header.Get(c.names) == "" {
				t.Fatalf("%d %v %s", got.status, got.header, got.body)
			}
			if c.status != 204 {
				w.unchanged()
				return
			}
			if c.field == "tagging" {
				have, err := w.s3().GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &w.bucket, Key: aws.String("k")})
				if err != nil || len(have.TagSet) != 1 || *have.TagSet[0].Key != "a b" || *have.TagSet[0].Value != "1+2 =" {
					t.Errorf("%+v, %v", have, err)
				}
			}
		})
	}
}

// Of the path that a client names its file by, only the name stands for
// ${filename}: a form for one folder stores in no other.
func TestTheFilenameOfAFormHasNoFolders(t *testing.T) {
	for _, sent := range []string{`below/picture.png`, `C:\pictures\picture.png`, `../../picture.png`, `/picture.png`, `a/..\picture.png`} {
		w := newWorld(t, "ALLOWED_FILE_TYPES=image/png")
		whole := w.postForm(keyAndType, png(100), pictureFields(), nil)
		body, _ := bodyOf(t, whole)
		body = strings.Replace(body, `filename="picture.png"`, `filename="`+strings.ReplaceAll(sent, `\`, `\\`)+`"`, 1)
		got := do(t, newRequest(t, "POST", whole.URL.String(), strings.NewReader(body), "Content-Type", whole.Header.Get("Content-Type")))
		if got.status != 204 {
			t.Fatalf("%s: %d %s", sent, got.status, got.body)
		}
		delete(w.before, "up/picture.png")
		stored := w.store.Snapshot(t, w.bucket)
		if _, there := stored["up/picture.png"]; !there || len(stored) != len(w.before)+1 {
			t.Errorf("%s is stored as %v", sent, stored)
		}
	}
}
