package wire_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func (r *rig) put(bucket string, keys ...string) {
	r.t.Helper()
	for _, k := range keys {
		r.must("PUT", "/"+bucket+"/"+url.PathEscape(k), "x")
	}
}

// texts returns the content of every element with this name.
func (a reply) texts(element string) []string {
	var all []string
	for _, m := range regexp.MustCompile("<"+element+">([^<]*)</"+element+">").FindAllStringSubmatch(a.body, -1) {
		all = append(all, m[1])
	}
	return all
}

func (a reply) text(element string) string { return strings.Join(a.texts(element), "|") }

func TestListObjects(t *testing.T) {
	r := newRig(t)
	r.bucket("list")
	r.put("list", "a", "b/1", "b/2", "c//d", "z z")
	a := r.must("GET", "/list", "")
	a.contains(t, `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>list</Name><Marker></Marker><MaxKeys>1000</MaxKeys><Prefix></Prefix><IsTruncated>false</IsTruncated>`,
		"<Contents><Key>a</Key><LastModified>2030-05-06T07:08:09.000Z</LastModified><ETag>&quot;9dd4e461268c8034f5c8564e155c67a6&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"+
			"<ChecksumType>FULL_OBJECT</ChecksumType><Size>1</Size><Owner><ID>s3gateway</ID></Owner><StorageClass>STANDARD</StorageClass></Contents>")
	if got := a.text("Key"); got != "a|b/1|b/2|c//d|z z" {
		t.Error(got)
	}
	a = r.must("GET", "/list?delimiter=/&max-keys=2", "")
	a.contains(t, "<NextMarker>b/</NextMarker>", "<IsTruncated>true</IsTruncated>", "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>", "<Delimiter>/</Delimiter>")
	a = r.must("GET", "/list?delimiter=/&max-keys=2&marker=b/", "")
	a.contains(t, "<Marker>b/</Marker>", "<CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>", "<Key>z z</Key>", "<IsTruncated>false</IsTruncated>")
	r.must("GET", "/list?max-keys=2", "").contains(t, "<NextMarker>b/1</NextMarker>", "<IsTruncated>true</IsTruncated>")
	a = r.must("GET", "/list?prefix=c&delimiter=//", "")
	a.contains(t, "<CommonPrefixes><Prefix>c//</Prefix></CommonPrefixes>", "<Prefix>c</Prefix>")
	for _, c := range []struct{ query, code string }{
		{"max-keys=x", "InvalidArgument"}, {"max-keys=-1", "InvalidArgument"}, {"max-keys=99999999999", "InvalidArgument"},
		{"encoding-type=xyz", "InvalidArgument"}, {"list-type=3", "InvalidArgument"},
		{"list-type=2&continuation-token=", "InvalidArgument"}, {"list-type=2&continuation-token=x", "InvalidArgument"},
		{"versions&version-id-marker=x", "InvalidArgument"}, {"versions&key-marker=a&version-id-marker=x", "InvalidArgument"},
	} {
		r.refused(400, c.code, "GET", "/list?"+c.query, "")
	}
	a = r.must("GET", "/list?max-keys=0", "")
	a.contains(t, "<MaxKeys>0</MaxKeys>", "<IsTruncated>false</IsTruncated>")
	if len(a.texts("Key")) != 0 {
		t.Error(a.body)
	}
	r.must("GET", "/list?max-keys=5000", "").contains(t, "<MaxKeys>1000</MaxKeys>")
	r.must("GET", "/list?max-keys=", "", "X-Amz-Optional-Object-Attributes", "RestoreStatus").contains(t, "<MaxKeys>1000</MaxKeys>")
	r.refused(404, "NoSuchBucket", "GET", "/other", "")
	r.refused(400, "InvalidBucketName", "GET", "/Other", "")
}

func TestNamesInListings(t *testing.T) {
	r := newRig(t)
	r.bucket("list")
	keys := []string{"\x01\x1f", "\r\n\t", "+", "100%", "<&>\"'", "a b", "ä", "\uffff"}
	for _, k := range keys {
		if _, err := r.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("list"), Key: &k}); err != nil {
			t.Fatal(err)
		}
	}
	a := r.must("GET", "/list?list-type=2&encoding-type=url&delimiter=+&prefix=", "")
	a.contains(t, "<EncodingType>url</EncodingType>", "<Delimiter>+</Delimiter>", "<Key>100%25</Key>", "<Key>%01%1F</Key>", "<Key>%2B</Key>", "<Prefix>a+</Prefix>", "<Key>%C3%A4</Key>")
	a = r.must("GET", "/list?list-type=2", "")
	a.contains(t, "<Key>&#x1;&#x1f;</Key>", "<Key>&#xd;&#xa;&#x9;</Key>", "<Key>&lt;&amp;&gt;&quot;&#x27;</Key>", "<Key>&#xffff;</Key>")
	if strings.Contains(a.body, "EncodingType") {
		t.Error(a.body)
	}
	// Documents about one key are read by parsers that refuse such a reference.
	up, err := r.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String("list"), Key: aws.String("a\x02")})
	if err != nil || *up.Key != "a\ufffd" {
		t.Error(up, err)
	}
	if parts, err := r.ListParts(t.Context(), &s3.ListPartsInput{Bucket: aws.String("list"), Key: aws.String("a\x02"), UploadId: up.UploadId}); err != nil || *parts.Key != "a\ufffd" {
		t.Error(parts, err)
	}
	r.must("GET", "/list?uploads", "").contains(t, "<Key>a&#x2;</Key>")
	r.refused(404, "NoSuchKey", "GET", "/list/%02", "").contains(t, "<Key>\ufffd</Key>")
	out, err := r.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("list"), EncodingType: types.EncodingTypeUrl})
	if err != nil || len(out.Contents) != len(keys) {
		t.Fatal(out, err)
	}
	for _, o := range out.Contents {
		if k, err := url.QueryUnescape(*o.Key); err != nil || !slices.Contains(keys, k) {
			t.Errorf("%q, %v", *o.Key, err)
		}
	}
}

