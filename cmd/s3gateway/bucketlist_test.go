package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// The pages of the list of buckets are whole, and neither they nor the way to the
// next one name a bucket that is not shown.
func TestPagesOfTheListOfBuckets(t *testing.T) {
	store := testbed.Open(t)
	var names []string
	for range 5 {
		names = append(names, store.Bucket(t))
	}
	slices.Sort(names)
	visible, hidden := []string{names[0], names[2], names[4]}, []string{names[1], names[3]}
	file := fmt.Sprintf(`
callers:
  - name: web
    access_keys: [{id: WEBKEY, secret: web-secret-of-16-or-more}]
    grants: [{bucket: [%s], actions: [list]}]
`, strings.Join(visible, ", "))
	web := credentials.NewStaticCredentialsProvider("WEBKEY", "web-secret-of-16-or-more", "")
	for name, tt := range map[string]struct {
		settings []string
		as       aws.CredentialsProvider
	}{
		"exposed buckets":     {[]string{"S3_EXPOSE_BUCKETS=" + strings.Join(visible, ",")}, nil},
		"buckets of a caller": {[]string{"S3_EXPOSE_BUCKETS=*", yamlFile(t, file)}, web},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOn(t, store, names[0], append(open, tt.settings...)...)
			client := w.s3(func(o *s3.Options) {
				if tt.as != nil {
					o.Credentials = tt.as
				}
			})
			var got []string
			pages := s3.NewListBucketsPaginator(client, &s3.ListBucketsInput{MaxBuckets: aws.Int32(1)})
			for pages.HasMorePages() {
				page, err := pages.NextPage(t.Context())
				if err != nil || len(page.Buckets) != 1 {
					t.Fatalf("%+v %v", page, err)
				}
				got = append(got, *page.Buckets[0].Name)
				if slices.Contains(hidden, aws.ToString(page.ContinuationToken)) {
					t.Errorf("the token is %s", *page.ContinuationToken)
				}
			}
			if !slices.Equal(got, visible) {
				t.Errorf("%v, want %v", got, visible)
			}
			one, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{Prefix: &visible[1]})
			if err != nil || len(one.Buckets) != 1 || aws.ToString(one.Prefix) != visible[1] {
				t.Errorf("by prefix: %+v %v", one, err)
			}
		})
	}
	w := newWorldOn(t, store, names[0], append(open, "S3_EXPOSE_BUCKETS="+names[0])...)
	for _, most := range []string{"0", "-1", "10001", "x"} {
		r := newRequest(t, http.MethodGet, w.url+"/?max-buckets="+most, nil)
		sign(t, r, hexSHA256(nil), testSecret, time.Now())
		do(t, r).isS3Error(t, http.StatusBadRequest, "InvalidArgument")
	}
}

// A bucket that is there is not made again, and where clients make none they are
// told so as its owner would be: tools ask for their bucket before they use it.
func TestMakingABucketThatIsThere(t *testing.T) {
	store := testbed.Open(t)
	bucket, hidden := store.Bucket(t), store.Bucket(t)
	w := newWorldOn(t, store, bucket, append(open, "S3_EXPOSE_BUCKETS="+bucket+",logs-*", yamlFile(t, fmt.Sprintf(`
buckets: [{name: pictures, bucket: %s, prefix: p/}]
callers:
  - name: web
    access_keys: [{id: WEBKEY, secret: web-secret-of-16-or-more}]
    grants: [{bucket: pictures, actions: [write]}]
`, bucket)))...)
	web := aws.Credentials{AccessKeyID: "WEBKEY", SecretAccessKey: "web-secret-of-16-or-more"}
	first := aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testSecret}
	for _, tt := range []struct {
		by     aws.Credentials
		bucket string
		status int
		code   string
	}{
		{first, bucket, 409, "BucketAlreadyOwnedByYou"},
		{first, "pictures", 409, "BucketAlreadyOwnedByYou"},
		{web, "pictures", 409, "BucketAlreadyOwnedByYou"},
		{web, bucket, 403, "AccessDenied"},
		{first, hidden, 403, "AccessDenied"},
		{first, "logs-none", 403, "AccessDenied"},
		{first, "another", 403, "AccessDenied"},
	} {
		r := newRequest(t, http.MethodPut, w.url+"/"+tt.bucket, nil)
		signAs(t, r, hexSHA256(nil), tt.by, time.Now())
		do(t, r).isS3Error(t, tt.status, tt.code)
	}
	w.unchanged()
}
