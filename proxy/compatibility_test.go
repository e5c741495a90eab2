package proxy

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files and generated pages anew")

// The compatibility page is made from the operation table, so that it cannot
// go stale.
func TestCompatibilityPageIsMadeFromTheTable(t *testing.T) {
	const path = "../docs/s3-compatibility.md"
	want := compatibilityPage(t)
	have, err := os.ReadFile(path)
	if err == nil && bytes.Equal(have, want) {
		return
	}
	if !*update {
		t.Fatal("docs/s3-compatibility.md is not what the operation table says: go test ./proxy -run Compatibility -update")
	}
	if err := os.WriteFile(path, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

// outcomes are what each store answers to each operation: the columns of
// testdata/operations.tsv, which package cmd/s3gateway measures.
func outcomes(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../testdata/operations.tsv")
	if err != nil {
		t.Fatal(err)
	}
	of := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		of[fields[0]] = fields[1:]
	}
	return of
}

func compatibilityPage(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("# S3 operations\n\nMade from the operation table (`proxy/operations.go`) by `go test ./proxy -run Compatibility -update`, " +
		"and from what a test saw MinIO and the local store answer to each through the gateway (`go test ./cmd/s3gateway -run Documented`).\n\n" +
		"**Works**: the gateway understands the operation: its body, source or answer is read, judged or written anew. " +
		"**Passes through**: it is authorised and signed anew, and the backend answers. " +
		"What a backend does not know, it refuses, and its refusal passes. " +
		"Every request that is not in the table is **refused** with 501 NotImplemented.\n\n" +
		"Action is what a caller must be granted; `manage` is also needed for canned ACLs other than private and bucket-owner-full-control, grants, object lock and website redirects. " +
		"The last two columns say what came of a plain request of each: on MinIO, and on the local store.\n\n" +
		"| operation | request | action | here | on MinIO | on the local store |\n|---|---|---|---|---|---|\n")
	seen := outcomes(t)
	rows := operations()
	slices.SortFunc(rows, func(a, b Operation) int {
		if a.Level != b.Level {
			return int(a.Level - b.Level)
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, op := range rows {
		how := "passes through"
		if op.handle != nil || op.Body != NoBody || op.Cached {
			how = "works"
		}
		action := string(op.Action)
		if op.VersionAction != "" {
			action += ", by version " + string(op.VersionAction)
		}
		if op.VersionAlso != "" {
			action += ", by version also " + string(op.VersionAlso)
		}
		if op.MetadataAction != "" {
			action += ", with metadata also " + string(op.MetadataAction)
		}
		on := seen[op.Name]
		if len(on) != 2 {
			t.Fatalf("testdata/operations.tsv says nothing of %s: go test ./cmd/s3gateway -run Documented -update, on both stores", op.Name)
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s |\n", op.Name, requestLine(op), action, how, refusedOr(on[0]), refusedOr(on[1]))
	}
	fmt.Fprintf(&b, "\n%d operations. ", len(rows))
	b.WriteString(unservedText)
	for _, u := range unserved {
		fmt.Fprintf(&b, "| `?%s` | %s |\n", u.subResource, u.reason)
	}
	for _, name := range slices.Sorted(maps.Keys(unservedHeaders)) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, unservedHeaders[name])
	}
	b.WriteString(conditionsText)
	for _, op := range rows {
		if len(op.Conditions) > 0 {
			fmt.Fprintf(&b, "- %s: %s\n", op.Name, strings.Join(op.Conditions, ", "))
		}
	}
	b.WriteString(conditionsLimits)
	b.WriteString(differences)
	return b.Bytes()
}

const unservedText = `What else the API has, and is refused by its name with 501 NotImplemented:

| sub-resource or header | why |
|---|---|
`

// refusedOr says that an outcome is a refusal, unless it is none.
func refusedOr(outcome string) string {
	if outcome == "works" {
		return outcome
	}
	return "refused: " + outcome
}

func requestLine(op Operation) string {
	path := map[Level]string{ServiceLevel: "/", BucketLevel: "/{bucket}", ObjectLevel: "/{bucket}/{key}"}[op.Level]
	line := op.Method + " " + path
	if len(op.Tells) > 0 {
		line += "?" + strings.Join(op.Tells, "&")
	}
	if op.TellingHeader != "" {
		line += " with " + op.TellingHeader
	}
	return line
}

// conditionsText and conditionsLimits stand around the operations that have
// conditions.
const conditionsText = `
## Conditions

A condition is enforced or refused by its name with 501 NotImplemented, never passed over. Lists of ETags, weak ETags and the order of conditions are those of RFC 9110, on every backend.

`

const conditionsLimits = `- DeleteObjects: ETag, LastModifiedTime and Size of each entry

Where the backend does not enforce a condition on a delete or a copy, as MinIO does not, the gateway compares, while all its own writes of that key wait. Replicas share that lock through Redis; while Redis is away such a request is a 503. Writes that bypass the gateway are not covered, nor are replicas without REDIS_URL covered against each other. If-Match and If-None-Match on PutObject and CompleteMultipartUpload need a backend that enforces them, which is tried out once; elsewhere they are a 501.
`

// differences are those that are meant, beside the operations. The test of package
// cmd/s3gateway that sends a thousand requests both ways, and the suites of
// tests/conformance with their list of exceptions, show that there are no others.
const differences = `
## What is refused here, and MinIO takes

On purpose, because the gateway answers for what it signs anew:

| request | here | why |
|---|---|---|
| Signature Version 2 in a header; in a link or form with ` + "`SIGV2=off`" + ` | 400 InvalidRequest, 403 AccessDenied | it signs neither payload nor most headers |
| a link of Signature Version 2 for anything but GetObject, HeadObject, PutObject, UploadPart and DeleteObject, for more than seven days, or with a value that its string to sign cannot tell from another | 403 AccessDenied, 400 InvalidArgument | it does not sign what other operations go by |
| a region in the signature beside S3_REGION, us-east-1 and auto, unless a bucket is made | 400 AuthorizationHeaderMalformed | as on AWS; MinIO takes any as long as it has none itself |
| an anonymous request that a bucket's policy at the backend allows | 403 AccessDenied | grants are given here |
| an x-amz-* header that the client did not sign | 403 AccessDenied | the gateway's signature would bless it |
| on anything but GET and HEAD, an x-amz-* header or query parameter that the operation does not know | 501 NotImplemented | MinIO passes over it: DELETE of ` + "`?foo`" + ` deletes the object |
| a sub-resource that the method does not have, another store's version (` + "`generation`, `versionid`" + `) | 501 NotImplemented | what is asked for is not the object |
| a bucket named ` + "`minio`" + `, or a key below ` + "`minio/`" + ` where buckets are host names of the backend (not on AWS) | 403 AccessDenied | MinIO serves its administration there, to whoever holds the gateway's key |
| a part number with a leading zero | 400 InvalidArgument | MinIO takes ` + "`01`" + ` for part 1, which would have two names |
| a version ID of MinIO in another spelling than its own (capitals, braces, no dashes, spaces around) | 400 InvalidArgument | MinIO takes it for the same version |
| an upload ID of MinIO in another spelling than its own | 404 NoSuchUpload | MinIO takes it for the same upload |
| an upload ID with a segment ` + "`..`" + ` or ` + "`.`" + `, as it stands or in base64 | 404 NoSuchUpload | MinIO follows it as a path, to any object of any bucket |
| a marker or continuation token with a ` + "`[minio_cache:`" + ` that MinIO did not write | 400 InvalidArgument | MinIO writes to the path that it names, in any bucket |
| x-minio-* headers | 403 AccessDenied | they reach past grants on keys, as x-minio-extract does |
| a query parameter twice; partNumber, uploadId, versionId or id without a value; an empty VersionId in DeleteObjects | 400 | backends differ on what that names: MinIO deletes the current object under ` + "`?versionId=`" + ` |
| a condition on an operation that has none | 501 NotImplemented | MinIO passes over it |
| a control character in the value of a parameter that names an operation, such as uploadId or tagging | 400 InvalidArgument | MinIO's router overlooks it: DELETE of ` + "`?tagging`" + ` deletes the object |
| a copy source that is a URL, has a parameter beside versionId or one without a value | 400 | as on AWS |
| CreateBucket with tags, or of a directory bucket | 501 NotImplemented | MinIO passes over both |
| PUT of an object without Content-Length | 411 MissingContentLength | as on AWS |
| an x-amz-sdk-checksum-algorithm header without the checksum that it announces | 400 InvalidRequest | as on AWS; MinIO passes over it |
| DeleteObjects with a wrong Content-MD5 | 400 BadDigest | as on AWS; MinIO does not compare |
| CompleteMultipartUpload with one part twice | 400 InvalidPartOrder | as on AWS; sizes are judged by parts |
| a form without policy, with a negative range, an Authorization header, or over 20 KiB before its file | 403, 400 | as on AWS |
| a form of more than 64 KiB whose last line has no CRLF | 400 MalformedPOSTRequest | the file's length is told to the backend before its end is seen; browsers, curl, Python's requests, Node and Go send one |
| DELETE of a bucket's setting that MinIO does not know, such as ` + "`?publicAccessBlock`" + ` | 501 NotImplemented | MinIO passes over it and deletes the bucket, when that is empty |
| any setting of a bucket that is a part of another (` + "`prefix`" + ` in the file) | 501 NotImplemented | it would be the setting of all beside it |
| analytics, inventory, logging, policy and replication of a bucket with another name at its backend | 501 NotImplemented | these documents name buckets, and the names there are others |

What has no meaning is passed over, on every backend: on GET and HEAD a parameter or x-amz-* header that the operation does not know (` + "`?v=3`, `?utm_source=…`, `x-amz-te`" + `); on everything parameters that begin with ` + "`x-`" + `, ` + "`x-amz-cf-id`" + `, and headers that only ever are in answers (` + "`x-amz-version-id`, `x-amz-bucket-region`" + `, …), which clients echo. A ` + "`+`" + ` in a query is what its client signed: a space or a plus; without a signature a space.

What differs without a refusal: X-Amz-Request-Id and X-Amz-Id-2 are the gateway's, so is the owner in ListBuckets; the location of us-east-1 is empty, as on AWS; errors
carry S3's words where MinIO has its own; browsers get Access-Control-Allow-Credentials from CORS_ALLOWED_ORIGINS only, and
an OPTIONS that is no preflight gets 400 or 403, as on AWS; a form without a
Content-Type stores binary/octet-stream, as a PUT does.

## What the local store refuses

It keeps every key of S3 and does what S3 does with it; a storage class and a website redirect are kept and shown, and change nothing. What it has not is refused by name, never dropped:

| request | answer |
|---|---|
| a bucket's policy, website, logging, notification, replication, inventory, analytics, metrics, intelligent tiering, acceleration, requester pays | 501 NotImplemented; reading one answers as for a bucket that has none |
| encryption of a bucket or an object, with keys of the server or of the client | 501 NotImplemented |
| ACLs but private and bucket-owner-full-control, grants | 400 AccessControlListNotSupported, as for every new bucket of AWS |
| SelectObjectContent, GetObjectTorrent, access points, directory buckets | 501 NotImplemented |
| a lifecycle rule that moves objects to another storage class | 501 NotImplemented |
| an operation that the table refuses there | as it says |

Its limits are AWS's: 1,024 bytes of key, 2 KiB of metadata, 10 tags, 5 GiB for one PUT or part, 10,000 parts, 1,000 keys in a batch or page. It is reached through this gateway alone: no links with ` + "`PRESIGN_VIA=backend`" + `.

## Keys

MinIO stores some keys under another name, and the gateway sends them on as they are:

| key | MinIO |
|---|---|
| an empty segment (` + "`a//b`" + `, ` + "`/a`" + `) | drops the slash |
| a ` + "`.`" + ` or ` + "`..`" + ` segment | refuses it, or cleans it in a batch delete, so a batch refuses it here |
| a segment over 255 bytes | refuses it |
| ` + "`a`" + ` beside ` + "`a/b`" + ` | keeps both and lists one |
| a segment that ends in ` + "`__XLDIR__`" + ` | reads it as a folder, so it is refused on every backend |
`
