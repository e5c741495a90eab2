package proxy

import (
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

func withGrants(grants ...policy.Grant) func(*rig) {
	return func(r *rig) {
		rules, err := policy.NewRules([]policy.CallerRules{{Name: "tester", Grants: grants}}, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		r.policy.Rules = rules
	}
}

// Nothing opens to others what is denied to its maker, by whichever door of the API:
// access rules of a bucket, of one that is made again, of a key, and what takes the
// bars from them.
func TestNobodyOpensWhatIsDeniedToThem(t *testing.T) {
	mine := policy.Grant{Buckets: []string{"mine"}, Actions: []gateway.Action{gateway.List, gateway.Read, gateway.Write, gateway.Delete, gateway.Manage}}
	hidden := policy.Grant{Deny: true, Buckets: []string{"mine"}, Prefix: "hidden/", Actions: []gateway.Action{gateway.Read, gateway.List, gateway.Write}}
	public := map[string]string{"X-Amz-Acl": "public-read"}
	everybody := map[string]string{"X-Amz-Grant-Read": `uri="http://acs.amazonaws.com/groups/global/AllUsers"`}
	document := `<AccessControlPolicy><Owner><ID>x</ID></Owner><AccessControlList><Grant><Grantee><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>`
	for name, c := range map[string]call{
		"an ACL of the bucket":              {method: "PUT", path: "/mine", query: "acl", header: public},
		"a bucket made again, public":       {method: "PUT", path: "/mine", header: public},
		"a bucket made again, with a grant": {method: "PUT", path: "/mine", header: everybody},
		"an ACL of a key":                   {method: "PUT", path: "/mine/hidden/a", query: "acl", header: public},
		"an ACL of a key, by document":      {method: "PUT", path: "/mine/hidden/a", query: "acl", body: document},
		"no bar to public access":           {method: "DELETE", path: "/mine", query: "publicAccessBlock"},
		"another bar to public access":      {method: "PUT", path: "/mine", query: "publicAccessBlock", body: "<PublicAccessBlockConfiguration></PublicAccessBlockConfiguration>"},
		"ACLs that count":                   {method: "PUT", path: "/mine", query: "ownershipControls", body: "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>"},
		"a website":                         {method: "PUT", path: "/mine", query: "website", body: "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withGrants(mine, hidden))
			r.refused(r.do(c), 403, "AccessDenied", "a denial of")
			r.untouched()
			if open := newRig(t, withGrants(mine)); open.do(c).status != 200 {
				t.Error("refused without the denial too")
			}
		})
	}
	// Beside what is denied they may.
	r := newRig(t, withGrants(mine, hidden))
	for _, c := range []call{{method: "PUT", path: "/mine/shown/a", query: "acl", header: public}, {method: "PUT", path: "/mine"}, {method: "PUT", path: "/mine", header: map[string]string{"X-Amz-Acl": "private"}}} {
		if a := r.do(c); a.status != 200 {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
	}
}

// A document has the storage write to no place where its maker may not.
func TestNoDocumentWritesWhereItsMakerMayNot(t *testing.T) {
	manage := policy.Grant{Buckets: []string{"mine"}, Actions: []gateway.Action{gateway.Read, gateway.ReadVersion, gateway.List, gateway.Manage}}
	write := policy.Grant{Buckets: []string{"theirs"}, Actions: []gateway.Action{gateway.Write}}
	logs, denied := write, write
	logs.Prefix = "logs/"
	denied.Deny, denied.Prefix = true, "kept/"
	replication := func(to string) call {
		return call{method: "PUT", path: "/mine", query: "replication", body: `<ReplicationConfiguration><Role>r</Role><Rule><Status>Enabled</Status><Prefix></Prefix><Destination><Bucket>` + to + `</Bucket></Destination></Rule></ReplicationConfiguration>`}
	}
	inventory := call{method: "PUT", path: "/mine", query: "inventory&id=x",
		body: `<InventoryConfiguration><Destination><S3BucketDestination><Bucket>arn:aws:s3:::theirs</Bucket><Prefix>logs/a</Prefix></S3BucketDestination></Destination></InventoryConfiguration>`}
	analytics := call{method: "PUT", path: "/mine", query: "analytics&id=x",
		body: `<AnalyticsConfiguration><Id>x</Id><StorageClassAnalysis><DataExport><Destination><S3BucketDestination><Bucket>arn:aws:s3:::theirs</Bucket></S3BucketDestination></Destination></DataExport></StorageClassAnalysis></AnalyticsConfiguration>`}
	logging := call{method: "PUT", path: "/mine", query: "logging", body: `<BucketLoggingStatus><LoggingEnabled><TargetBucket>theirs</TargetBucket><TargetPrefix>logs/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>`}
	for _, c := range []struct {
		name    string
		grants  []policy.Grant
		call    call
		allowed bool
	}{
		{"replicas without a grant", nil, replication("arn:aws:s3:::theirs"), false},
		{"replicas with a grant", []policy.Grant{write}, replication("arn:aws:s3:::theirs"), true},
		{"replicas with a grant on a part", []policy.Grant{logs}, replication("arn:aws:s3:::theirs"), false},
		{"replicas with a denial of a part", []policy.Grant{write, denied}, replication("theirs"), false},
		{"replicas in two places", []policy.Grant{write}, replication("theirs</Bucket><Bucket>others"), false},
		{"replicas elsewhere", []policy.Grant{write}, replication("arn:minio:replication::1:theirs"), false},
		{"an inventory without a grant", nil, inventory, false},
		{"an inventory with a grant on its part", []policy.Grant{logs}, inventory, true},
		{"an analysis with a grant on a part", []policy.Grant{logs}, analytics, false},
		{"an analysis with a grant", []policy.Grant{write}, analytics, true},
		{"logs without a grant", nil, logging, false},
		{"logs with a grant on their part", []policy.Grant{logs}, logging, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, withGrants(append([]policy.Grant{manage}, c.grants...)...))
			a := r.do(c.call)
			if c.allowed {
				if a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
				return
			}
			r.refused(a, 403, "AccessDenied", "has the storage write to")
			r.untouched()
		})
	}
}

// Delete markers are versions: a rule that takes them away needs what deleting one
// needs.
func TestARuleThatRemovesMarkersIsADeletionOfVersions(t *testing.T) {
	mine := policy.Grant{Buckets: []string{"mine"}, Actions: []gateway.Action{gateway.Manage, gateway.Delete}}
	kept := policy.Grant{Deny: true, Buckets: []string{"mine"}, Prefix: "kept/", Actions: []gateway.Action{gateway.DeleteVersion}}
	rule := func(prefix string) call {
		return call{method: "PUT", path: "/mine", query: "lifecycle", body: "<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>" + prefix +
			"</Prefix></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule></LifecycleConfiguration>"}
	}
	r := newRig(t, withGrants(mine, kept))
	r.refused(r.do(rule("kept/")), 403, "AccessDenied", "a denial of delete-version")
	r.untouched()
	if a := r.do(rule("other/")); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A prefix in many pieces costs no more than a key.
func TestAPrefixIsNoLongerThanAKey(t *testing.T) {
	r := newRig(t, withGrants(policy.Grant{Buckets: []string{"mine"}, Actions: []gateway.Action{gateway.Manage}}))
	a := r.do(call{method: "PUT", path: "/mine", query: "lifecycle", body: "<LifecycleConfiguration><Rule><Filter><Prefix>" + strings.Repeat("a<!---->", maxKey+1) +
		"</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"})
	r.refused(a, 400, "MalformedXML", "")
	r.untouched()
}
