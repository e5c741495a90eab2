package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// checkedKeys are the keys and prefixes that are asked for. Where a store cleans
// keys, the last ones are other spellings of the first; another refuses them.
var checkedKeys = []string{"a/x", "a/b/y", "c", "uploads/z", "uploads/in/w", "d/", "A/x", "a", "a/../c", "/a/x", ".s3gateway/x"}

// randomPolicy is a file with callers whose grants fit by chance: their keys are
// named after them, and one of them has none that is in use.
func randomPolicy(r *rand.Rand, now time.Time) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	var b strings.Builder
	fmt.Fprintf(&b, "buckets: [{name: BUCKET, public: %s}]\ncallers:\n", pick("read", "none"))
	for _, name := range []string{"one", "two", "three", "gone"} {
		ended := ""
		if name == "gone" {
			ended = pick(", disabled: true", ", expires: 2026-01-01T00:00:00Z")
		}
		fmt.Fprintf(&b, "  - name: %s\n    access_keys: [{id: KEY%s, secret: the-secret-of-%s%s}]\n    api_keys: [{key: the-api-key-of-%s%s}]\n    grants:\n", name, name, name, ended, name, ended)
		for range 1 + r.IntN(5) {
			actions := []string{"list", "read", "write", "delete", "delete-version", "manage"}
			r.Shuffle(len(actions), func(i, j int) { actions[i], actions[j] = actions[j], actions[i] })
			fmt.Fprintf(&b, "      - {deny: %t, bucket: %s, actions: [%s]", r.IntN(3) == 0, pick(`"*"`, "BUCKET", "BUCKET?", "other-bucket"), strings.Join(actions[:1+r.IntN(5)], ", "))
			if prefix := pick("", "", "a", "a/", "a/b/", "c", "uploads/", "uploads/in/", "/"); prefix != "" {
				fmt.Fprintf(&b, ", prefix: %s", prefix)
			}
			if from := pick("", "", "127.0.0.0/8", "10.0.0.0/8", "127.0.0.1, 10.0.0.0/8"); from != "" {
				fmt.Fprintf(&b, ", from: [%s]", from)
			}
			hour := func(n int) string { return now.UTC().Add(time.Duration(n) * time.Hour).Format("15:04") }
			end := func(n int) string { return strings.Replace(hour(n), "00:00", "24:00", 1) }
			switch r.IntN(6) {
			case 0:
				fmt.Fprintf(&b, ", between: \"%s-%s\"", hour(-13), end(1))
			case 1:
				fmt.Fprintf(&b, ", between: \"%s-%s\"", hour(1), end(13))
			}
			b.WriteString("}\n")
		}
	}
	return b.String()
}

// checkedRequest is one that needs one action on a key: on the S3 door a path
// within the bucket, on the REST door one below its root.
type checkedRequest struct {
	method, path string
	rest         bool
}

// requestsFor are requests that need an action on a key. A link and nobody have
// the first of them, of plain objects, alone.
func requestsFor(action gateway.Action, key string, plain bool) (all []checkedRequest) {
	at := "/" + signer.EncodePath(key)
	switch action {
	case gateway.List:
		at = "?prefix=" + signer.EncodeQuery(key)
		all = []checkedRequest{{"GET", at + "&list-type=2", false}, {"GET", at, false}, {"GET", at + "&versions", false}, {"GET", at + "&uploads", false}}
	case gateway.Read:
		all = []checkedRequest{{"GET", at, false}, {"HEAD", at, false}, {"GET", at + "?tagging", false}, {"GET", at + "?uploadId=x", false}}
	case gateway.Write:
		all = []checkedRequest{{"PUT", at, false}, {"PUT", at + "?partNumber=1&uploadId=x", false}, {"DELETE", at + "?uploadId=x", false}, {"DELETE", at + "?tagging", false}}
	case gateway.Delete:
		all = []checkedRequest{{"DELETE", at, false}}
	case gateway.DeleteVersion:
		all = []checkedRequest{{"DELETE", at + "?versionId=null", false}}
	case gateway.Manage:
		all = []checkedRequest{{"GET", at + "?acl", false}, {"GET", at + "?retention", false}, {"PUT", at + "?legal-hold", false}}
	}
	if plain {
		return all[:1]
	}
	if !strings.HasPrefix(key, "uploads/") {
		return all
	}
	switch action {
	case gateway.List:
		all = append(all, checkedRequest{"GET", "list?prefix=" + key, true})
	case gateway.Read:
		all = append(all, checkedRequest{"GET", "download/" + key, true}, checkedRequest{"GET", "metadata/" + key, true}, checkedRequest{"GET", "download/" + key + "/url", true})
	case gateway.Write:
		all = append(all, checkedRequest{"POST", "complete/" + key, true})
	case gateway.Delete:
		all = append(all, checkedRequest{"DELETE", key, true})
	}
	return all
}

