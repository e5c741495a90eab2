package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/codeguardians/s3gateway/signer"
)

// signForm makes a form that a browser can POST without a script
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html).
// Its policy names every field with its one value, and the bounds of the size.
func (d *door) signForm(r *http.Request, to linkTarget, key string, p promise, metadata []signer.Param, now time.Time) (url string, fields map[string]string, err error) {
	now = now.UTC()
	day := now.Format("20060102")
	scope := day + "/" + to.region + "/s3/aws4_request"
	fields = map[string]string{
		"key": key, "Content-Type": p.contentType, "x-amz-algorithm": "AWS4-HMAC-SHA256",
		"x-amz-credential": to.credential.AccessKeyID + "/" + scope, "x-amz-date": now.Format("20060102T150405Z"),
	}
	if p.sha256 != "" {
		fields["x-amz-checksum-sha256"] = base64SHA256(p.sha256)
	}
	if to.credential.SessionToken != "" {
		fields["x-amz-security-token"] = to.credential.SessionToken
	}
	for _, m := range metadata {
		fields[strings.ToLower(m.Key)] = m.Value
	}
	least, most := d.sizeRange(r, key, p)
	conditions := []any{map[string]string{"bucket": to.bucket}, []any{"content-length-range", least, most}}
	for _, name := range slices.Sorted(maps.Keys(fields)) { // in one order, so that a link can be made again
		conditions = append(conditions, map[string]string{name: fields[name]})
	}
	document, err := json.Marshal(map[string]any{
		"expiration": timestamp(now.Add(time.Duration(to.life) * time.Second)), "conditions": conditions,
	})
	if err != nil {
		return "", nil, err
	}
	fields["policy"] = base64.StdEncoding.EncodeToString(document)
	signing := []byte("AWS4" + to.credential.SecretAccessKey)
	for _, word := range []string{day, to.region, "s3", "aws4_request", fields["policy"]} {
		signing = hmacOf(signing, word)
	}
	fields["x-amz-signature"] = hex.EncodeToString(signing)
	return to.at("").String(), fields, nil
}

// sizeRange is the sizes in bytes that a form takes: the promised one, or any
// that the policy and one request allow.
func (d *door) sizeRange(r *http.Request, key string, p promise) (least, most int64) {
	if p.size != nil {
		return *p.size, *p.size
	}
	limits := d.Policy.LimitsFor(callerOf(r), d.Bucket, key)
	if limits.MaxSize > 0 {
		return limits.MinSize, min(limits.MaxSize, maxSinglePut)
	}
	return limits.MinSize, maxSinglePut
}

func hmacOf(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
