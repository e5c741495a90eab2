package main

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const reachFile = `
callers:
  - name: operator
    access_keys: [{id: OPERATOR, secret: the-secret-of-operator}]
    grants:
      - {bucket: BUCKET, actions: [list, read, write, delete, manage]}
      - {bucket: BUCKET, prefix: kept/, actions: [delete], deny: true}
      - {bucket: BUCKET, prefix: secret/, actions: [read], deny: true, between: "00:00-00:01"}
      - {bucket: BUCKET, prefix: frozen/, actions: [write], deny: true}
      - {bucket: BUCKET, prefix: unlisted/, actions: [list], deny: true}
`

// setting puts a document of the bucket as a caller.
func (w *world) setting(keys aws.Credentials, name, document string) answer {
	w.t.Helper()
	r := newRequest(w.t, http.MethodPut, w.url+"/"+w.bucket+"?"+name, strings.NewReader(document))
	sum := md5.Sum([]byte(document))
	r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	signAs(w.t, r, hexSHA256([]byte(document)), keys, time.Now())
	return do(w.t, r)
}

// lifecycleOf is a document with one rule.
func lifecycleOf(rule string) string {
	return "<LifecycleConfiguration><Rule><ID>x</ID><Status>Enabled</Status>" + rule + "</Rule></LifecycleConfiguration>"
}

// Who may manage a bucket must not have the store do what is denied to him, and
// nobody what would remove the gateway's own state.
func TestADocumentOfABucketUndoesNoDenial(t *testing.T) {
	w := newFiled(t, reachFile)
	operator := aws.Credentials{AccessKeyID: "OPERATOR", SecretAccessKey: "the-secret-of-operator"}
	owner := aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testSecret}
	expire := func(filter string) string { return lifecycleOf(filter + "<Expiration><Days>1</Days></Expiration>") }
	for _, c := range []struct {
		name     string
		keys     aws.Credentials
		setting  string
		document string
		refused  bool
	}{
		{"expiry of what may not be deleted", operator, "lifecycle", expire("<Filter><Prefix>kept/</Prefix></Filter>"), true},
		{"expiry below it", operator, "lifecycle", expire("<Filter><Prefix>kept/a</Prefix></Filter>"), true},
		{"expiry above it", operator, "lifecycle", expire("<Filter><Prefix>k</Prefix></Filter>"), true},
		{"expiry in the old form", operator, "lifecycle", expire("<Prefix>kept/</Prefix>"), true},
		{"expiry with a reference in the prefix", operator, "lifecycle", expire("<Filter><Prefix>k&#101;pt/</Prefix></Filter>"), true},
		{"expiry with a comment in the prefix", operator, "lifecycle", expire("<Filter><Prefix>ke<!-- -->pt/</Prefix></Filter>"), true},
		{"expiry by prefix and tag", operator, "lifecycle", expire("<Filter><And><Prefix>kept/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter>"), true},
		{"expiry by a tag alone", operator, "lifecycle", expire("<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>"), true},
		{"expiry of old versions", operator, "lifecycle", lifecycleOf("<Filter><Prefix>kept/</Prefix></Filter><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"), true},
		{"transition of what may not be written", operator, "lifecycle", lifecycleOf("<Filter><Prefix>frozen/</Prefix></Filter><Transition><Days>1</Days><StorageClass>X</StorageClass></Transition>"), true},
		{"an action that nobody knows", operator, "lifecycle", lifecycleOf("<Filter><Prefix>kept/</Prefix></Filter><Shred><Days>1</Days></Shred>"), true},
		{"a policy of the bucket", operator, "policy", fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::%s/*"]}]}`, w.bucket), true},
		{"replication of what may not be read", operator, "replication", "<ReplicationConfiguration><Role>r</Role><Rule><Status>Enabled</Status><Prefix>secret/</Prefix><Destination><Bucket>arn:aws:s3:::b</Bucket></Destination></Rule></ReplicationConfiguration>", true},
		{"notifications of what may not be listed", operator, "notification", "<NotificationConfiguration><QueueConfiguration><Queue>arn:minio:sqs::x:webhook</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>", true},
		{"expiry of the gateway's own", owner, "lifecycle", expire("<Filter><Prefix>.s3gateway/</Prefix></Filter>"), true},
		{"expiry of everything", owner, "lifecycle", expire(""), true},
		{"expiry of everything by an empty prefix", owner, "lifecycle", expire("<Filter><Prefix></Prefix></Filter>"), true},
		{"expiry of everything by a tag", owner, "lifecycle", expire("<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>"), true},
		{"transition of everything", owner, "lifecycle", lifecycleOf("<Transition><Days>1</Days><StorageClass>X</StorageClass></Transition>"), true},
		{"expiry beside the denials", operator, "lifecycle", expire("<Filter><Prefix>tmp/</Prefix></Filter>"), false},
		{"expiry beside the gateway's own", owner, "lifecycle", expire("<Filter><Prefix>kept/</Prefix></Filter>"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.setting(c.keys, c.setting, c.document)
			switch {
			case c.keys == owner && w.app.client.SparesReserved:
				if a.status == http.StatusForbidden { // what nothing is denied to, and the store's rules leave the gateway's own alone
					t.Errorf("%d %s", a.status, a.body)
				}
			case c.refused:
				a.isS3Error(t, http.StatusForbidden, "AccessDenied")
			case a.status != http.StatusOK:
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	two := w.setting(operator, "lifecycle", expire("<Filter><Prefix>tmp/</Prefix><Prefix>kept/</Prefix></Filter>"))
	two.isS3Error(t, http.StatusBadRequest, "MalformedXML")
	abort := w.setting(owner, "lifecycle", lifecycleOf("<Filter><Prefix></Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload>"))
	if abort.status == http.StatusForbidden {
		t.Errorf("the end of unfinished uploads is refused: %s", abort.body)
	}
}
