package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/proxy"
)

// No answer in a mapped bucket, of whichever operation, of what is there and of
// what is not, names the backend's bucket, its prefix or its address.
func TestNoAnswerNamesWhereAMappedBucketIs(t *testing.T) {
	const key = "dir/a b+c%.txt"
	store := testbed.Open(t)
	second := reachable(t, store)
	operations := map[string]proxy.Operation{}
	for _, op := range proxy.NewTable().Operations() {
		operations[op.Name] = op
	}
	for name := range operationRequests {
		if operations[name].Name == "" {
			t.Errorf("%s is no operation", name)
		}
	}
	for _, where := range []struct{ prefix, backend string }{{"", ""}, {"team-folder/x y/", ""}, {"team-folder/x y/", "far-backend"}} {
		prefix, target := where.prefix, store.Bucket(t)
		file, row := "", "name: pictures, bucket: "+target
		if prefix != "" {
			row += fmt.Sprintf(", prefix: %q", prefix)
		}
		if where.backend != "" {
			row += ", backend: " + where.backend
			file = fmt.Sprintf("backends: [{name: %s, endpoint_url: %q, region: %s, access_key_id: %s, secret_access_key: %s}]\n",
				where.backend, second.Endpoint, store.Region, store.AccessKeyID, store.SecretAccessKey)
		}
		w := newWorldOn(t, store, target, append(open, yamlFile(t, file+"buckets:\n  - {"+row+"}\n"))...)
		secrets := []string{target, "team-folder", "far-backend", store.Endpoint.Host, second.Endpoint.Host, "localhost"}
		for _, op := range proxy.NewTable().Operations() {
			if op.Name == "PostObject" || op.Name == "ListBuckets" || op.Name == "DeleteBucket" {
				continue // TestAFormIntoAMappedBucket; the others name no key
			}
			row, ok := operationRequests[op.Name]
			if !ok {
				t.Errorf("%s has no row in operationRequests: say with what it is asked, and what is answered", op.Name)
				continue
			}
			for _, there := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, prefix %q, backend %q, there %v", op.Name, prefix, where.backend, there), func(t *testing.T) {
					if row.first != "" && there {
						do(t, w.operation("pictures", operations[row.first], key, there))
					}
					answer := do(t, w.operation("pictures", op, key, there))
					if want := row.status(store.Name, prefix); there && answer.status != want {
						t.Errorf("%d %s, want %d", answer.status, answer.body, want)
					}
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
