package wire_test

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

func TestVersionsAndDeleteMarkers(t *testing.T) {
	r := newRig(t)
	r.bucket("vvv")
	r.must("PUT", "/vvv/k", "null").headers(t, "X-Amz-Version-Id", "")
	r.must("PUT", "/vvv?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	r.must("GET", "/vvv/k", "").headers(t, "X-Amz-Version-Id", "null")
	one := r.must("PUT", "/vvv/k", "one").header.Get("X-Amz-Version-Id")
	two := r.must("PUT", "/vvv/k", "two").header.Get("X-Amz-Version-Id")
	if one == "" || one == two {
		t.Fatal(one, two)
	}
	for id, body := range map[string]string{one: "one", two: "two", "null": "null"} {
		a := r.must("GET", "/vvv/k?versionId="+id, "")
		a.headers(t, "X-Amz-Version-Id", id)
		if a.body != body {
			t.Errorf("%s is %q", id, a.body)
		}
	}
	r.refused(400, "InvalidArgument", "GET", "/vvv/k?versionId=", "")
	r.refused(400, "InvalidArgument", "GET", "/vvv/k?versionId=x", "")
	r.refused(404, "NoSuchVersion", "GET", "/vvv/k?versionId="+one[:16]+strings.Repeat("0", 16), "").contains(t, "<VersionId>"+one[:16])
	r.refused(400, "InvalidArgument", "DELETE", "/vvv/k?versionId=", "")

	a := r.must("DELETE", "/vvv/k", "")
	marker := a.header.Get("X-Amz-Version-Id")
	a.headers(t, "X-Amz-Delete-Marker", "true")
	for _, method := range []string{"GET", "HEAD"} {
		r.refused(404, "NoSuchKey", method, "/vvv/k", "").headers(t, "X-Amz-Delete-Marker", "true", "X-Amz-Version-Id", marker)
		r.refused(405, "MethodNotAllowed", method, "/vvv/k?versionId="+marker, "").
			headers(t, "X-Amz-Delete-Marker", "true", "X-Amz-Version-Id", marker, "Allow", "DELETE", "Last-Modified", "Mon, 06 May 2030 07:08:09 GMT")
	}
	r.refused(404, "NoSuchKey", "GET", "/vvv/k?tagging", "")
	r.refused(404, "NoSuchKey", "GET", "/vvv/k?attributes&versionId="+marker, "", "X-Amz-Object-Attributes", "ETag").headers(t, "X-Amz-Delete-Marker", "true")
	r.refused(404, "NoSuchKey", "PUT", "/vvv/x", "", "X-Amz-Copy-Source", "/vvv/k")
	r.refused(400, "InvalidRequest", "PUT", "/vvv/x", "", "X-Amz-Copy-Source", "/vvv/k?versionId="+marker)
	a = r.must("DELETE", "/vvv/k?versionId="+marker, "")
	a.headers(t, "X-Amz-Delete-Marker", "true", "X-Amz-Version-Id", marker)
	if a := r.must("GET", "/vvv/k", ""); a.body != "two" {
		t.Errorf("%q is current", a.body)
	}
	r.must("DELETE", "/vvv/k?versionId="+two, "").headers(t, "X-Amz-Delete-Marker", "", "X-Amz-Version-Id", two)
	r.must("PUT", "/vvv?versioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>")
	r.must("PUT", "/vvv/k", "again").headers(t, "X-Amz-Version-Id", "")
	r.must("GET", "/vvv/k", "").headers(t, "X-Amz-Version-Id", "null")
	r.must("DELETE", "/vvv/k", "").headers(t, "X-Amz-Delete-Marker", "true", "X-Amz-Version-Id", "null")
}

func TestCopies(t *testing.T) {
	r := newRig(t)
	r.versioned("from")
	r.bucket("into")
	r.must("PUT", "/from/a%20b", "bytes", "Content-Type", "text/plain", "X-Amz-Meta-A", "1", "X-Amz-Tagging", "t=1", "X-Amz-Storage-Class", "STANDARD_IA")
	source := r.must("HEAD", "/from/a%20b", "").header
	a := r.must("PUT", "/into/k", "", "X-Amz-Copy-Source", "from/a%20b")
	a.contains(t, "<CopyObjectResult ", "<ETag>&quot;"+strings.Trim(source.Get("Etag"), `"`), "<LastModified>2030-05-06T07:08:09.000Z</LastModified>", "<ChecksumCRC64NVME>")
	a.headers(t, "X-Amz-Copy-Source-Version-Id", source.Get("X-Amz-Version-Id"), "X-Amz-Version-Id", "")
	got := r.must("GET", "/into/k", "")
	got.headers(t, "Content-Type", "text/plain", "X-Amz-Meta-A", "1", "X-Amz-Tagging-Count", "1", "X-Amz-Storage-Class", "")
	if got.body != "bytes" {
		t.Errorf("%q", got.body)
	}
	r.must("PUT", "/into/k", "", "X-Amz-Copy-Source", "/from/a%20b?versionId="+source.Get("X-Amz-Version-Id"), "X-Amz-Metadata-Directive", "REPLACE", "X-Amz-Meta-B", "2",
		"X-Amz-Tagging-Directive", "REPLACE", "X-Amz-Checksum-Algorithm", "SHA256", "X-Amz-Storage-Class", "GLACIER").contains(t, "<ChecksumSHA256>")
	r.must("GET", "/into/k", "").headers(t, "Content-Type", "binary/octet-stream", "X-Amz-Meta-A", "", "X-Amz-Meta-B", "2", "X-Amz-Tagging-Count", "", "X-Amz-Storage-Class", "GLACIER")

	r.refused(400, "InvalidRequest", "PUT", "/into/k", "", "X-Amz-Copy-Source", "/into/k")
	r.must("PUT", "/into/k", "", "X-Amz-Copy-Source", "/into/k", "X-Amz-Metadata-Directive", "REPLACE")
	for _, value := range []string{"", "/", "from", "from/", "/F/k", "from/k?versionId=", "from/k?x=1", "from/k?versionId=a&b=c", "from/%zz"} {
		r.refused(400, "InvalidArgument", "PUT", "/into/k", "", "X-Amz-Copy-Source", value)
	}
	r.refused(404, "NoSuchBucket", "PUT", "/into/k", "", "X-Amz-Copy-Source", "nothing/k")
	r.refused(404, "NoSuchKey", "PUT", "/into/k", "", "X-Amz-Copy-Source", "from/none")
	r.refused(400, "InvalidArgument", "PUT", "/into/k", "", "X-Amz-Copy-Source", "from/a%20b", "X-Amz-Metadata-Directive", "MERGE")
	r.refused(400, "InvalidArgument", "PUT", "/into/k", "", "X-Amz-Copy-Source", "from/a%20b", "X-Amz-Tagging-Directive", "MERGE")
	r.refused(400, "InvalidRequest", "PUT", "/into/k", "", "X-Amz-Copy-Source", "from/a%20b", "X-Amz-Checksum-Algorithm", "MD4")
	r.refused(501, "NotImplemented", "PUT", "/into/k", "", "X-Amz-Copy-Source", "from/a%20b", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Algorithm", "AES256")
}

func TestConditionsOnTheSourceOfACopy(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	etag := r.must("PUT", "/things/k", "x").header.Get("Etag")
	const before, after = "Mon, 06 May 2030 07:08:08 GMT", "Mon, 06 May 2030 07:08:10 GMT"
	for _, c := range []struct {
		header []string
		status int
	}{
		{[]string{"If-Match", etag}, 200}, {[]string{"If-Match", `"x"`}, 412}, {[]string{"If-None-Match", etag}, 412}, {[]string{"If-None-Match", `"x"`}, 200},
		{[]string{"If-Modified-Since", before}, 200}, {[]string{"If-Modified-Since", after}, 412}, {[]string{"If-Unmodified-Since", before}, 412},
		{[]string{"If-Unmodified-Since", after}, 200}, {[]string{"If-Match", etag, "If-Unmodified-Since", before}, 200},
		{[]string{"If-None-Match", etag, "If-Modified-Since", before}, 412},
	} {
		header := []string{"X-Amz-Copy-Source", "things/k"}
		for i := 0; i < len(c.header); i += 2 {
			header = append(header, "X-Amz-Copy-Source-"+c.header[i], c.header[i+1])
		}
		a := r.do("PUT", "/things/copy", "", header...)
		if a.status != c.status {
			t.Errorf("%v: %d %s", c.header, a.status, a.body)
		}
		if a.status == 412 {
			a.contains(t, "<Condition>x-amz-copy-source-If-")
		}
	}
}

func digest(body string) string {
	sum := md5.Sum([]byte(body))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestBatchesOfDeletes(t *testing.T) {
	r := newRig(t)
	r.versioned("vvv")
	var versions []string
	for _, k := range []string{"a", "b", "c", "d<>"} {
		versions = append(versions, r.must("PUT", "/vvv/"+k, k).header.Get("X-Amz-Version-Id"))
	}
	body := `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>` + versions[1] +
		`</VersionId></Object><Object><Key>c</Key><ETag>"no"</ETag></Object><Object><Key>none</Key></Object><Object><Key>d&lt;&gt;</Key><Size>3</Size><LastModifiedTime>2030-05-06T07:08:09Z</LastModifiedTime></Object></Delete>`
	r.refused(400, "InvalidRequest", "POST", "/vvv?delete", body)
	r.refused(400, "BadDigest", "POST", "/vvv?delete", body, "Content-Md5", digest("x"))
	if a := r.must("GET", "/vvv/a", ""); a.body != "a" {
		t.Error("a wrong digest deleted a")
	}
	a := r.must("POST", "/vvv?delete", body, "Content-Md5", digest(body))
	a.contains(t, "<Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker><DeleteMarkerVersionId>", "<Deleted><Key>b</Key><VersionId>"+versions[1]+"</VersionId></Deleted>",
		"<Error><Key>c</Key><Code>PreconditionFailed</Code><Message>", "<Deleted><Key>none</Key><DeleteMarker>true</DeleteMarker>", "<Deleted><Key>d&lt;&gt;</Key><DeleteMarker>")
	if a := r.must("GET", "/vvv/c", ""); a.body != "c" {
		t.Error("a condition that fails deleted c")
	}
	quiet := `<Delete><Quiet>true</Quiet><Object><Key>c</Key></Object><Object><Key>c</Key><VersionId>x</VersionId></Object></Delete>`
	a = r.must("POST", "/vvv?delete", quiet, "Content-Md5", digest(quiet))
	a.contains(t, "<Error><Key>c</Key><VersionId>x</VersionId>")
	if strings.Contains(a.body, "<Deleted>") {
		t.Error(a.body)
	}
	var many strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&many, "<Object><Key>%d</Key></Object>", i)
	}
	for _, bad := range []string{
		"<Delete></Delete>", "<Delete><Object></Object></Delete>", "<Delete><Object><Key></Key></Object></Delete>", "<Delete><Object><Key>a</Key><Colour/></Object></Delete>",
		"<Delete><Other/></Delete>", "<Remove/>", "<Delete>" + many.String() + "</Delete>", "no xml", `<!DOCTYPE a [<!ENTITY b "c">]><Delete><Object><Key>&b;</Key></Object></Delete>`,
		"<Delete><Object><Key>&b;</Key></Object></Delete>", "<Delete><Object><Key>a</Key></Object></Delete><Delete/>", "<Delete><Object><Key>a</Key></Object>",
	} {
		r.refused(400, "MalformedXML", "POST", "/vvv?delete", bad, "Content-Md5", digest(bad))
	}
	twice := "<Delete><Object><Key>x</Key></Object><Object><Key>x</Key></Object></Delete>"
	if a := r.must("POST", "/vvv?delete", twice, "Content-Md5", digest(twice)); strings.Count(a.body, "<Deleted>") != 2 {
		t.Error(a.body)
	}
	big := "<Delete>" + strings.Repeat(" ", 2<<20) + "<Object><Key>c</Key></Object></Delete>"
	r.refused(400, "MalformedXML", "POST", "/vvv?delete", big, "Content-Md5", digest(big))
}

func TestTheSDKDeletesInBatches(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.must("PUT", "/things/k", "x")
	out, err := r.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("things"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("k"), LastModifiedTime: aws.Time(start), Size: aws.Int64(1)}, {Key: aws.String("none")}}}})
	if err != nil || len(out.Errors) != 0 || len(out.Deleted) != 2 || out.Deleted[0].DeleteMarker != nil {
		t.Errorf("%+v, %v", out, err)
	}
	r.refused(404, "NoSuchKey", "GET", "/things/k", "")
}

