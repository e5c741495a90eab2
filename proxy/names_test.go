package proxy

import (
	"testing"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

func TestAnswersCarryTheClientsNames(t *testing.T) {
	mapped := names{bucket: "pictures", at: Location{Bucket: "store", Prefix: "team/a b/", renamed: true}}
	own := names{bucket: "store", at: Location{Bucket: "store"}}
	for _, c := range []struct {
		name string
		names
		in, want string
	}{
		{"bucket, prefixes and keys", mapped,
			`<?xml version="1.0"?>` + "\n" + `<ListBucketResult xmlns="x"><Name>store</Name><Prefix>team/a b/</Prefix><Marker></Marker><KeyCount>2</KeyCount><Contents><Key>team/a b/x&amp;y</Key><Owner><ID>o</ID></Owner></Contents><CommonPrefixes><Prefix>team/a b/d/</Prefix></CommonPrefixes></ListBucketResult>`,
			`<?xml version="1.0"?>` + "\n" + `<ListBucketResult xmlns="x"><Name>pictures</Name><Prefix></Prefix><Marker></Marker><KeyCount>2</KeyCount><Contents><Key>x&amp;y</Key><Owner><ID>o</ID></Owner></Contents><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListBucketResult>`},
		{"encoded keys keep their encoding", mapped,
			`<R><EncodingType>url</EncodingType><Contents><Key>team/a%20b/x%2By</Key></Contents><Contents><Key>team%2Fa+b%2Fz%20z</Key></Contents></R>`,
			`<R><EncodingType>url</EncodingType><Contents><Key>x%2By</Key></Contents><Contents><Key>z%20z</Key></Contents></R>`},
		{"the gateway's own keys are cut out", own,
			`<R><KeyCount>3</KeyCount><Contents><Key>a</Key></Contents><Contents><Key>.s3gateway/x</Key></Contents><CommonPrefixes><Prefix>.s3gateway/</Prefix></CommonPrefixes></R>`,
			`<R><KeyCount>1</KeyCount><Contents><Key>a</Key></Contents></R>`},
		{"encoded too, below a prefix", mapped,
			`<R><EncodingType>url</EncodingType><Version><Key>team%2Fa%20b%2F.s3gateway%2Fx</Key></Version><IsTruncated>false</IsTruncated></R>`,
			`<R><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated></R>`},
		{"the gateway's own metadata is cut out of MinIO's listing with metadata", own,
			`<R><Contents><Key>a</Key><UserMetadata><X-Amz-Meta-S3gateway-Mark>m</X-Amz-Meta-S3gateway-Mark><X-Amz-Meta-Color>blue</X-Amz-Meta-Color></UserMetadata></Contents></R>`,
			`<R><Contents><Key>a</Key><UserMetadata><X-Amz-Meta-Color>blue</X-Amz-Meta-Color></UserMetadata></Contents></R>`},
		{"nothing to do leaves every byte", own, `<R  a='1'><Contents ><Key>a&#34;</Key></Contents></R>`, `<R  a='1'><Contents ><Key>a&#34;</Key></Contents></R>`},
		{"multipart answers", mapped, `<InitiateMultipartUploadResult><Bucket>store</Bucket><Key>team/a b/k</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>`,
			`<InitiateMultipartUploadResult><Bucket>pictures</Bucket><Key>k</Key><UploadId>u</UploadId></InitiateMultipartUploadResult>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.apply([]byte(c.in))
			if err != nil || string(got) != c.want {
				t.Errorf("got  %s\nwant %s (%v)", got, c.want, err)
			}
		})
	}
	if _, err := mapped.apply([]byte("<R><Contents>")); err == nil {
		t.Error("half a document passed")
	}
}

func TestListingsAskBelowThePrefix(t *testing.T) {
	got := signer.BuildQuery(withPrefix([]signer.Param{{Key: "list-type", Value: "2"}, {Key: "prefix", Value: "d/"}, {Key: "start-after", Value: "k"}, {Key: "marker"}}, "p/"))
	if got != "list-type=2&prefix=p%2Fd%2F&start-after=p%2Fk&marker=" {
		t.Error(got)
	}
	if got := signer.BuildQuery(withPrefix(nil, "p/")); got != "prefix=p%2F" {
		t.Error(got)
	}
}

func TestBucketMap(t *testing.T) {
	first, second := &backend.Client{}, &backend.Client{}
	b := &Buckets{Client: first, Exposed: []string{"files", "team-*"}, Mapped: map[string]Bucket{
		"files": {Name: "files", Backend: second, Bucket: "other", Prefix: "p/"}, "plain": {Name: "plain", Backend: first, Bucket: "plain"},
	}}
	if at, err := b.Locate("files", false); err != nil || at.Backend != second || at.Bucket != "other" || !at.renamed {
		t.Errorf("a mapped bucket hides one of the same name: %+v, %v", at, err)
	}
	if at, err := b.Locate("plain", false); err != nil || at.renamed {
		t.Errorf("%+v, %v", at, err)
	}
	if at, err := b.Locate("team-1", false); err != nil || at.Backend != first {
		t.Errorf("%+v, %v", at, err)
	}
	if _, err := b.Locate("secret", false); err == nil {
		t.Error("a bucket that is not exposed was found")
	}
	at, _ := b.Locate("files", false)
	if k, err := at.at("key", "a/b"); err != nil || k.Key != "p/a/b" {
		t.Errorf("%+v, %v", k, err)
	}
	for _, key := range []string{"../x", "a/../../x", "a/./b", ".."} {
		if _, err := at.at("key", key); err == nil {
			t.Errorf("key %q can leave the prefix", key)
		}
	}
	if (&Buckets{Client: first, Exposed: []string{"*"}, Mapped: b.Mapped}).mayChange("files") == nil {
		t.Error("a mapped bucket could be removed")
	}
}

// Stores refer to control characters in keys, which XML 1.0 cannot hold.
func TestKeysThatXMLCannotHoldAreListedAsTheBackendDoes(t *testing.T) {
	mapped := names{bucket: "pictures", at: Location{Bucket: "store", Prefix: "team/", renamed: true}}
	for _, c := range []struct{ in, want string }{
		{`<R><Name>store</Name><Contents><Key>team/a&#x1;&#31;b&#x9;</Key></Contents></R>`, `<R><Name>pictures</Name><Contents><Key>a&#x1;&#x1F;b&#x9;</Key></Contents></R>`},
		{"<R><Contents><Key>team/\U000F0000A&#x000002;&#xF0000;B</Key></Contents></R>", "<R><Contents><Key>\U000F0000A&#x2;\U000F0000B</Key></Contents></R>"},
		{`<R><Contents><Key>team/.s3gateway/&#x1;</Key></Contents><Contents><Key>team/&#x1;</Key></Contents></R>`, `<R><Contents><Key>&#x1;</Key></Contents></R>`},
	} {
		if got, err := mapped.apply([]byte(c.in)); err != nil || string(got) != c.want {
			t.Errorf("got  %s\nwant %s (%v)", got, c.want, err)
		}
	}
	for _, in := range []string{"<R><Contents><Key>team/\x01</Key></Contents></R>", "<R><Contents><Key>team/&#xFFFFFFFFF;</Key></Contents></R>", "<R><Contents><Key>&#x1;"} {
		if got, err := mapped.apply([]byte(in)); err == nil {
			t.Errorf("%q became %q", in, got)
		}
	}
}
