package wire_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/internal/localstore/wire"
)

func TestBuckets(t *testing.T) {
	r := newRig(t)
	r.must("PUT", "/things", "").headers(t, "Location", "/things", "X-Amz-Bucket-Arn", "arn:aws:s3:::things")
	r.refused(409, "BucketAlreadyOwnedByYou", "PUT", "/things", "")
	r.must("HEAD", "/things", "").headers(t, "X-Amz-Bucket-Region", "us-east-1")
	r.must("HEAD", "/things/", "")
	r.refused(404, "NoSuchBucket", "HEAD", "/other", "")
	r.must("PUT", "/things/k", "x")
	r.refused(409, "BucketNotEmpty", "DELETE", "/things", "")
	r.must("DELETE", "/things/k", "")
	if a := r.must("DELETE", "/things", ""); a.status != 204 {
		t.Error(a.status)
	}
	r.refused(404, "NoSuchBucket", "DELETE", "/things", "")
	for _, name := range []string{
		"ab", strings.Repeat("a", 64), "Abc", "a_b", "-ab", "ab-", ".ab", "ab.", "a..b", "192.168.1.1", "xn--a", "sthree-a", "amzn-s3-demo-a",
		"a-s3alias", "a--ol-s3", "abc.mrap", "a--x-s3", "a--table-s3", "a%20b", "ä%C3",
	} {
		r.refused(400, "InvalidBucketName", "PUT", "/"+name, "")
	}
	for _, name := range []string{"abc", strings.Repeat("a", 63), "a.b-c", "123", "a-.b"} {
		r.must("PUT", "/"+name, "")
	}
	r.refused(400, "InvalidBucketAclWithObjectOwnership", "PUT", "/more", "", "X-Amz-Acl", "public-read")
	r.refused(400, "InvalidArgument", "PUT", "/more", "", "X-Amz-Object-Ownership", "Mine")
	r.refused(400, "InvalidArgument", "PUT", "/more", "", "X-Amz-Acl", "mine")
	r.refused(404, "NoSuchBucket", "HEAD", "/more", "")
	r.must("PUT", "/more", "", "X-Amz-Object-Ownership", "BucketOwnerPreferred")
	r.must("GET", "/more?ownershipControls", "").contains(t, "<OwnershipControls ", "<Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule>")
}

