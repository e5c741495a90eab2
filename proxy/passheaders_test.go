package proxy

import "testing"

func TestFurtherHeadersThatAnOperatorLetsThrough(t *testing.T) {
	r := newRig(t, func(r *rig) { r.door.PassHeaders = []string{"x-amz-vendor-*", "x-amz-request-tags"} })
	for _, name := range []string{"X-Amz-Vendor-Tier", "X-Amz-Request-Tags"} {
		r.backend.forget()
		if a := r.do(call{method: "PUT", path: "/bucket/key", body: "x", header: map[string]string{name: "v"}}); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if got := r.only().Header.Get(name); got != "v" {
			t.Errorf("%s went on as %q", name, got)
		}
	}
	r.backend.forget()
	for name, code := range map[string]string{
		"X-Amz-Other": "NotImplemented", "X-Minio-Vendor": "AccessDenied", "X-Amz-Meta-Snowball-Auto-Extract": "AccessDenied",
		"X-Amz-Meta-Minio-Snowball-Prefix": "AccessDenied", "X-Amz-Meta-S3gateway-Mark": "AccessDenied",
	} {
		if a := r.do(call{method: "PUT", path: "/bucket/key", body: "x", header: map[string]string{name: "v"}}); a.code != code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	r.untouched()
}
