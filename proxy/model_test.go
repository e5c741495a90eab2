package proxy

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway/signer"
)

// unservedOperations are the operations of the S3 API without a row, and why.
var unservedOperations = map[string]string{
	"CreateSession":                                    "directory buckets are not served",
	"ListDirectoryBuckets":                             "directory buckets are not served",
	"RenameObject":                                     "directory buckets are not served",
	"GetObjectTorrent":                                 "S3 itself has given it up",
	"WriteGetObjectResponse":                           "it belongs to Object Lambda, at an address of its own",
	"UpdateObjectEncryption":                           "a new key for a stored object: no backend but AWS has it",
	"GetBucketAbac":                                    "",
	"PutBucketAbac":                                    "",
	"GetObjectAnnotation":                              "",
	"PutObjectAnnotation":                              "",
	"DeleteObjectAnnotation":                           "",
	"ListObjectAnnotations":                            "",
	"CreateBucketMetadataConfiguration":                "",
	"DeleteBucketMetadataConfiguration":                "",
	"GetBucketMetadataConfiguration":                   "",
	"CreateBucketMetadataTableConfiguration":           "",
	"DeleteBucketMetadataTableConfiguration":           "",
	"GetBucketMetadataTableConfiguration":              "",
	"UpdateBucketMetadataAnnotationTableConfiguration": "",
	"UpdateBucketMetadataInventoryTableConfiguration":  "",
	"UpdateBucketMetadataJournalTableConfiguration":    "",
}

// The table is held against the SDK's own model of the API: each operation, each
// x-amz-* header and each query parameter that the SDK can send is in a row, or is
// refused by its name for a reason that is written down.
func TestTheTableKnowsWhatTheSDKCanSend(t *testing.T) {
	for name, op := range sdkOperations(t) {
		row := rowOf(name)
		if row == nil {
			reason, listed := unservedOperations[name]
			sub := slices.IndexFunc(unserved, func(u struct{ subResource, reason string }) bool { return slices.Contains(op.tells, u.subResource) })
			if !listed || reason == "" && sub < 0 {
				t.Errorf("%s has no row and no reason", name)
			}
			continue
		}
		for _, header := range op.headers {
			known, err := admitAmz(row, header, nil)
			if (!known || err != nil) && !slices.Contains(ended, header) && header != row.TellingHeader && unservedHeaders[header] == "" {
				t.Errorf("%s: the header %s has no row and no reason", name, header)
			}
		}
		for _, param := range op.params {
			if !slices.Contains(row.Tells, param) && !slices.Contains(row.Params, param) {
				t.Errorf("%s: the parameter %s has no row", name, param)
			}
		}
		if _, err := NewTable().Params(row, []signer.Param{{Key: "x-id", Value: name}}); err != nil {
			t.Error(name, err)
		}
	}
	for name := range unservedOperations {
		if rowOf(name) != nil {
			t.Errorf("%s has a row and a reason for none", name)
		}
	}
}

func rowOf(name string) *Operation {
	table := NewTable()
	i := slices.IndexFunc(table.all, func(op *Operation) bool { return op.Name == name })
	if i < 0 {
		return nil
	}
	return table.all[i]
}

// sdkOperation is what the SDK can send for an operation.
type sdkOperation struct{ tells, headers, params []string }

// sdkOperations reads the SDK's serializers, which are made from the model of the
// API.
func sdkOperations(t *testing.T) map[string]*sdkOperation {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/s3").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "serializers.go"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*sdkOperation{}
	of := func(name string) *sdkOperation {
		if all[name] == nil {
			all[name] = &sdkOperation{}
		}
		return all[name]
	}
	uri := regexp.MustCompile(`SplitURI\("[^?"]*\??([^"]*)"\)`)
	function := regexp.MustCompile(`(?m)^func (?:\(m \*awsRestxml_serializeOp(\w+)\) HandleSerialize|awsRestxml_serializeOpHttpBindings(\w+)Input)\(`)
	header := regexp.MustCompile(`(?:SetHeader\(|locationName := )"([Xx]-[Aa]mz-[^"]+)"`)
	query := regexp.MustCompile(`SetQuery\("([^"]+)"\)`)
	starts := function.FindAllSubmatchIndex(source, -1)
	for i, at := range starts {
		end := len(source)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		body := source[at[0]:end]
		name := string(function.FindSubmatch(source[at[0]:])[1]) + string(function.FindSubmatch(source[at[0]:])[2])
		op := of(name)
		for _, m := range uri.FindAllSubmatch(body, -1) {
			for pair := range strings.SplitSeq(string(m[1]), "&") {
				if key, _, _ := strings.Cut(pair, "="); key != "" && key != "x-id" {
					op.tells, op.params = append(op.tells, key), append(op.params, key)
				}
			}
		}
		for _, m := range header.FindAllSubmatch(body, -1) {
			op.headers = append(op.headers, strings.ToLower(http.CanonicalHeaderKey(string(m[1]))))
		}
		for _, m := range query.FindAllSubmatch(body, -1) {
			op.params = append(op.params, string(m[1]))
		}
	}
	if len(all) < 100 {
		t.Fatalf("only %d operations were found in the SDK", len(all))
	}
	t.Logf("%d operations", len(all))
	return all
}