// What policy check says is what the gateway does: for every caller, by a link and
// for nobody, on the S3 door, and on the REST door where it has the file.
func TestPolicyCheckSaysWhatTheGatewayDoes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := t.TempDir() + "/policy.yaml"
	write(t, path, "max_file_size: 0\n")
	w := newWorld(t, append(slices.Clone(open), "CONFIG_FILE="+path, "UPLOAD_AUTH=required", "API_KEYS=other=another-api-key-of-it", "PUBLIC_URL=http://127.0.0.1:1")...)
	actions := []gateway.Action{gateway.List, gateway.Read, gateway.Write, gateway.Delete, gateway.DeleteVersion, gateway.Manage}
	said, sent := map[bool]int{}, 0
	for range 6 {
		src := strings.ReplaceAll(randomPolicy(random, w.clock.Now()), "BUCKET", w.bucket)
		write(t, path, strings.ReplaceAll(src, w.bucket+"?", w.bucket[:len(w.bucket)-1]+"?"))
		w.app.reload(w.load)
		if err := w.app.refused.get(); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			who := checkedCallers[random.IntN(len(checkedCallers))]
			action, key := actions[random.IntN(len(actions))], checkedKeys[random.IntN(len(checkedKeys))]
			link := who.keyID != "" && random.IntN(5) == 0
			args := []string{"--config", path, "policy", "check", "--caller", who.name, "--action", string(action), "--bucket", w.bucket, "--key", key,
				"--address", "127.0.0.1", "--time", w.clock.Now().Format(time.RFC3339)}
			if link {
				args = append(args, "--link")
			}
			code, out := commandHere(args...)
			if code != exitOK && code != exitFailed {
				t.Fatal(code, out)
			}
			said[code == exitOK]++
			for _, c := range requestsFor(action, key, link || who.name == "") {
				got, could := who.send(w, c, link)
				if !could {
					continue // there is no such link
				}
				sent++
				if refused := got.status == 401 || got.status == 403; refused != (code == exitFailed) {
					t.Errorf("%s (link: %v) %s %q: policy check says %s %s%s answers %d %s\n%s", who.name, link, action, key, out, c.method, c.path, got.status, got.body, src)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
	if said[true] < 30 || said[false] < 30 || sent < 300 {
		t.Errorf("too little was compared: %v, %d requests", said, sent)
	}
	t.Logf("%d allowed, %d denied, %d requests", said[true], said[false], sent)
}

// checkedCaller is one of randomPolicy, of the settings, or nobody.
type checkedCaller struct{ name, keyID, secret, apiKey string }

var checkedCallers = []checkedCaller{
	{"one", "KEYone", "the-secret-of-one", "the-api-key-of-one"},
	{"two", "KEYtwo", "the-secret-of-two", "the-api-key-of-two"},
	{"three", "KEYthree", "the-secret-of-three", "the-api-key-of-three"},
	{"gone", "KEYgone", "the-secret-of-gone", "the-api-key-of-gone"},
	{"gateway", testKeyID, testSecret, ""},
	{},
}

// send asks as the caller, by a link of its where link is set; could is false
// where the caller has none, or no key of the REST door.
func (c checkedCaller) send(w *world, ask checkedRequest, link bool) (got answer, could bool) {
	if ask.rest {
		if c.apiKey == "" {
			return answer{}, c.name != ""
		}
		return do(w.t, newRequest(w.t, ask.method, w.rest(ask.path), nil, "X-Api-Key", c.apiKey)), true
	}
	r := newRequest(w.t, ask.method, w.url+"/"+w.bucket+ask.path, nil)
	keys := aws.Credentials{AccessKeyID: c.keyID, SecretAccessKey: c.secret}
	switch {
	case link:
		callers, err := newCallers(w.app.current.Load().config, w.app.keys, w.clock.Now)
		if err != nil {
			w.t.Fatal(err)
		}
		if keys.AccessKeyID, keys.SecretAccessKey = callers.LinkCredential(gateway.Caller{Name: c.name}); keys.AccessKeyID == "" {
			return answer{}, false
		}
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&X-Amz-Expires=60", "&")
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		to, _, err := signer.PresignHTTP(w.t.Context(), keys, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
		if err != nil {
			w.t.Fatal(err)
		}
		r = newRequest(w.t, ask.method, to, nil)
	case c.keyID != "":
		signAs(w.t, r, hexSHA256(nil), keys, time.Now())
	}
	return do(w.t, r), true
}