func TestTagsOfObjects(t *testing.T) {
	r := newRig(t)
	r.versioned("vvv")
	id := r.must("PUT", "/vvv/k", "x", "X-Amz-Tagging", "a=1&b=%C3%A4+%2B").header.Get("X-Amz-Version-Id")
	a := r.must("GET", "/vvv/k?tagging", "")
	a.contains(t, "<Tagging ", "<Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>ä +</Value></Tag>")
	a.headers(t, "X-Amz-Version-Id", id)
	r.must("PUT", "/vvv/k?tagging", "<Tagging><TagSet><Tag><Key>c</Key><Value></Value></Tag></TagSet></Tagging>").headers(t, "X-Amz-Version-Id", id)
	r.must("GET", "/vvv/k?tagging&versionId="+id, "").contains(t, "<TagSet><Tag><Key>c</Key><Value></Value></Tag></TagSet>")
	if a := r.must("DELETE", "/vvv/k?tagging", ""); a.status != 204 {
		t.Error(a.status)
	}
	r.must("GET", "/vvv/k?tagging", "").contains(t, "<TagSet></TagSet>")
	if a := r.must("GET", "/vvv/k", ""); a.body != "x" {
		t.Error("DELETE of the tags deleted the object")
	}
	var eleven strings.Builder
	for i := range 11 {
		fmt.Fprintf(&eleven, "<Tag><Key>%d</Key><Value/></Tag>", i)
	}
	for body, code := range map[string]string{
		"<Tagging><TagSet>" + eleven.String() + "</TagSet></Tagging>": "BadRequest",
		"<Tagging/>": "MalformedXML", "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>": "MalformedXML",
		"<Tagging><TagSet><Tag><Key>a</Key><Value/><Color/></Tag></TagSet></Tagging>":                        "MalformedXML",
		"<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag><Tag><Key>a</Key><Value/></Tag></TagSet></Tagging>": "InvalidTag",
		"<Tagging><TagSet><Tag><Key></Key><Value/></Tag></TagSet></Tagging>":                                 "InvalidTag",
		"<Tagging><TagSet><Tag><Key>" + strings.Repeat("ä", 129) + "</Key><Value/></Tag></TagSet></Tagging>": "InvalidTag",
		"<Tagging><TagSet><Tag><Key>a</Key><Value>a*b</Value></Tag></TagSet></Tagging>":                      "InvalidTag",
	} {
		r.refused(400, code, "PUT", "/vvv/k?tagging", body)
	}
	r.must("PUT", "/vvv/k?tagging", "<Tagging><TagSet><Tag><Key>"+strings.Repeat("ä", 128)+"</Key><Value>"+strings.Repeat("ä", 256)+"</Value></Tag></TagSet></Tagging>")
	r.refused(404, "NoSuchKey", "PUT", "/vvv/none?tagging", "<Tagging><TagSet></TagSet></Tagging>")
}

