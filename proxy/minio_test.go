package proxy

import (
	"testing"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

func granted(actions ...gateway.Action) func(*rig) {
	return func(r *rig) {
		var err error
		r.policy.Rules, err = policy.NewRules([]policy.CallerRules{{Name: "tester", Grants: []policy.Grant{
			{Buckets: []string{"bucket"}, Prefix: "a/", Actions: actions},
		}}}, nil)
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

// MinIO's listings can carry the metadata of every object, which its clients ask
// for: that is as much as reading them.
func TestAListingWithMetadataNeedsBothActions(t *testing.T) {
	const listing = `<ListBucketResult><Contents><Key>a/1</Key><UserMetadata><X-Amz-Meta-S3gateway-Mark>m</X-Amz-Meta-S3gateway-Mark><X-Amz-Meta-Color>blue</X-Amz-Meta-Color></UserMetadata></Contents></ListBucketResult>`
	call := call{method: "GET", path: "/bucket", query: "list-type=2&metadata=true&unsorted=true&prefix=a/"}
	r := newRig(t, granted(gateway.List, gateway.Read))
	r.backend.says(listing)
	a := r.do(call)
	if want := `<ListBucketResult><Contents><Key>a/1</Key><UserMetadata><X-Amz-Meta-Color>blue</X-Amz-Meta-Color></UserMetadata></Contents></ListBucketResult>`; a.status != 200 || a.body != want {
		t.Errorf("%d %s", a.status, a.body)
	}
	if uri := r.only().URI; uri != "/bucket?list-type=2&metadata=true&prefix=a%2F&unsorted=true" {
		t.Error(uri)
	}
	r = newRig(t, granted(gateway.List))
	r.refused(r.do(call), 403, "AccessDenied", "")
	r.untouched()
}

// minio-go repeats the encryption of an object on each of its parts.
func TestEncryptionOfAPartGoesOn(t *testing.T) {
	r := newRig(t)
	a := r.do(call{method: "PUT", path: "/bucket/key", query: "partNumber=1&uploadId=u", body: "hello",
		header: map[string]string{"X-Amz-Server-Side-Encryption": "AES256"}})
	if a.status != 200 || r.only().Header.Get("X-Amz-Server-Side-Encryption") != "AES256" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestQuotesInARefusalAreNotEscaped(t *testing.T) {
	r := newRig(t)
	a := r.do(call{method: "PUT", path: "/bucket/key", query: `partNumber=%221%22&uploadId=u`, body: "hello"})
	r.refused(a, 400, "InvalidArgument", `<ArgumentValue>"1"</ArgumentValue>`)
}

// A client may say aws-chunked of a body that it did not frame: S3 takes the
// word out and stores the body as it came.
func TestAwsChunkedOfAPlainBodyIsLeftOut(t *testing.T) {
	for given, stored := range map[string]string{"aws-chunked": "", "gzip, aws-chunked": "gzip", "aws-chunked,gzip": "gzip"} {
		r := newRig(t)
		a := r.do(call{method: "PUT", path: "/bucket/key", body: "hello", header: map[string]string{"Content-Encoding": given}})
		if s := r.only(); a.status != 200 || s.Header.Get("Content-Encoding") != stored || s.Body != "hello" {
			t.Errorf("%s: %d %q %q", given, a.status, s.Header.Get("Content-Encoding"), s.Body)
		}
	}
}

// Clients send what another version of a listing knows, or Ceph's own.
func TestAListingPassesOnWhatOtherListingsKnow(t *testing.T) {
	for _, query := range []string{"fetch-owner=true&start-after=b", "list-type=2&marker=b", "uploads=&max-keys=3", "versions=&marker=b", "allow-unordered=true"} {
		r := newRig(t)
		r.backend.says("<ListBucketResult></ListBucketResult>")
		if a := r.do(call{method: "GET", path: "/bucket", query: query}); a.status != 200 {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}
