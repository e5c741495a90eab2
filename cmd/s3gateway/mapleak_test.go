package main

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/proxy"
)

// mappedRow is the request of an operation. KEY stands for a key, UPLOAD for an
// unfinished upload of it, ETAG for that of its one part.
type mappedRow struct {
	first               string // the operation that comes before it
	body, query, header string
	// want are the status of MinIO, that of the embedded store, and that of either
	// where the bucket has a prefix; 0 there is the same as without one.
	want [3]int
}

// mapped has a row for each operation of the table that names a bucket.
var mapped = map[string]mappedRow{
	"GetObject":                                   {want: [3]int{200, 200, 0}},
	"HeadObject":                                  {want: [3]int{200, 200, 0}},
	"PutObject":                                   {body: "body", want: [3]int{200, 200, 0}},
	"CopyObject":                                  {header: "x-amz-copy-source: /BUCKET/KEY\nx-amz-metadata-directive: REPLACE", want: [3]int{200, 200, 0}},
	"DeleteObject":                                {want: [3]int{204, 204, 0}},
	"DeleteObjects":                               {body: "<Delete><Object><Key>KEY</Key></Object><Object><Key>none</Key></Object></Delete>", want: [3]int{200, 200, 0}},
	"GetObjectAttributes":                         {header: "x-amz-object-attributes: ETag,ObjectSize,ObjectParts", want: [3]int{200, 200, 0}},
	"RestoreObject":                               {body: "<RestoreRequest><Days>1</Days><GlacierJobParameters><Tier>Standard</Tier></GlacierJobParameters></RestoreRequest>", want: [3]int{403, 501, 0}},
	"SelectObjectContent":                         {body: "<SelectObjectContentRequest><Expression>select * from S3Object</Expression><ExpressionType>SQL</ExpressionType><InputSerialization><CSV></CSV></InputSerialization><OutputSerialization><CSV></CSV></OutputSerialization></SelectObjectContentRequest>", want: [3]int{400, 405, 0}},
	"CreateMultipartUpload":                       {want: [3]int{200, 200, 0}},
	"UploadPart":                                  {body: "body", want: [3]int{200, 200, 0}},
	"UploadPartCopy":                              {header: "x-amz-copy-source: /BUCKET/KEY", want: [3]int{200, 200, 0}},
	"CompleteMultipartUpload":                     {body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>ETAG</ETag></Part></CompleteMultipartUpload>", want: [3]int{200, 200, 0}},
	"AbortMultipartUpload":                        {want: [3]int{204, 204, 0}},
	"ListParts":                                   {want: [3]int{200, 200, 0}},
	"ListMultipartUploads":                        {query: "prefix=KEY&max-uploads=1&encoding-type=url", want: [3]int{200, 200, 0}},
	"CreateBucket":                                {want: [3]int{409, 409, 0}},
	"HeadBucket":                                  {want: [3]int{200, 200, 0}},
	"ListObjects":                                 {query: "delimiter=/&prefix=dir/&marker=dir/0&max-keys=1", want: [3]int{200, 200, 0}},
	"ListObjectsV2":                               {query: "delimiter=/&prefix=dir/&start-after=dir/0&max-keys=1&encoding-type=url", want: [3]int{200, 200, 0}},
	"ListObjectVersions":                          {query: "prefix=dir/&key-marker=dir/0&max-keys=1&encoding-type=url", want: [3]int{200, 200, 0}},
	"GetBucketLocation":                           {want: [3]int{200, 200, 0}},
	"GetObjectTagging":                            {first: "PutObjectTagging", want: [3]int{200, 200, 0}},
	"PutObjectTagging":                            {body: "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>", want: [3]int{200, 200, 0}},
	"DeleteObjectTagging":                         {want: [3]int{204, 204, 0}},
	"GetObjectAcl":                                {want: [3]int{200, 501, 0}},
	"PutObjectAcl":                                {body: `<AccessControlPolicy><Owner><ID></ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID></ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`, want: [3]int{200, 501, 0}},
	"GetObjectRetention":                          {first: "PutObjectRetention", want: [3]int{400, 400, 0}},
	"PutObjectRetention":                          {body: "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>", want: [3]int{400, 400, 0}},
	"GetObjectLegalHold":                          {first: "PutObjectLegalHold", want: [3]int{400, 400, 0}},
	"PutObjectLegalHold":                          {body: "<LegalHold><Status>OFF</Status></LegalHold>", want: [3]int{400, 400, 0}},
	"GetBucketAccelerateConfiguration":            {want: [3]int{200, 501, 501}},
	"PutBucketAccelerateConfiguration":            {body: "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>", want: [3]int{400, 501, 501}},
	"GetBucketAcl":                                {want: [3]int{200, 200, 501}},
	"PutBucketAcl":                                {body: `<AccessControlPolicy><Owner><ID></ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID></ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`, want: [3]int{200, 400, 501}},
	"ListBucketAnalyticsConfigurations":           {want: [3]int{501, 501, 0}},
	"GetBucketAnalyticsConfiguration":             {want: [3]int{501, 501, 0}},
	"PutBucketAnalyticsConfiguration":             {body: "<AnalyticsConfiguration><Id>x</Id><StorageClassAnalysis></StorageClassAnalysis></AnalyticsConfiguration>", want: [3]int{501, 501, 0}},
	"DeleteBucketAnalyticsConfiguration":          {want: [3]int{501, 501, 0}},
	"GetBucketCors":                               {first: "PutBucketCors", want: [3]int{404, 200, 501}},
	"PutBucketCors":                               {body: "<CORSConfiguration><CORSRule><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>", want: [3]int{501, 200, 501}},
	"DeleteBucketCors":                            {want: [3]int{501, 204, 501}},
	"GetBucketEncryption":                         {first: "PutBucketEncryption", want: [3]int{404, 501, 501}},
	"PutBucketEncryption":                         {body: "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>", want: [3]int{501, 501, 0}},
	"DeleteBucketEncryption":                      {want: [3]int{204, 501, 501}},
	"ListBucketIntelligentTieringConfigurations":  {want: [3]int{501, 501, 0}},
	"GetBucketIntelligentTieringConfiguration":    {want: [3]int{501, 501, 0}},
	"PutBucketIntelligentTieringConfiguration":    {body: "<IntelligentTieringConfiguration><Id>x</Id><Status>Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering></IntelligentTieringConfiguration>", want: [3]int{400, 501, 501}},
	"DeleteBucketIntelligentTieringConfiguration": {want: [3]int{501, 501, 0}},
	"ListBucketInventoryConfigurations":           {want: [3]int{501, 501, 0}},
	"GetBucketInventoryConfiguration":             {want: [3]int{501, 501, 0}},
	"PutBucketInventoryConfiguration":             {body: "<InventoryConfiguration><Id>x</Id><IsEnabled>true</IsEnabled><IncludedObjectVersions>All</IncludedObjectVersions><Schedule><Frequency>Daily</Frequency></Schedule><Destination><S3BucketDestination><Bucket>arn:aws:s3:::BUCKET</Bucket><Format>CSV</Format></S3BucketDestination></Destination></InventoryConfiguration>", want: [3]int{501, 501, 0}},
	"DeleteBucketInventoryConfiguration":          {want: [3]int{501, 501, 0}},
	"GetBucketLifecycleConfiguration":             {first: "PutBucketLifecycleConfiguration", want: [3]int{200, 501, 501}},
	"PutBucketLifecycleConfiguration":             {body: "<LifecycleConfiguration><Rule><ID>x</ID><Status>Enabled</Status><Filter><Prefix>dir/</Prefix></Filter><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>", want: [3]int{200, 501, 501}},
	"DeleteBucketLifecycleConfiguration":          {want: [3]int{204, 501, 501}},
	"GetBucketLogging":                            {want: [3]int{501, 501, 0}},
	"PutBucketLogging":                            {body: "<BucketLoggingStatus><LoggingEnabled><TargetBucket>BUCKET</TargetBucket><TargetPrefix>log/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>", want: [3]int{501, 501, 0}},
	"ListBucketMetricsConfigurations":             {want: [3]int{501, 501, 0}},
	"GetBucketMetricsConfiguration":               {want: [3]int{501, 501, 0}},
	"PutBucketMetricsConfiguration":               {body: "<MetricsConfiguration><Id>x</Id></MetricsConfiguration>", want: [3]int{400, 501, 501}},
	"DeleteBucketMetricsConfiguration":            {want: [3]int{501, 501, 0}},
	"GetBucketNotificationConfiguration":          {first: "PutBucketNotificationConfiguration", want: [3]int{200, 501, 501}},
	"PutBucketNotificationConfiguration":          {body: "<NotificationConfiguration></NotificationConfiguration>", want: [3]int{200, 501, 501}},
	"GetObjectLockConfiguration":                  {want: [3]int{404, 404, 501}},
	"PutObjectLockConfiguration":                  {body: "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>", want: [3]int{409, 409, 501}},
	"GetBucketOwnershipControls":                  {first: "PutBucketOwnershipControls", want: [3]int{501, 200, 501}},
	"PutBucketOwnershipControls":                  {body: "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>", want: [3]int{400, 200, 501}},
	"DeleteBucketOwnershipControls":               {want: [3]int{501, 204, 501}},
	"GetBucketPolicy":                             {want: [3]int{501, 501, 0}},
	"PutBucketPolicy":                             {body: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::BUCKET/dir/*"]}]}`, want: [3]int{501, 501, 0}},
	"DeleteBucketPolicy":                          {want: [3]int{204, 204, 501}},
	"GetBucketPolicyStatus":                       {first: "PutBucketPolicy", want: [3]int{200, 404, 501}},
	"GetPublicAccessBlock":                        {want: [3]int{501, 501, 0}},
	"PutPublicAccessBlock":                        {body: "<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls></PublicAccessBlockConfiguration>", want: [3]int{400, 501, 501}},
	"DeletePublicAccessBlock":                     {want: [3]int{501, 501, 0}},
	"GetBucketReplication":                        {want: [3]int{501, 501, 0}},
	"PutBucketReplication":                        {body: "<ReplicationConfiguration><Role>arn:aws:iam::1:role/x</Role><Rule><Status>Enabled</Status><Priority>1</Priority><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Filter><Prefix>dir/</Prefix></Filter><Destination><Bucket>arn:aws:s3:::BUCKET</Bucket></Destination></Rule></ReplicationConfiguration>", want: [3]int{501, 501, 0}},
	"DeleteBucketReplication":                     {want: [3]int{404, 501, 501}},
	"GetBucketRequestPayment":                     {want: [3]int{200, 501, 501}},
	"PutBucketRequestPayment":                     {body: "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>", want: [3]int{400, 501, 501}},
	"GetBucketTagging":                            {first: "PutBucketTagging", want: [3]int{200, 200, 501}},
	"PutBucketTagging":                            {body: "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>", want: [3]int{200, 204, 501}},
	"DeleteBucketTagging":                         {want: [3]int{204, 204, 501}},
	"GetBucketVersioning":                         {first: "PutBucketVersioning", want: [3]int{200, 200, 501}},
	"PutBucketVersioning":                         {body: "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>", want: [3]int{200, 200, 501}},
	"GetBucketWebsite":                            {first: "PutBucketWebsite", want: [3]int{404, 200, 501}},
	"PutBucketWebsite":                            {body: "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>", want: [3]int{400, 200, 501}},
	"DeleteBucketWebsite":                         {want: [3]int{200, 204, 501}},
}

// No answer in a mapped bucket, of whichever operation, of what is there and of
// what is not, names the backend's bucket, its prefix or its address.
func TestNoAnswerNamesWhereAMappedBucketIs(t *testing.T) {
	const key = "dir/a b+c%.txt"
	store := testbed.Open(t)
	operations := map[string]proxy.Operation{}
	for _, op := range proxy.NewTable().Operations() {
		operations[op.Name] = op
	}
	for name := range mapped {
		if operations[name].Name == "" {
			t.Errorf("%s is no operation", name)
		}
	}
	for _, where := range []struct{ prefix, backend string }{{"", ""}, {"team-folder/x y/", ""}, {"team-folder/x y/", "far-backend"}} {
		if where.backend != "" && store.Socket != "" {
			continue // the embedded store has no address that a second backend could be
		}
		prefix, target := where.prefix, store.Bucket(t)
		file, row := "", "name: pictures, bucket: "+target
		if prefix != "" {
			row += fmt.Sprintf(", prefix: %q", prefix)
		}
		if where.backend != "" {
			row += ", backend: " + where.backend
			file = fmt.Sprintf("backends: [{name: %s, endpoint_url: %q, region: %s, access_key_id: %s, secret_access_key: %s}]\n",
				where.backend, store.Endpoint, store.Region, store.AccessKeyID, store.SecretAccessKey)
		}
		w := newWorldOn(t, store, target, append(open, yamlFile(t, file+"buckets:\n  - {"+row+"}\n"))...)
		secrets := []string{target, "team-folder", "far-backend", store.Endpoint.Host, "localhost"}
		if store.Socket != "" {
			secrets = append(secrets, store.Socket)
		}
		for _, op := range proxy.NewTable().Operations() {
			if op.Name == "PostObject" || op.Name == "ListBuckets" || op.Name == "DeleteBucket" {
				continue // TestAFormIntoAMappedBucket; the others name no key
			}
			row, ok := mapped[op.Name]
			if !ok {
				t.Errorf("%s has no row in mapped: say with what it is asked, and what is answered", op.Name)
				continue
			}
			for _, there := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, prefix %q, backend %q, there %v", op.Name, prefix, where.backend, there), func(t *testing.T) {
					if row.first != "" && there {
						do(t, w.mappedRequest(operations[row.first], key, there))
					}
					answer := do(t, w.mappedRequest(op, key, there))
					if want := row.status(store.Name, prefix); there && answer.status != want {
						t.Errorf("%d %s, want %d", answer.status, answer.body, want)
					}
					text := string(answer.body)
					for name, values := range answer.header {
						text += "\n" + name + ": " + strings.Join(values, ",")
					}
					plain, err := url.QueryUnescape(strings.ReplaceAll(text, "%.", "%25."))
					if err != nil {
						plain = text
					}
					for _, secret := range secrets {
						if strings.Contains(text, secret) || strings.Contains(plain, secret) {
							t.Errorf("%d names %s:\n%s", answer.status, secret, text)
						}
					}
					if answer.status >= 500 && answer.status != http.StatusNotImplemented {
						t.Errorf("%d %s", answer.status, answer.body)
					}
				})
			}
		}
	}
}

// status is what a store answers in a bucket with that prefix.
func (r mappedRow) status(store, prefix string) int {
	switch {
	case prefix != "" && r.want[2] != 0:
		return r.want[2]
	case store == "minio":
		return r.want[0]
	}
	return r.want[1]
}

func TestAFormIntoAMappedBucket(t *testing.T) {
	store := testbed.Open(t)
	target := store.Bucket(t)
	w := newWorldOn(t, store, target, append(open, yamlFile(t, "buckets:\n  - {name: pictures, bucket: "+target+", prefix: team-folder/}\n"))...)
	w.bucket = "pictures"
	for _, status := range []string{"201", "204"} {
		a := do(t, w.postForm(`,["starts-with","$key",""],["eq","$success_action_status","`+status+`"]`, []byte("hello"),
			map[string]string{"key": "a b/${filename}", "success_action_status": status}, nil))
		text := a.header.Get("Location") + string(a.body)
		if strconv.Itoa(a.status) != status || strings.Contains(text, target) || strings.Contains(text, "team-folder") || !strings.Contains(text, w.url+"/pictures/a%20b/") {
			t.Errorf("%d %s %s", a.status, a.header, a.body)
		}
	}
	w.bucket = target
	if keys := w.keysOf(target); len(keys) != 1 || !strings.HasPrefix(keys[0], "team-folder/a b/") {
		t.Errorf("the store holds %q", keys)
	}
}

// The pages of a mapped bucket follow each other, and the tokens between them
// tell nothing of where it is.
func TestPagesOfAMappedBucket(t *testing.T) {
	store := testbed.Open(t)
	target := store.Bucket(t)
	w := newWorldOn(t, store, target, append(open, yamlFile(t, "buckets:\n  - {name: pictures, bucket: "+target+", prefix: team-folder/}\n"))...)
	bucket := "pictures"
	var want []string
	for i := range 7 {
		key := fmt.Sprintf("d%d/%d é+.txt", i/3, i)
		if _, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
		want = append(want, key)
	}
	var got []string
	pages := s3.NewListObjectsV2Paginator(w.s3(), &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got = append(got, *o.Key)
		}
		for _, token := range []string{aws.ToString(page.NextContinuationToken), aws.ToString(page.ContinuationToken)} {
			plain, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(token, "b."))
			if strings.Contains(token+string(plain), "team-folder") {
				t.Errorf("a token tells where the bucket is: %s", token)
			}
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, want %q", got, want)
	}
	_, err := w.s3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, ContinuationToken: aws.String("another-folder/x")})
	if got := sdkRefusal(err); got != (refusal{400, "InvalidArgument"}) {
		t.Errorf("a token of nobody's: %v", err)
	}
}

// mappedRequest is a request of an operation, about a key that is there or one
// that is not.
func (w *world) mappedRequest(op proxy.Operation, key string, there bool) *http.Request {
	t, client := w.t, w.s3()
	bucket, upload, etag := "pictures", "none", `"0123456789abcdef0123456789abcdef"`
	if there {
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("body")}); err != nil {
			t.Fatal(err)
		}
		made, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		part, err := client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: made.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("part")})
		if err != nil {
			t.Fatal(err)
		}
		upload, etag = *made.UploadId, *part.ETag
	} else {
		key = "dir/none"
	}
	escaped := (&url.URL{Path: "/" + key}).EscapedPath()
	escaped = strings.ReplaceAll(escaped, "+", "%2B")
	with := func(text string) string {
		return strings.NewReplacer("BUCKET", bucket, "KEY", key, "UPLOAD", upload, "ETAG", etag).Replace(text)
	}
	needs, path, query := mapped[op.Name], "/"+bucket, []string{}
	if op.Level == proxy.ObjectLevel {
		path += escaped
	}
	for _, tell := range op.Tells {
		query = append(query, tell+map[string]string{"uploadId": "=" + url.QueryEscape(upload), "partNumber": "=1", "list-type": "=2", "id": "=x"}[tell])
	}
	if needs.query != "" {
		query = append(query, with(strings.ReplaceAll(needs.query, "KEY", url.QueryEscape(key))))
	}
	body := []byte(with(needs.body))
	r := newRequest(t, op.Method, w.url+path+"?"+strings.Join(query, "&"), bytes.NewReader(body))
	for line := range strings.Lines(needs.header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		value = strings.ReplaceAll(strings.ReplaceAll(value, "/KEY", escaped), "BUCKET", bucket)
		r.Header.Set(name, value)
	}
	if op.Body == proxy.DocumentBody {
		sum := md5.Sum(body)
		r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	sign(t, r, hexSHA256(body), testSecret, time.Now())
	return r
}