func TestObjectLock(t *testing.T) {
	r := newRig(t)
	r.must("PUT", "/locked", "", "X-Amz-Bucket-Object-Lock-Enabled", "true")
	r.must("GET", "/locked?object-lock", "").contains(t, "<ObjectLockConfiguration ", "<ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>")
	r.must("GET", "/locked?versioning", "").contains(t, "<Status>Enabled</Status>")
	until := "2030-05-07T07:08:09.000Z"
	id := r.must("PUT", "/locked/k", "x", "X-Amz-Object-Lock-Mode", "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date", until, "X-Amz-Object-Lock-Legal-Hold", "ON").header.Get("X-Amz-Version-Id")
	r.must("HEAD", "/locked/k", "").headers(t, "X-Amz-Object-Lock-Mode", "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date", until, "X-Amz-Object-Lock-Legal-Hold", "ON")
	r.must("GET", "/locked/k?retention", "").contains(t, "<Retention ", "<Mode>GOVERNANCE</Mode><RetainUntilDate>"+until+"</RetainUntilDate>")
	r.must("GET", "/locked/k?legal-hold", "").contains(t, "<LegalHold ", "<Status>ON</Status>")
	r.refused(403, "AccessDenied", "DELETE", "/locked/k?versionId="+id, "", "X-Amz-Bypass-Governance-Retention", "true")
	r.must("PUT", "/locked/k?legal-hold", "<LegalHold><Status>OFF</Status></LegalHold>")
	r.must("GET", "/locked/k?legal-hold&versionId=", "").contains(t, "<Status>OFF</Status>")
	r.must("HEAD", "/locked/k", "").headers(t, "X-Amz-Object-Lock-Legal-Hold", "OFF")
	r.refused(403, "AccessDenied", "DELETE", "/locked/k?versionId="+id, "")
	r.refused(403, "AccessDenied", "PUT", "/locked/k?retention", "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-05-06T08:00:00Z</RetainUntilDate></Retention>")
	stricter := "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2030-05-08T00:00:00Z</RetainUntilDate></Retention>"
	r.refused(403, "AccessDenied", "PUT", "/locked/k?retention", stricter) // nobody could undo it
	r.must("PUT", "/locked/k?retention", stricter, "X-Amz-Bypass-Governance-Retention", "true")
	r.refused(403, "AccessDenied", "DELETE", "/locked/k?versionId="+id, "", "X-Amz-Bypass-Governance-Retention", "true")
	for body, code := range map[string]string{
		"<Retention><Mode>SOME</Mode><RetainUntilDate>2031-05-08T00:00:00Z</RetainUntilDate></Retention>":       "MalformedXML",
		"<Retention><Mode>COMPLIANCE</Mode></Retention>":                                                        "MalformedXML",
		"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>soon</RetainUntilDate></Retention>":                 "InvalidArgument",
		"<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2029-05-08T00:00:00Z</RetainUntilDate></Retention>": "InvalidArgument",
	} {
		r.refused(400, code, "PUT", "/locked/k?retention", body)
	}
	r.refused(400, "MalformedXML", "PUT", "/locked/k?legal-hold", "")
	r.refused(400, "MissingRequestBodyError", "PUT", "/locked?object-lock", "")
	r.refused(404, "NoSuchBucket", "PUT", "/other?object-lock", "")
	r.refused(404, "NoSuchBucket", "PUT", "/other/k?retention", "")
	r.refused(404, "NoSuchKey", "GET", "/locked/none?retention", "")
	r.refused(400, "MalformedXML", "PUT", "/locked/k?legal-hold", "<LegalHold><Status>MAYBE</Status></LegalHold>")
	r.refused(400, "InvalidArgument", "PUT", "/locked/x", "", "X-Amz-Object-Lock-Mode", "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date", "2029-01-01T00:00:00Z")
	r.refused(400, "InvalidArgument", "PUT", "/locked/x", "", "X-Amz-Object-Lock-Mode", "SOME", "X-Amz-Object-Lock-Retain-Until-Date", until)
	r.later(72 * time.Hour)
	r.must("DELETE", "/locked/k?versionId="+id, "")

	r.must("PUT", "/locked?object-lock", "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>3</Days></DefaultRetention></Rule></ObjectLockConfiguration>")
	r.must("GET", "/locked?object-lock", "").contains(t, "<Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>3</Days></DefaultRetention></Rule>")
	r.must("PUT", "/locked/d", "x")
	r.refused(404, "NoSuchObjectLockConfiguration", "GET", "/locked/d?legal-hold", "")
	r.must("HEAD", "/locked/d", "").headers(t, "X-Amz-Object-Lock-Mode", "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date", "2030-05-12T07:08:09.000Z")
	for body, code := range map[string]string{
		"<ObjectLockConfiguration/>": "MalformedXML",
		"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode></DefaultRetention></Rule></ObjectLockConfiguration>":                               "MalformedXML",
		"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years></DefaultRetention></Rule></ObjectLockConfiguration>": "MalformedXML",
		"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>0</Days></DefaultRetention></Rule></ObjectLockConfiguration>":                 "InvalidArgument",
		"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Years>101</Years></DefaultRetention></Rule></ObjectLockConfiguration>":             "InvalidArgument",
		"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention><Other/></Rule></ObjectLockConfiguration>":         "MalformedXML",
	} {
		r.refused(400, code, "PUT", "/locked?object-lock", body)
	}
	r.refused(409, "InvalidBucketState", "PUT", "/locked?versioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>")
	r.bucket("unlocked")
	r.must("PUT", "/unlocked/k", "x")
	r.refused(404, "ObjectLockConfigurationNotFoundError", "GET", "/unlocked?object-lock", "")
	r.refused(400, "InvalidRequest", "GET", "/unlocked/k?retention", "")
	r.refused(400, "InvalidRequest", "PUT", "/unlocked/k?legal-hold", "<LegalHold><Status>ON</Status></LegalHold>")
	r.refused(409, "InvalidBucketState", "PUT", "/unlocked?object-lock", "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>")
	r.must("PUT", "/locked/free", "x", "X-Amz-Object-Lock-Mode", "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date", "2031-01-01T00:00:00Z")
	r.must("PUT", "/locked/free?retention", "<Retention/>", "X-Amz-Bypass-Governance-Retention", "true")
	r.refused(404, "NoSuchObjectLockConfiguration", "GET", "/locked/free?retention", "")
	_, err := r.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{Bucket: aws.String("locked"), Key: aws.String("free")})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "NoSuchObjectLockConfiguration" {
		t.Error(err)
	}
}
