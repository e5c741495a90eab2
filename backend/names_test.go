package backend

import (
	"encoding/base64"
	"net/url"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// Each store takes the ids that it returns, and of MinIO's no other spelling.
func TestIDsAreTakenAsTheirStoreSpellsThem(t *testing.T) {
	const (
		uuid = "0cd0a2b3-3c54-4b5a-9c1e-1f0e6e1f0a2b"
		hex  = "0cd0a2b33c544b5a9c1e1f0e6e1f0a2b"
		aws  = "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"
		ulid = "01M8Q69FJJQ18B5WKWT659XJGQ"
	)
	upload := base64.RawURLEncoding.EncodeToString([]byte(uuid + "." + uuid + "x1764538620000000000"))
	minio := New(Endpoint{Names: MinIONames(), URL: &url.URL{Host: "minio"}}, zerolog.Nop(), time.Now)
	unknown := New(Endpoint{URL: &url.URL{Host: "store"}}, zerolog.Nop(), time.Now)
	for _, tt := range []struct {
		id             string
		minio, unknown bool
	}{
		{"null", true, true}, {uuid, true, true}, {hex, false, true}, {aws, false, true}, {ulid, false, true}, {"1764538620000000", false, true},
		{"", false, false}, {"{" + uuid + "}", false, false}, {"urn:uuid:" + uuid, false, false}, {uuid + " ", false, false},
		{"0CD0A2B3-3C54-4B5A-9C1E-1F0E6E1F0A2B", false, false}, {"0CD0A2B33C544B5A9C1E1F0E6E1F0A2B", false, false}, {"nu\nll", false, false},
		{" null", false, false}, {"NULL", false, true},
	} {
		if err := minio.CheckVersion(tt.id); (err == nil) != tt.minio {
			t.Errorf("MinIO, version %q: %v", tt.id, err)
		}
		if err := unknown.CheckVersion(tt.id); (err == nil) != tt.unknown {
			t.Errorf("an unknown store, version %q: %v", tt.id, err)
		}
	}
	local := New(Endpoint{Names: LocalNames(), URL: &url.URL{Host: "local"}}, zerolog.Nop(), time.Now)
	for _, id := range []string{"null", hex, uuid, hex[1:], "0CD0A2B33C544B5A9C1E1F0E6E1F0A2B", ulid} {
		if err := local.CheckVersion(id); err != nil || local.VersionName(id) != id { // it says itself what is malformed
			t.Errorf("the local store, version %q: %v, %s", id, err, local.VersionName(id))
		}
	}
	if hex, dashed := unknown.VersionName(hex), unknown.VersionName(uuid); hex != dashed {
		t.Errorf("one version may have the names %q and %q", hex, dashed)
	}
	if err := minio.CheckUpload(upload); err != nil {
		t.Errorf("MinIO, upload %q: %v", upload, err)
	}
	for _, id := range []string{"", upload + "=", upload + "\n", uuid, "VXBsb2FkSUQ"} {
		if err := minio.CheckUpload(id); err == nil {
			t.Errorf("MinIO takes the upload %q", id)
		}
	}
}
