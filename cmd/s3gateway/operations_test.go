package main

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/proxy"
)

// operationRequest is how an operation is asked for. KEY stands for a key, UPLOAD for an
// unfinished upload of it, ETAG for that of its one part.
type operationRequest struct {
	first               string // the operation that comes before it
	body, query, header string
	// want are the status of MinIO in a bucket with another name at its backend,
	// that of the embedded store, and that of either where the bucket has a prefix;
	// 0 there is the same as without one. Settings of buckets are what the two
	// differ in: each lacks some.
	want [3]int
}

// operationRequests has a row for each operation of the table that is about what is
// in a bucket.
var operationRequests = map[string]operationRequest{
	"GetObject":                                   {want: [3]int{200, 200, 0}},
	"HeadObject":                                  {want: [3]int{200, 200, 0}},
	"PutObject":                                   {body: "body", want: [3]int{200, 200, 0}},
	"CopyObject":                                  {header: "x-amz-copy-source: /BUCKET/KEY\nx-amz-metadata-directive: REPLACE", want: [3]int{200, 200, 0}},
	"DeleteObject":                                {want: [3]int{204, 204, 0}},
	"DeleteObjects":                               {body: "<Delete><Object><Key>KEY</Key></Object><Object><Key>none</Key></Object></Delete>", want: [3]int{200, 200, 0}},
	"GetObjectAttributes":                         {header: "x-amz-object-attributes: ETag,ObjectSize,ObjectParts", want: [3]int{200, 200, 0}},
	"RestoreObject":                               {body: "<RestoreRequest><Days>1</Days><GlacierJobParameters><Tier>Standard</Tier></GlacierJobParameters></RestoreRequest>", want: [3]int{403, 403, 0}},
	"SelectObjectContent":                         {body: "<SelectObjectContentRequest><Expression>select * from S3Object</Expression><ExpressionType>SQL</ExpressionType><InputSerialization><CompressionType>NONE</CompressionType><CSV><FileHeaderInfo>NONE</FileHeaderInfo></CSV></InputSerialization><OutputSerialization><CSV></CSV></OutputSerialization></SelectObjectContentRequest>", query: "select-type=2", want: [3]int{200, 501, 0}},
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
	"GetObjectAcl":                                {want: [3]int{200, 200, 0}},
	"PutObjectAcl":                                {body: `<AccessControlPolicy><Owner><ID></ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID></ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`, want: [3]int{200, 200, 0}},
	"GetObjectRetention":                          {first: "PutObjectRetention", want: [3]int{400, 400, 0}},
	"PutObjectRetention":                          {body: "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>", want: [3]int{400, 400, 0}},
	"GetObjectLegalHold":                          {first: "PutObjectLegalHold", want: [3]int{400, 400, 0}},
	"PutObjectLegalHold":                          {body: "<LegalHold><Status>OFF</Status></LegalHold>", want: [3]int{400, 400, 0}},
	"GetBucketAccelerateConfiguration":            {want: [3]int{200, 200, 501}},
	"PutBucketAccelerateConfiguration":            {body: "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>", want: [3]int{400, 501, 501}},
	"GetBucketAcl":                                {want: [3]int{200, 200, 501}},
	"PutBucketAcl":                                {body: `<AccessControlPolicy><Owner><ID></ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"><ID></ID></Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>`, want: [3]int{200, 200, 501}},
	"ListBucketAnalyticsConfigurations":           {want: [3]int{501, 501, 0}},
	"GetBucketAnalyticsConfiguration":             {want: [3]int{501, 501, 0}},
	"PutBucketAnalyticsConfiguration":             {body: "<AnalyticsConfiguration><Id>x</Id><StorageClassAnalysis></StorageClassAnalysis></AnalyticsConfiguration>", want: [3]int{501, 501, 0}},
	"DeleteBucketAnalyticsConfiguration":          {want: [3]int{501, 501, 0}},
	"GetBucketCors":                               {first: "PutBucketCors", want: [3]int{404, 200, 501}},
	"PutBucketCors":                               {body: "<CORSConfiguration><CORSRule><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>", want: [3]int{501, 200, 501}},
	"DeleteBucketCors":                            {want: [3]int{501, 204, 501}},
	"GetBucketEncryption":                         {first: "PutBucketEncryption", want: [3]int{404, 404, 501}},
	"PutBucketEncryption":                         {body: "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>", want: [3]int{501, 501, 0}},
	"DeleteBucketEncryption":                      {want: [3]int{204, 501, 501}},
	"ListBucketIntelligentTieringConfigurations":  {want: [3]int{501, 200, 501}},
	"GetBucketIntelligentTieringConfiguration":    {want: [3]int{501, 404, 501}},
	"PutBucketIntelligentTieringConfiguration":    {body: "<IntelligentTieringConfiguration><Id>x</Id><Status>Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering></IntelligentTieringConfiguration>", want: [3]int{400, 501, 501}},
	"DeleteBucketIntelligentTieringConfiguration": {want: [3]int{501, 501, 0}},
	"ListBucketInventoryConfigurations":           {want: [3]int{501, 501, 0}},
	"GetBucketInventoryConfiguration":             {want: [3]int{501, 501, 0}},
	"PutBucketInventoryConfiguration":             {body: "<InventoryConfiguration><Id>x</Id><IsEnabled>true</IsEnabled><IncludedObjectVersions>All</IncludedObjectVersions><Schedule><Frequency>Daily</Frequency></Schedule><Destination><S3BucketDestination><Bucket>arn:aws:s3:::BUCKET</Bucket><Format>CSV</Format></S3BucketDestination></Destination></InventoryConfiguration>", want: [3]int{501, 501, 0}},
	"DeleteBucketInventoryConfiguration":          {want: [3]int{501, 501, 0}},
	"GetBucketLifecycleConfiguration":             {first: "PutBucketLifecycleConfiguration", want: [3]int{200, 200, 501}},
	"PutBucketLifecycleConfiguration":             {body: "<LifecycleConfiguration><Rule><ID>x</ID><Status>Enabled</Status><Filter><Prefix>dir/</Prefix></Filter><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>", want: [3]int{200, 200, 501}},
	"DeleteBucketLifecycle":                       {want: [3]int{204, 204, 501}},
	"GetBucketLogging":                            {want: [3]int{501, 501, 0}},
	"PutBucketLogging":                            {body: "<BucketLoggingStatus><LoggingEnabled><TargetBucket>BUCKET</TargetBucket><TargetPrefix>log/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>", want: [3]int{501, 501, 0}},
	"ListBucketMetricsConfigurations":             {want: [3]int{501, 200, 501}},
	"GetBucketMetricsConfiguration":               {want: [3]int{501, 404, 501}},
	"PutBucketMetricsConfiguration":               {body: "<MetricsConfiguration><Id>x</Id></MetricsConfiguration>", want: [3]int{400, 501, 501}},
	"DeleteBucketMetricsConfiguration":            {want: [3]int{501, 501, 0}},
	"GetBucketNotificationConfiguration":          {first: "PutBucketNotificationConfiguration", want: [3]int{200, 200, 501}},
	"PutBucketNotificationConfiguration":          {body: "<NotificationConfiguration></NotificationConfiguration>", want: [3]int{200, 501, 501}},
	"GetObjectLockConfiguration":                  {want: [3]int{404, 404, 501}},
	"PutObjectLockConfiguration":                  {body: "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>", want: [3]int{409, 409, 501}},
	"GetBucketOwnershipControls":                  {first: "PutBucketOwnershipControls", want: [3]int{501, 200, 501}},
	"PutBucketOwnershipControls":                  {body: "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerPreferred</ObjectOwnership></Rule></OwnershipControls>", want: [3]int{400, 200, 501}},
	"DeleteBucketOwnershipControls":               {want: [3]int{501, 204, 501}},
	"GetBucketPolicy":                             {first: "PutBucketPolicy", want: [3]int{501, 501, 0}},
	"PutBucketPolicy":                             {body: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::BUCKET/dir/*"]}]}`, want: [3]int{501, 501, 0}},
	"DeleteBucketPolicy":                          {want: [3]int{204, 204, 501}},
	"GetBucketPolicyStatus":                       {first: "PutBucketPolicy", want: [3]int{200, 404, 501}},
	"GetPublicAccessBlock":                        {first: "PutPublicAccessBlock", want: [3]int{501, 200, 501}},
	"PutPublicAccessBlock":                        {body: "<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls></PublicAccessBlockConfiguration>", want: [3]int{400, 200, 501}},
	"DeletePublicAccessBlock":                     {want: [3]int{501, 204, 501}},
	"GetBucketReplication":                        {want: [3]int{501, 501, 0}},
	"PutBucketReplication":                        {body: "<ReplicationConfiguration><Role>arn:aws:iam::1:role/x</Role><Rule><Status>Enabled</Status><Priority>1</Priority><DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication><Filter><Prefix>dir/</Prefix></Filter><Destination><Bucket>arn:aws:s3:::BUCKET</Bucket></Destination></Rule></ReplicationConfiguration>", want: [3]int{501, 501, 0}},
	"DeleteBucketReplication":                     {want: [3]int{404, 501, 501}},
	"GetBucketRequestPayment":                     {want: [3]int{200, 200, 501}},
	"PutBucketRequestPayment":                     {body: "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>", want: [3]int{400, 501, 501}},
	"GetBucketTagging":                            {first: "PutBucketTagging", want: [3]int{200, 200, 501}},
	"PutBucketTagging":                            {body: "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>", want: [3]int{200, 204, 501}},
	"DeleteBucketTagging":                         {want: [3]int{204, 204, 501}},
	"GetBucketVersioning":                         {first: "PutBucketVersioning", want: [3]int{200, 200, 501}},
	"PutBucketVersioning":                         {body: "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>", want: [3]int{200, 200, 501}},
	"GetBucketWebsite":                            {first: "PutBucketWebsite", want: [3]int{404, 404, 501}},
	"PutBucketWebsite":                            {body: "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>", want: [3]int{400, 501, 501}},
	"DeleteBucketWebsite":                         {want: [3]int{200, 204, 501}},
}

// operationsSeen is what each store answers to each operation through the gateway:
// its name, and the outcomes on MinIO and on the embedded store. The page
// docs/s3-compatibility.md shows them.
const operationsSeen = "../../testdata/operations.tsv"

// Each operation of the table ends on each store as documented. With -update the
// outcomes on the store of this run are written anew.
func TestEachOperationEndsAsDocumented(t *testing.T) {
	w := newWorld(t, append(open, "S3_EXPOSE_BUCKETS=*")...)
	locked := "locked-" + w.bucket
	if _, err := w.s3().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &locked, ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(operationsSeen)
	if err != nil && !*update {
		t.Fatal(err)
	}
	seen := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		seen[fields[0]] = fields[1:]
	}
	column := map[string]int{"minio": 0, "embedded": 1}[w.store.Name]
	var lines []string
	for _, op := range proxy.NewTable().Operations() {
		outcomes := seen[op.Name]
		if len(outcomes) != 2 {
			outcomes = make([]string, 2)
		}
		got := w.outcome(op, locked)
		if got != outcomes[column] && !*update {
			t.Errorf("%s ends with %s, documented is %q: go test ./cmd/s3gateway -run Documented -update", op.Name, got, outcomes[column])
		}
		outcomes[column] = got
		lines = append(lines, op.Name+"\t"+strings.Join(outcomes, "\t")+"\n")
	}
	if *update {
		slices.Sort(lines)
		write(t, operationsSeen, strings.Join(lines, ""))
	}
}

// outcome is how an operation ends in a bucket that has what it needs: "works", or
// status and code of the refusal.
func (w *world) outcome(op proxy.Operation, locked string) string {
	const key = "dir/a b+c%.txt"
	bucket, r := w.bucket, (*http.Request)(nil)
	switch {
	case op.Name == "PostObject":
		r = w.postForm(`,["starts-with","$key",""]`, []byte("hello"), map[string]string{"key": key}, nil)
	case op.Name == "DeleteBucket":
		r = w.operation(w.store.Bucket(w.t), op, key, false)
	case op.Name == "CreateBucket":
		bucket = "new-" + w.bucket
		r = w.operation(bucket, op, key, false)
		defer w.s3().DeleteBucket(w.t.Context(), &s3.DeleteBucketInput{Bucket: &bucket})
	case strings.Contains(op.Name, "Retention"), strings.Contains(op.Name, "LegalHold"), strings.Contains(op.Name, "ObjectLock"):
		bucket = locked
		fallthrough
	default:
		r = w.operation(bucket, op, key, true)
		for _, before := range proxy.NewTable().Operations() {
			if before.Name == operationRequests[op.Name].first {
				do(w.t, w.operation(bucket, before, key, true)) // of the object that r is about: the newest
			}
		}
	}
	a := do(w.t, r)
	switch {
	case a.status < http.StatusMultipleChoices && bytes.Contains(a.body, []byte(":error-code")): // an event of SelectObjectContent
		return strconv.Itoa(a.status) + " with an error inside"
	case a.status < http.StatusMultipleChoices:
		return "works"
	}
	refused := w.s3Refusal(a)
	return strconv.Itoa(refused.status) + " " + refused.code
}

// status is what a store answers in a bucket with that prefix.
func (r operationRequest) status(store, prefix string) int {
	switch {
	case prefix != "" && r.want[2] != 0:
		return r.want[2]
	case store == "minio":
		return r.want[0]
	}
	return r.want[1]
}

// operation is a request of an operation, about a key that is there or one
// that is not.
func (w *world) operation(bucket string, op proxy.Operation, key string, there bool) *http.Request {
	t, client := w.t, w.s3()
	upload, etag := "none", `"0123456789abcdef0123456789abcdef"`
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
	needs, query := operationRequests[op.Name], []string{}
	path := map[proxy.Level]string{proxy.ServiceLevel: "/", proxy.BucketLevel: "/" + bucket, proxy.ObjectLevel: "/" + bucket + escaped}[op.Level]
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