func TestListObjectsV2PagesExactly(t *testing.T) {
	r := newRig(t)
	r.bucket("list")
	var keys []string
	for i := range 7 {
		keys = append(keys, fmt.Sprintf("d%d/x", i), fmt.Sprintf("d%d/y", i), fmt.Sprintf("f%d", i))
	}
	r.put("list", keys...)
	slices.Sort(keys)
	for size := 1; size < 10; size++ {
		var got, prefixes []string
		pages := s3.NewListObjectsV2Paginator(r, &s3.ListObjectsV2Input{Bucket: aws.String("list"), MaxKeys: aws.Int32(int32(size))})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil || len(page.Contents) > size || int(*page.KeyCount) != len(page.Contents) {
				t.Fatal(page, err)
			}
			for _, o := range page.Contents {
				got = append(got, *o.Key)
			}
		}
		if !slices.Equal(got, keys) {
			t.Errorf("in pages of %d: %v", size, got)
		}
		pages = s3.NewListObjectsV2Paginator(r, &s3.ListObjectsV2Input{Bucket: aws.String("list"), MaxKeys: aws.Int32(int32(size)), Delimiter: aws.String("/"), StartAfter: aws.String("d1/x")})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.CommonPrefixes {
				prefixes = append(prefixes, *p.Prefix)
			}
		}
		if want := []string{"d1/", "d2/", "d3/", "d4/", "d5/", "d6/"}; !slices.Equal(prefixes, want) {
			t.Errorf("in pages of %d: %v", size, prefixes)
		}
	}
	a := r.must("GET", "/list?list-type=2&start-after=f5", "")
	a.contains(t, "<StartAfter>f5</StartAfter>", "<KeyCount>1</KeyCount>")
	if strings.Contains(a.body, "Owner") {
		t.Error(a.body)
	}
	r.must("GET", "/list?list-type=2&fetch-owner=true&start-after=f5", "").contains(t, "<Owner><ID>s3gateway</ID></Owner>")
}

func TestListObjectVersions(t *testing.T) {
	r := newRig(t)
	r.bucket("list")
	r.put("list", "a")
	r.must("PUT", "/list?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	r.later(time.Second)
	id := r.must("PUT", "/list/a", "yy").header.Get("X-Amz-Version-Id")
	marker := r.must("DELETE", "/list/a", "").header.Get("X-Amz-Version-Id")
	r.put("list", "b/1", "b/2")
	a := r.must("GET", "/list?versions", "")
	a.contains(t, "<ListVersionsResult ", "<KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker>",
		"<DeleteMarker><Key>a</Key><VersionId>"+marker+"</VersionId><IsLatest>true</IsLatest>",
		"<Version><Key>a</Key><VersionId>"+id+"</VersionId><IsLatest>false</IsLatest>", "<Size>2</Size>",
		"<Version><Key>a</Key><VersionId>null</VersionId><IsLatest>false</IsLatest><LastModified>2030-05-06T07:08:09.000Z</LastModified>")
	if strings.Index(a.body, marker) > strings.Index(a.body, id) {
		t.Error("the newest is not first")
	}
	var got []string
	in := &s3.ListObjectVersionsInput{Bucket: aws.String("list"), MaxKeys: aws.Int32(1), Delimiter: aws.String("/")}
	for {
		page, err := r.ListObjectVersions(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			got = append(got, *v.Key+" "+*v.VersionId)
		}
		for _, v := range page.DeleteMarkers {
			got = append(got, *v.Key+" "+*v.VersionId)
		}
		for _, v := range page.CommonPrefixes {
			got = append(got, *v.Prefix)
		}
		if !*page.IsTruncated || len(got) > 9 {
			break
		}
		in.KeyMarker, in.VersionIdMarker = page.NextKeyMarker, page.NextVersionIdMarker
	}
	if want := []string{"a " + marker, "a " + id, "a null", "b/"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestListBuckets(t *testing.T) {
	r := newRig(t)
	for _, b := range []string{"bbb", "aaa-1", "aaa-2"} {
		r.bucket(b)
	}
	a := r.must("GET", "/", "")
	a.contains(t, "<ListAllMyBucketsResult ", "<Owner><ID>s3gateway</ID></Owner>", "<Bucket><Name>bbb</Name><CreationDate>2030-05-06T07:08:09.000Z</CreationDate>")
	if a.text("Name") != "aaa-1|aaa-2|bbb" {
		t.Error(a.body)
	}
	a = r.must("GET", "/?prefix=aaa&max-buckets=1", "")
	token := a.text("ContinuationToken")
	if a.text("Name") != "aaa-1" || token != "YWFhLTE=" {
		t.Error(a.body)
	}
	a = r.must("GET", "/?prefix=aaa&max-buckets=1&continuation-token="+url.QueryEscape(token), "")
	if a.text("Name") != "aaa-2" || a.text("ContinuationToken") != "" {
		t.Error(a.body)
	}
	if a = r.must("GET", "/?bucket-region=eu-west-1", ""); a.text("Name") != "" {
		t.Error(a.body)
	}
	for _, n := range []string{"0", "10001", "x"} {
		r.refused(400, "InvalidArgument", "GET", "/?max-buckets="+n, "")
	}
	out, err := r.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil || len(out.Buckets) != 3 || !out.Buckets[0].CreationDate.Equal(start) {
		t.Error(out, err)
	}
}
