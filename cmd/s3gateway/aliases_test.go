package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// MinIO takes "secret__XLDIR__" for "secret/": a rule about the one would not
// hold for the other. What lies below such a segment is in no listing there.
func TestAKeyThatIsAnothersNameInTheStoreIsRefused(t *testing.T) {
	w := newWorld(t, open...)
	for _, key := range []string{"secret__XLDIR__", "secret__XLDIR__/a", "a/__XLDIR__/b", "secret__XLDIR__/", ".s3gateway__XLDIR__"} {
		for name, got := range map[string]answer{
			"PUT":    do(t, w.signedPut(key, []byte("x"))),
			"GET":    w.signed("GET", key),
			"DELETE": w.signed("DELETE", key),
			"copy":   w.signedCopy("copy", "/"+w.bucket+"/"+key),
		} {
			t.Run(name+" "+key, func(t *testing.T) { got.isS3Error(t, 400, "InvalidArgument") })
		}
		w.ask("GET", "/metadata/uploads/"+key, "").isProblem(t, 400, "")
		w.ask("DELETE", "/uploads/"+key, "").isProblem(t, 400, "")
		batch, err := w.s3().DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: &w.bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String(key)}}}})
		if err != nil || len(batch.Deleted) != 0 || len(batch.Errors) != 1 || *batch.Errors[0].Code != "InvalidArgument" {
			t.Errorf("batch delete of %s: %+v %v", key, batch, err)
		}
	}
	w.unchanged()
}

// The name of a file never makes its id one that the store lists as another.
func TestAFileWhoseNameIsAStoresOwnWordIsListedUnderItsID(t *testing.T) {
	w := newWorld(t, open...)
	for _, name := range []string{"a__XLDIR__", "__XLDIR__", strings.Repeat("a", 111) + "__XLDIR__b", "a__XLDIR__.txt"} {
		got := w.ask("PUT", "/direct?filename="+name, "abc")
		if got.status != 201 {
			t.Fatalf("%s: %d %s", name, got.status, got.body)
		}
		file := got.json(t)
		id, _ := file["file_id"].(string)
		if list := w.ask("GET", "/list", ""); !strings.Contains(string(list.body), `"`+id+`"`) || file["filename"] != name {
			t.Errorf("%s: %v is not in %s", name, file, list.body)
		}
		if back := w.ask("GET", "/download/"+id, ""); back.status != 200 || string(back.body) != "abc" {
			t.Errorf("%s: %d %s", id, back.status, back.body)
		}
	}
}
