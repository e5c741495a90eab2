package main

import (
	"net/http"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/proxy"
)

// Deleting a setting deletes no bucket, whatever the backend takes the request
// for: MinIO passes over a query that it does not know.
func TestDeletingASettingLeavesTheBucket(t *testing.T) {
	w := newWorld(t, open...)
	asked := 0
	for _, op := range proxy.NewTable().Operations() {
		if op.Method != http.MethodDelete || op.Level != proxy.BucketLevel || op.Action != gateway.Manage || op.Name == "DeleteBucket" {
			continue
		}
		asked++
		query := strings.ReplaceAll(strings.Join(op.Tells, "=&")+"=", "id=", "id=x")
		got := w.signed(op.Method, "?"+query)
		if got.status != 200 && got.status != 204 && got.status != 404 && got.status != 501 {
			t.Errorf("%s: %d %s", op.Name, got.status, got.body)
		}
		if there := w.signed("HEAD", ""); there.status != 200 {
			t.Fatalf("%s (%d) deleted the bucket", op.Name, got.status)
		}
	}
	if asked < 10 {
		t.Errorf("only %d settings were asked", asked)
	}
}