func TestRegions(t *testing.T) {
	for region, c := range map[string]struct{ taken, refused []string }{
		"":             {[]string{"us-east-1"}, []string{"eu-west-1", "x"}},
		"eu-central-1": {[]string{"eu-central-1", "us-east-1"}, []string{"eu-west-1"}},
	} {
		r := newRigIn(t, region)
		body := "<CreateBucketConfiguration><LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>"
		for i, at := range c.taken {
			r.must("PUT", fmt.Sprintf("/taken-%d", i), fmt.Sprintf(body, at))
		}
		for _, at := range c.refused {
			r.refused(400, "InvalidLocationConstraint", "PUT", "/refused", fmt.Sprintf(body, at)).contains(t, "<LocationConstraint>"+at)
		}
		r.must("PUT", "/no-body", "")
		a := r.must("GET", "/no-body?location", "")
		a.contains(t, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`+region+"</LocationConstraint>")
		r.refused(404, "NoSuchBucket", "GET", "/other?location", "")
		r.refused(501, "NotImplemented", "PUT", "/refused", "<CreateBucketConfiguration><Tags><Tag/></Tags></CreateBucketConfiguration>").contains(t, "Tags")
		r.refused(400, "MalformedXML", "PUT", "/refused", "<Other/>")
	}
}

func TestSettingsThatAreNotThere(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	for _, c := range []struct {
		query  string
		status int
		part   string
	}{
		{"encryption", 404, "ServerSideEncryptionConfigurationNotFoundError"},
		{"policy", 404, "NoSuchBucketPolicy"}, {"policyStatus", 404, "NoSuchBucketPolicy"},
		{"replication", 404, "ReplicationConfigurationNotFoundError"}, {"website", 404, "NoSuchWebsiteConfiguration"},
		{"cors", 404, "NoSuchCORSConfiguration"}, {"lifecycle", 404, "NoSuchLifecycleConfiguration"}, {"tagging", 404, "NoSuchTagSet"},
		{"ownershipControls", 200, "<ObjectOwnership>BucketOwnerEnforced</ObjectOwnership>"}, {"publicAccessBlock", 404, "NoSuchPublicAccessBlockConfiguration"},
		{"object-lock", 404, "ObjectLockConfigurationNotFoundError"},
		{"accelerate", 200, "<AccelerateConfiguration "}, {"logging", 200, "<BucketLoggingStatus "}, {"notification", 200, "<NotificationConfiguration "},
		{"requestPayment", 200, "<Payer>BucketOwner</Payer>"}, {"versioning", 200, "<VersioningConfiguration "},
		{"analytics", 200, "<IsTruncated>false</IsTruncated>"}, {"analytics&id=x", 404, "NoSuchConfiguration"},
		{"inventory", 200, "<IsTruncated>false</IsTruncated>"}, {"inventory&id=x", 404, "NoSuchConfiguration"},
		{"metrics", 200, "<IsTruncated>false</IsTruncated>"}, {"metrics&id=x", 404, "NoSuchConfiguration"},
		{"intelligent-tiering", 200, "<IsTruncated>false</IsTruncated>"}, {"intelligent-tiering&id=x", 404, "NoSuchConfiguration"},
	} {
		a := r.do("GET", "/things?"+c.query, "")
		if a.status != c.status {
			t.Errorf("%s: %d %s", c.query, a.status, a.body)
		}
		a.contains(t, c.part)
		r.refused(404, "NoSuchBucket", "GET", "/other?"+c.query, "")
	}
	for _, name := range []string{"encryption", "policy", "website", "replication", "accelerate", "logging", "notification", "requestPayment", "analytics&id=x"} {
		r.refused(501, "NotImplemented", "PUT", "/things?"+name, "<x/>").contains(t, strings.TrimSuffix(name, "&id=x"))
	}
	for _, name := range []string{"policy", "website", "cors", "lifecycle", "tagging", "ownershipControls", "publicAccessBlock"} {
		if a := r.do("DELETE", "/things?"+name, ""); a.status != 204 {
			t.Errorf("DELETE %s: %d %s", name, a.status, a.body)
		}
		r.refused(404, "NoSuchBucket", "DELETE", "/other?"+name, "")
	}
	for _, name := range []string{"encryption", "replication", "metrics&id=x", "analytics&id=x", "inventory&id=x", "intelligent-tiering&id=x"} {
		r.refused(501, "NotImplemented", "DELETE", "/things?"+name, "").contains(t, strings.TrimSuffix(name, "&id=x"))
		r.refused(404, "NoSuchBucket", "DELETE", "/other?"+name, "")
	}
	r.must("HEAD", "/things", "")
	if _, err := r.GetBucketEncryption(t.Context(), &s3.GetBucketEncryptionInput{Bucket: aws.String("things")}); codeOf(err) != "ServerSideEncryptionConfigurationNotFoundError" {
		t.Error(err)
	}
}

func TestVersioning(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	if a := r.must("GET", "/things?versioning", ""); strings.Contains(a.body, "Status") {
		t.Error(a.body)
	}
	for body, want := range map[string]string{
		"<VersioningConfiguration/>": "IllegalVersioningConfigurationException",
		"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>":                                    "MalformedXML",
		"<VersioningConfiguration><Status>Enabled</Status><Other/></VersioningConfiguration>":                       "MalformedXML",
		"<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>": "NotImplemented",
	} {
		if a := r.do("PUT", "/things?versioning", body); a.code(t) != want {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	for _, status := range []string{"Enabled", "Suspended"} {
		r.must("PUT", "/things?versioning", "<VersioningConfiguration><Status>"+status+"</Status></VersioningConfiguration>")
		r.must("GET", "/things?versioning", "").contains(t, "<Status>"+status+"</Status>")
	}
	r.refused(404, "NoSuchBucket", "PUT", "/other?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	body := "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
	r.refused(400, "BadDigest", "PUT", "/things?versioning", body, "Content-Md5", digest("x"))
	r.refused(400, "BadDigest", "PUT", "/things?versioning", body, "X-Amz-Checksum-Crc32", "AAAAAA==")
	r.must("GET", "/things?versioning", "").contains(t, "<Status>Suspended</Status>")
}

func TestAccessControlLists(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.must("PUT", "/things/k", "x")
	for _, target := range []string{"/things?acl", "/things/k?acl"} {
		r.must("GET", target, "").contains(t, "<AccessControlPolicy ", "<Owner><ID>s3gateway</ID></Owner>", `xsi:type="CanonicalUser"><ID>s3gateway</ID></Grantee><Permission>FULL_CONTROL</Permission>`)
		r.must("PUT", target, "", "X-Amz-Acl", "private")
		r.must("PUT", target, "", "X-Amz-Acl", "bucket-owner-full-control")
		r.refused(400, "AccessControlListNotSupported", "PUT", target, "", "X-Amz-Acl", "public-read")
		r.refused(400, "AccessControlListNotSupported", "PUT", target, "", "X-Amz-Grant-Read", "id=x")
		body := "<AccessControlPolicy><Owner><ID></ID></Owner><AccessControlList><Grant><Grantee><ID>%s</ID></Grantee><Permission>%s</Permission></Grant></AccessControlList></AccessControlPolicy>"
		r.must("PUT", target, fmt.Sprintf(body, "", "FULL_CONTROL"))
		r.must("PUT", target, r.must("GET", target, "").body)
		r.refused(400, "AccessControlListNotSupported", "PUT", target, fmt.Sprintf(body, "other", "FULL_CONTROL"))
		r.refused(400, "AccessControlListNotSupported", "PUT", target, fmt.Sprintf(body, "", "READ"))
		r.refused(400, "MissingSecurityHeader", "PUT", target, "")
	}
	r.refused(404, "NoSuchKey", "GET", "/things/none?acl", "")
	r.refused(404, "NoSuchBucket", "GET", "/other?acl", "")
	out, err := r.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: aws.String("things"), Key: aws.String("k")})
	if err != nil || out.Grants[0].Grantee.Type != types.TypeCanonicalUser {
		t.Error(out, err)
	}
}

func TestTagsAndPublicAccessBlockOfBuckets(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	var tags strings.Builder
	for i := range 50 {
		fmt.Fprintf(&tags, "<Tag><Key>%d</Key><Value/></Tag>", i)
	}
	if a := r.must("PUT", "/things?tagging", "<Tagging><TagSet>"+tags.String()+"</TagSet></Tagging>"); a.status != 204 {
		t.Error(a.status)
	}
	r.must("GET", "/things?tagging", "").contains(t, "<Tag><Key>49</Key><Value></Value></Tag>")
	r.refused(400, "BadRequest", "PUT", "/things?tagging", "<Tagging><TagSet>"+tags.String()+"<Tag><Key>x</Key><Value/></Tag></TagSet></Tagging>")
	r.must("DELETE", "/things?tagging", "")
	r.refused(404, "NoSuchTagSet", "GET", "/things?tagging", "")

	r.must("PUT", "/things?publicAccessBlock", "<PublicAccessBlockConfiguration><BlockPublicAcls>TRUE</BlockPublicAcls></PublicAccessBlockConfiguration>")
	r.must("GET", "/things?publicAccessBlock", "").contains(t, "<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls><BlockPublicPolicy>false</BlockPublicPolicy><RestrictPublicBuckets>false</RestrictPublicBuckets>")
	r.refused(400, "MalformedXML", "PUT", "/things?publicAccessBlock", "<PublicAccessBlockConfiguration><BlockPublicAcls>maybe</BlockPublicAcls></PublicAccessBlockConfiguration>")
	r.refused(400, "MalformedXML", "PUT", "/things?publicAccessBlock", "<PublicAccessBlockConfiguration><Block>true</Block></PublicAccessBlockConfiguration>")
	r.refused(404, "NoSuchBucket", "PUT", "/other?publicAccessBlock", "<PublicAccessBlockConfiguration/>")
	r.refused(400, "MalformedXML", "PUT", "/things?ownershipControls", "<OwnershipControls/>")
	r.refused(400, "MalformedXML", "PUT", "/things?ownershipControls", "<OwnershipControls><Rule><ObjectOwnership>Mine</ObjectOwnership></Rule></OwnershipControls>")
	r.must("PUT", "/things?ownershipControls", "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>")
	r.must("DELETE", "/things?ownershipControls", "")
	r.refused(404, "OwnershipControlsNotFoundError", "GET", "/things?ownershipControls", "")
	r.must("PUT", "/things?ownershipControls", "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>")
	out, err := r.GetBucketOwnershipControls(t.Context(), &s3.GetBucketOwnershipControlsInput{Bucket: aws.String("things")})
	if err != nil || out.OwnershipControls.Rules[0].ObjectOwnership != types.ObjectOwnershipObjectWriter {
		t.Error(out, err)
	}
}

func TestCORSRules(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	rule := func(s string) string { return "<CORSConfiguration><CORSRule>" + s + "</CORSRule></CORSConfiguration>" }
	const basis = "<AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://*.example</AllowedOrigin>"
	for body, code := range map[string]string{
		"<CORSConfiguration/>":                                    "MalformedXML",
		rule("<AllowedMethod>GET</AllowedMethod>"):                "MalformedXML",
		rule("<AllowedOrigin>*</AllowedOrigin>"):                  "MalformedXML",
		rule(basis + "<Other/>"):                                  "MalformedXML",
		rule(basis + "<AllowedMethod>PATCH</AllowedMethod>"):      "InvalidRequest",
		rule(basis + "<AllowedOrigin>*.*</AllowedOrigin>"):        "InvalidRequest",
		rule(basis + "<AllowedHeader>x-*-*</AllowedHeader>"):      "InvalidRequest",
		rule(basis + "<AllowedHeader>x y</AllowedHeader>"):        "InvalidRequest",
		rule(basis + "<ExposeHeader>x-*</ExposeHeader>"):          "InvalidRequest",
		rule(basis + "<ID>" + strings.Repeat("i", 256) + "</ID>"): "InvalidArgument",
		strings.Replace(rule(basis), "<CORSRule>"+basis+"</CORSRule>", strings.Repeat("<CORSRule>"+basis+"</CORSRule>", 101), 1): "MalformedXML",
	} {
		r.refused(400, code, "PUT", "/things?cors", body)
	}
	r.must("PUT", "/things?cors", rule(basis+"<AllowedHeader>*</AllowedHeader><ExposeHeader>etag</ExposeHeader><MaxAgeSeconds>5</MaxAgeSeconds><ID>one</ID>"))
	out, err := r.GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: aws.String("things")})
	if err != nil || len(out.CORSRules) != 1 || *out.CORSRules[0].MaxAgeSeconds != 5 || out.CORSRules[0].AllowedOrigins[0] != "https://*.example" || *out.CORSRules[0].ID != "one" {
		t.Error(out, err)
	}
}

func TestLifecycleRules(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	rule := func(s string) string {
		return "<LifecycleConfiguration><Rule><Status>Enabled</Status>" + s + "</Rule></LifecycleConfiguration>"
	}
	const all, days = "<Filter/>", "<Expiration><Days>3</Days></Expiration>"
	const tag = "<Tag><Key>a</Key><Value>b</Value></Tag>"
	for _, c := range []struct {
		status     int
		code, body string
	}{
		{400, "MalformedXML", "<LifecycleConfiguration/>"},
		{400, "MalformedXML", rule(days)},
		{400, "MalformedXML", rule(all + "<Prefix>a</Prefix>" + days)},
		{400, "MalformedXML", rule(all + days + "<Other/>")},
		{400, "MalformedXML", "<LifecycleConfiguration><Rule><Status>On</Status><Filter/>" + days + "</Rule></LifecycleConfiguration>"},
		{400, "MalformedXML", rule("<Filter><Prefix>a</Prefix>" + tag + "</Filter>" + days)},
		{400, "MalformedXML", rule("<Filter><And><Prefix>a</Prefix></And></Filter>" + days)},
		{400, "MalformedXML", rule("<Filter><And><Colour/></And></Filter>" + days)},
		{400, "InvalidRequest", rule("<Filter><And>" + tag + tag + "</And></Filter>" + days)},
		{400, "InvalidTag", rule("<Filter><Tag><Key></Key><Value/></Tag></Filter>" + days)},
		{400, "InvalidRequest", rule("<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>" + days)},
		{400, "InvalidRequest", rule("<Filter><ObjectSizeLessThan>0</ObjectSizeLessThan></Filter>" + days)},
		{400, "InvalidRequest", rule(all)},
		{400, "MalformedXML", rule(all + "<Expiration/>")},
		{400, "MalformedXML", rule(all + "<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>")},
		{400, "MalformedXML", rule(all + "<Expiration><Days>x</Days></Expiration>")},
		{400, "InvalidArgument", rule(all + "<Expiration><Days>0</Days></Expiration>")},
		{400, "InvalidArgument", rule(all + "<Expiration><Date>2030-01-01T10:00:00Z</Date></Expiration>")},
		{400, "MalformedXML", rule(all + "<Expiration><Date>tomorrow</Date></Expiration>")},
		{400, "InvalidRequest", rule("<Filter>" + tag + "</Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>")},
		{400, "InvalidRequest", rule("<Filter>" + tag + "</Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>")},
		{400, "InvalidRequest", rule("<Filter><ObjectSizeLessThan>9</ObjectSizeLessThan></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>")},
		{400, "InvalidArgument", rule(all + "<AbortIncompleteMultipartUpload><DaysAfterInitiation>0</DaysAfterInitiation></AbortIncompleteMultipartUpload>")},
		{400, "MalformedXML", rule(all + "<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>")},
		{400, "InvalidArgument", rule(all + "<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>")},
		{400, "InvalidArgument", rule(all + "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>")},
		{400, "InvalidArgument", rule(all + days + "<ID>" + strings.Repeat("i", 256) + "</ID>")},
		{400, "InvalidArgument", "<LifecycleConfiguration>" + strings.Repeat("<Rule><ID>x</ID><Status>Enabled</Status><Filter/>"+days+"</Rule>", 2) + "</LifecycleConfiguration>"},
		{400, "MalformedXML", "<LifecycleConfiguration>" + strings.Repeat("<Rule><Status>Enabled</Status><Filter/>"+days+"</Rule>", 1001) + "</LifecycleConfiguration>"},
		{501, "NotImplemented", rule(all + "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>")},
		{501, "NotImplemented", rule(all + days + "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>")},
	} {
		r.refused(c.status, c.code, "PUT", "/things?lifecycle", c.body)
	}
	r.must("PUT", "/things?lifecycle", `<LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule><Status>Enabled</Status><Prefix>old/</Prefix>`+days+
		`</Rule><Rule><ID>two</ID><Status>Disabled</Status><Filter><And><Prefix>p</Prefix>`+tag+`<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter><Expiration><Date>2031-01-01</Date></Expiration>`+
		`<NoncurrentVersionExpiration><NoncurrentDays>4</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration></Rule>`+
		`<Rule><ID>three</ID><Status>Enabled</Status><Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>`)
	out, err := r.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String("things")})
	if err != nil || len(out.Rules) != 3 || aws.ToString(out.Rules[0].ID) == "" || aws.ToString(out.Rules[1].Filter.And.Prefix) != "p" || *out.Rules[0].Expiration.Days != 3 || out.Rules[2].Filter == nil {
		t.Fatalf("%+v, %v", out, err)
	}
	r.must("PUT", "/things?lifecycle", r.must("GET", "/things?lifecycle", "").body)
	kept, err := r.store.Setting("things", "lifecycle")
	if err != nil {
		t.Fatal(err)
	}
	l, err := wire.ParseLifecycle(kept)
	if err != nil || len(l.Rules) != 3 {
		t.Fatal(l, err)
	}
	c := l.Rules[1].Conditions()
	if *c.Prefix != "p" || c.Tags[0] != (wire.LifecycleTag{Key: "a", Value: "b"}) || *c.GreaterThan != 5 || l.Rules[1].Expiration.Date != "2031-01-01T00:00:00Z" ||
		*l.Rules[1].NoncurrentVersionExpiration.NewerNoncurrentVersions != 2 || *l.Rules[0].Conditions().Prefix != "old/" || l.Rules[2].Conditions().Prefix != nil {
		t.Errorf("%+v", l.Rules)
	}
}

func TestPagesOfOtherOrigins(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.must("PUT", "/things/k", "x")
	r.refused(403, "AccessForbidden", "OPTIONS", "/things/k", "", "Origin", "https://a.example", "Access-Control-Request-Method", "GET")
	r.must("PUT", "/things?cors", "<CORSConfiguration>"+
		"<CORSRule><AllowedOrigin>https://*.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>X-*</AllowedHeader>"+
		"<ExposeHeader>etag</ExposeHeader><ExposeHeader>x-y</ExposeHeader><MaxAgeSeconds>5</MaxAgeSeconds></CORSRule>"+
		"<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>HEAD</AllowedMethod></CORSRule></CORSConfiguration>")
	for _, target := range []string{"/things", "/things/k", "/things/none?uploads"} {
		r.must("OPTIONS", target, "", "Origin", "https://a.example", "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "x-a, X-B").headers(t,
			"Access-Control-Allow-Origin", "https://a.example", "Access-Control-Allow-Methods", "GET, PUT", "Access-Control-Allow-Headers", "x-a, x-b",
			"Access-Control-Expose-Headers", "etag, x-y", "Access-Control-Max-Age", "5", "Access-Control-Allow-Credentials", "true",
			"Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
	}
	r.must("OPTIONS", "/things/k", "", "Origin", "http://b", "Access-Control-Request-Method", "HEAD").headers(t,
		"Access-Control-Allow-Origin", "*", "Access-Control-Allow-Credentials", "", "Access-Control-Allow-Headers", "")
	for _, c := range [][]string{
		{"Origin", "https://a.example.org", "Access-Control-Request-Method", "GET"}, {"Origin", "https://.exampl", "Access-Control-Request-Method", "GET"},
		{"Origin", "https://a.example", "Access-Control-Request-Method", "DELETE"},
		{"Origin", "https://a.example", "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "x-a,y"},
	} {
		r.refused(403, "AccessForbidden", "OPTIONS", "/things/k", "", c...).headers(t, "Access-Control-Allow-Origin", "")
	}
	r.refused(400, "BadRequest", "OPTIONS", "/things/k", "", "Access-Control-Request-Method", "GET")
	r.refused(400, "BadRequest", "OPTIONS", "/things/k", "", "Origin", "https://a.example")
	r.refused(404, "NoSuchBucket", "OPTIONS", "/other/k", "", "Origin", "https://a.example", "Access-Control-Request-Method", "GET")
	r.must("GET", "/things/k", "", "Origin", "https://a.example").headers(t, "Access-Control-Allow-Origin", "https://a.example", "Access-Control-Expose-Headers", "etag, x-y")
	r.refused(404, "NoSuchKey", "GET", "/things/none", "", "Origin", "https://a.example").headers(t, "Access-Control-Allow-Origin", "https://a.example")
	r.must("GET", "/things/k", "", "Origin", "https://b").headers(t, "Access-Control-Allow-Origin", "", "Vary", "")
	r.must("DELETE", "/things/k", "", "Origin", "https://a.example").headers(t, "Access-Control-Allow-Origin", "")
}
