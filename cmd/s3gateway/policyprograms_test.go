package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/signer"
)

// A random policy, random requests of two callers, of the owner and of nobody, and
// an oracle that says what each may. A request is refused exactly where the oracle
// says so, a refused one changes nothing, and no answer shows a byte of what its
// caller may not read. S3GATEWAY_PROGRAMS=n runs n policies.
func TestTheGatewayFollowsAnOracleOfItsPolicy(t *testing.T) {
	const perGateway = 250
	programs, _ := strconv.Atoi(cmp.Or(os.Getenv("S3GATEWAY_PROGRAMS"), "120"))
	seed, counts := stepsSeed(t), &stepCounts{m: map[string][3]int{}}
	for first := 0; first < programs && !t.Failed(); first += perGateway {
		t.Run(fmt.Sprint("from ", first), func(t *testing.T) {
			store, bucket := versionedBucket(t)
			m := newPolicyPrograms(t, store, bucket, counts)
			for i := first; i < min(first+perGateway, programs) && !t.Failed(); i++ {
				m.run(seed + uint64(i))
			}
		})
	}
	counts.report(t, programs)
}

// stepCounts are, by kind of step, how many were allowed, refused, and done.
type stepCounts struct {
	mu sync.Mutex
	m  map[string][3]int
}

func (c *stepCounts) add(name string, allowed, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.m[name]
	if allowed {
		n[0]++
	} else {
		n[1]++
	}
	if done {
		n[2]++
	}
	c.m[name] = n
}

func (c *stepCounts) report(t *testing.T, programs int) {
	t.Helper()
	var allowed, refused int
	names := []string{}
	for name, n := range c.m {
		allowed, refused, names = allowed+n[0], refused+n[1], append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Logf("%-32s %6d allowed, %6d refused, %6d done", name, c.m[name][0], c.m[name][1], c.m[name][2])
	}
	t.Logf("%d programs, %d steps allowed, %d refused", programs, allowed, refused)
	if allowed < programs || refused < programs {
		t.Error("too little of one kind")
	}
}

// policyPrograms runs programs against one gateway.
type policyPrograms struct {
	*world
	counts *stepCounts
	random *rand.Rand
	policy *oraclePolicy
	file   string
	keys   []string
	direct *s3.Client // of the store
	owner  *s3.Client // of the gateway
	// Of the program that runs:
	trace    []string
	marks    int
	holders  map[string][]string // keys that hold or held a mark
	versions []types.ObjectIdentifier
	uploads  []types.MultipartUpload
	resumes  []ownedResume
	links    []ownedLink
}

type ownedResume struct {
	owner, at, key string
	offset         int
}

type ownedLink struct{ owner, key, url string }

// step is one request and what it needs.
type step struct {
	name, who string
	needs     []need
	refused   bool // whoever asks
	hidden    bool // a refusal may say that it is not there
	some      bool // the needs are asked one by one by check; some are there
	request   *http.Request
	sent      string // the mark in it
	changes   bool
	tagged    *s3.GetObjectTaggingInput
	ruled     bool
	must      bool // be done when it is allowed
	check     func(answer)
}

var oracleKeys = []string{"a/x", "a/b/y", "ab", "b", "c/d/e", "uploads/in/k.txt", "uploads/z.txt"}

func newPolicyPrograms(t *testing.T, store *testbed.Store, bucket string, counts *stepCounts) *policyPrograms {
	t.Helper()
	file := t.TempDir() + "/policy.yaml"
	write(t, file, "max_file_size: 0\n")
	m := &policyPrograms{counts: counts, file: file, keys: slices.Clone(oracleKeys)}
	if store.Has(testbed.EmptySegments) && store.Has(testbed.DotSegments) {
		m.keys = append(m.keys, "a//x", "/a/x", "c/../a/x")
	}
	m.world = newWorldOn(t, store, bucket, append(slices.Clone(open), "CONFIG_FILE="+file, "UPLOAD_AUTH=required",
		"API_KEYS="+callerOwner+"=the-api-key-of-"+callerOwner, "PUBLIC_URL=http://127.0.0.1:1")...)
	m.direct, m.owner = store.Client(t), m.s3()
	return m
}

// run is one program: what callers made while they might do everything, and two
// policies, one after the other.
func (m *policyPrograms) run(seed uint64) {
	m.t.Helper()
	m.random = rand.New(rand.NewPCG(seed, 1))
	m.trace, m.marks, m.holders = nil, 0, map[string][]string{}
	m.follow(openPolicy(m.bucket))
	m.empty()
	for range 3 {
		m.do(m.put(callerOwner, one(m.random, oracleKeys)))
	}
	m.do(m.createMultipart(callerOne))
	m.do(m.apiResumable(callerOne))
	m.do(m.apiDirect(callerTwo))
	m.do(m.apiLinkTo(callerOne, m.fileKey()))
	for range 2 {
		m.follow(newOraclePolicy(m.random, m.bucket, m.clock.Now()))
		for range 6 {
			who := one(m.random, []string{callerOne, callerOne, callerOne, callerTwo, callerTwo, callerOwner, callerNobody})
			m.do(one(m.random, policySteps)(m, who))
			if m.t.Failed() {
				m.t.Errorf("S3GATEWAY_TEST_SEED=%d S3GATEWAY_PROGRAMS=1 shows it again:\n%s", seed, strings.Join(m.trace, "\n"))
				return
			}
		}
	}
}

// follow puts a policy in force.
func (m *policyPrograms) follow(p *oraclePolicy) {
	m.t.Helper()
	m.policy = p
	text := p.yaml(m.bucket)
	write(m.t, m.file, text)
	m.app.reload(m.load)
	if err := m.app.refused.get(); err != nil {
		m.t.Fatal(err, text)
	}
	m.trace = append(m.trace, text)
}

// empty takes everything out of the bucket, through the gateway and under an open
// policy.
func (m *policyPrograms) empty() {
	ctx, client := m.t.Context(), m.owner
	for _, u := range m.uploads {
		client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &m.bucket, Key: u.Key, UploadId: u.UploadId})
	}
	m.uploads = nil
	for _, r := range m.resumes {
		do(m.t, newRequest(m.t, "DELETE", r.at, nil, "X-Api-Key", apiKeyOf(r.owner), "Tus-Resumable", "1.0.0"))
	}
	m.removeVersions(client)
	m.versions, m.resumes, m.links = nil, nil, nil
	client.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: &m.bucket})
}

// do sends the request of a step and compares what became of it.
func (m *policyPrograms) do(s step) {
	m.t.Helper()
	allowed := !s.refused && m.policy.allows(s.who, s.needs...)
	if s.some {
		allowed = m.policy.allowsSome(s.who, s.needs[0].action) || m.policy.allowsSome(s.who, s.needs[1].action)
	}
	before := ""
	if s.changes && !allowed {
		before = m.state(s)
	}
	got := do(m.t, s.request)
	m.trace = append(m.trace, fmt.Sprintf("%q %s: %s %s %v: oracle %v %v, answer %d", s.who, s.name, s.request.Method, s.request.URL.RequestURI(),
		s.request.Header["X-Amz-Copy-Source"], allowed, s.needs, got.status))
	refused := got.status == http.StatusUnauthorized || got.status == http.StatusForbidden
	switch done := got.status/100 == 2; {
	case s.hidden && !allowed && got.status == http.StatusNotFound:
	case refused == allowed:
		m.t.Errorf("%s by %q: the oracle says allowed: %v, the answer is %d %s", s.name, s.who, allowed, got.status, got.body)
	case allowed && s.must && !done:
		m.t.Errorf("%s by %q is allowed, and the answer is %d %s", s.name, s.who, got.status, got.body)
	case !allowed && !refused:
		m.t.Errorf("%s by %q is answered %d %s", s.name, s.who, got.status, got.body)
	}
	if before != "" {
		if after := m.state(s); after != before {
			m.t.Errorf("%s by %q was refused and changed something:\n%s\nbefore:\n%s", s.name, s.who, after, before)
		}
	}
	m.shown(s, got)
	m.counts.add(s.name, allowed, got.status/100 == 2)
	if s.check != nil && got.status/100 == 2 {
		s.check(got)
	}
}

var markPattern = regexp.MustCompile(`mark[0-9]+x`)

// shown fails where an answer has the mark of something that its caller may not
// read, under any key that ever held it.
func (m *policyPrograms) shown(s step, got answer) {
	m.t.Helper()
	text := string(got.body) + fmt.Sprint(got.header)
	for _, mark := range markPattern.FindAllString(text, -1) {
		if mark == s.sent || len(m.holders[mark]) == 0 {
			continue
		}
		if !slices.ContainsFunc(m.holders[mark], func(key string) bool {
			return m.policy.allows(s.who, need{gateway.Read, key, false}) || m.policy.allows(s.who, need{gateway.ReadVersion, key, false})
		}) {
			m.t.Errorf("%s by %q shows %s, which is at %q: %s", s.name, s.who, mark, m.holders[mark], text)
		}
	}
}

// state is what the bucket holds, with the tags or rules that a step is about.
func (m *policyPrograms) state(s step) string {
	m.t.Helper()
	ctx, client := m.t.Context(), m.direct
	listed, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &m.bucket})
	if err != nil {
		m.t.Fatal(err)
	}
	var b strings.Builder
	for _, v := range listed.Versions {
		fmt.Fprintln(&b, *v.Key, *v.VersionId, *v.ETag, *v.IsLatest)
	}
	for _, d := range listed.DeleteMarkers {
		fmt.Fprintln(&b, *d.Key, *d.VersionId, "deleted", *d.IsLatest)
	}
	for _, u := range m.uploads {
		parts, err := client.ListParts(ctx, &s3.ListPartsInput{Bucket: &m.bucket, Key: u.Key, UploadId: u.UploadId})
		if err != nil {
			continue
		}
		for _, p := range parts.Parts {
			fmt.Fprintln(&b, *u.Key, *u.UploadId, *p.PartNumber, *p.ETag)
		}
	}
	if s.tagged != nil {
		tags, err := client.GetObjectTagging(ctx, s.tagged)
		if err == nil {
			for _, tag := range tags.TagSet {
				fmt.Fprintln(&b, "tag", *tag.Key, *tag.Value)
			}
		}
	}
	if s.ruled {
		rules, err := client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &m.bucket})
		if err == nil {
			for _, r := range rules.Rules {
				fmt.Fprintln(&b, "rule", *r.ID)
			}
		}
	}
	return b.String()
}

func apiKeyOf(who string) string {
	if who == callerNobody {
		return ""
	}
	return "the-api-key-of-" + who
}

func s3KeysOf(who string) aws.Credentials {
	if who == callerOwner {
		return aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testSecret}
	}
	return aws.Credentials{AccessKeyID: "KEY" + who, SecretAccessKey: "the-secret-of-" + who}
}

// viaS3 is a request below the bucket: signed in a header, or now and then, where
// it has neither headers nor body, in the query.
func (m *policyPrograms) viaS3(who, method, below, body string, headers ...string) *http.Request {
	m.t.Helper()
	r := newRequest(m.t, method, m.url+"/"+m.bucket+below, strings.NewReader(body), headers...)
	switch {
	case who == callerNobody:
	case body == "" && len(headers) == 0 && m.random.IntN(3) == 0:
		r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery+"&X-Amz-Expires=60", "&")
		sign := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		to, _, err := sign.PresignHTTP(m.t.Context(), s3KeysOf(who), r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
		if err != nil {
			m.t.Fatal(err)
		}
		r = newRequest(m.t, method, to, nil)
	default:
		signAs(m.t, r, hexSHA256([]byte(body)), s3KeysOf(who), time.Now())
	}
	return r
}

// viaDocument is one with an XML document.
func (m *policyPrograms) viaDocument(who, method, below, doc string) *http.Request {
	m.t.Helper()
	if who == callerNobody {
		return m.viaS3(who, method, below, doc)
	}
	return m.documentRequest(method, below, []byte(doc), s3KeysOf(who))
}

func (m *policyPrograms) viaAPI(who, method, below, body string, headers ...string) *http.Request {
	m.t.Helper()
	r := newRequest(m.t, method, m.rest(below), strings.NewReader(body), headers...)
	if who != callerNobody {
		r.Header.Set("X-Api-Key", apiKeyOf(who))
	}
	return r
}

// mark is a text that nothing else has, held by a key from now on.
func (m *policyPrograms) mark(keys ...string) string {
	m.marks++
	mark := fmt.Sprintf("mark%dx", m.marks)
	m.holders[mark] = append(m.holders[mark], keys...)
	return mark
}

// copied notes that what one key held may be at another.
func (m *policyPrograms) copied(from, to string) {
	for mark, keys := range m.holders {
		if slices.Contains(keys, from) {
			m.holders[mark] = append(keys, to)
		}
	}
}

func (m *policyPrograms) key() string { return one(m.random, m.keys) }

// file is a key of the upload API.
func (m *policyPrograms) fileKey() string {
	var all []string
	for _, key := range m.keys {
		if strings.HasPrefix(key, "uploads/") {
			all = append(all, key)
		}
	}
	for _, v := range m.versions {
		if strings.HasPrefix(*v.Key, "uploads/") {
			all = append(all, *v.Key)
		}
	}
	return one(m.random, all)
}

func (m *policyPrograms) saw(key string, got answer) {
	if id := got.header.Get("X-Amz-Version-Id"); id != "" {
		m.versions = append(m.versions, types.ObjectIdentifier{Key: &key, VersionId: &id})
	}
}

// version is one that there is or was, or the name of none.
func (m *policyPrograms) version() (key, query string) {
	if len(m.versions) == 0 {
		return m.key(), "versionId=null"
	}
	v := one(m.random, m.versions)
	return *v.Key, "versionId=" + signer.EncodeQuery(*v.VersionId)
}

// newFile is what a new file of the upload API needs. Its name is not known before.
func (m *policyPrograms) newFile() need {
	return need{gateway.Write, m.clock.Now().UTC().Format("uploads/2006/01/02/"), false}
}

func at(key string) string { return "/" + signer.EncodePath(key) }

// policySteps are the kinds of requests.
var policySteps = []func(m *policyPrograms, who string) step{
	(*policyPrograms).read, (*policyPrograms).readVersion, (*policyPrograms).putKey, (*policyPrograms).putKey, (*policyPrograms).setTags, (*policyPrograms).remove,
	(*policyPrograms).removeVersion, (*policyPrograms).copyObject, (*policyPrograms).copyObject, (*policyPrograms).list, (*policyPrograms).list, (*policyPrograms).batch,
	(*policyPrograms).multipart, (*policyPrograms).multipart, (*policyPrograms).form, (*policyPrograms).lifecycle, (*policyPrograms).manage, (*policyPrograms).reserved,
	(*policyPrograms).apiRead, (*policyPrograms).apiDirect, (*policyPrograms).apiDelete, (*policyPrograms).apiBatch, (*policyPrograms).apiPatch, (*policyPrograms).apiCopy,
	(*policyPrograms).apiList, (*policyPrograms).apiResume, (*policyPrograms).apiResume,
	(*policyPrograms).apiLink, (*policyPrograms).useLink, (*policyPrograms).apiElsewhere, (*policyPrograms).apiComplete,
}

func (m *policyPrograms) read(who string) step {
	key := m.key()
	method, query := "GET", one(m.random, []string{"", "", "?tagging", "?attributes", "HEAD"})
	s := step{name: "read " + query, who: who, needs: []need{{gateway.Read, key, false}}}
	headers := []string{}
	switch query {
	case "HEAD":
		method, query = "HEAD", ""
	case "?attributes":
		headers = []string{"X-Amz-Object-Attributes", "ETag,ObjectSize"}
	}
	// Nobody may read a public object, and nothing else of it (rule 7 of docs/policy.md
	// speaks of callers).
	s.refused = who == callerNobody && query != ""
	s.request = m.viaS3(who, method, at(key)+query, "", headers...)
	return s
}

func (m *policyPrograms) readVersion(who string) step {
	key, version := m.version()
	query := one(m.random, []string{"?", "?tagging&"})
	return step{name: "read a version " + query, who: who, needs: []need{{gateway.ReadVersion, key, false}}, request: m.viaS3(who, "GET", at(key)+query+version, "")}
}

func (m *policyPrograms) putKey(who string) step {
	key := m.key()
	if m.random.IntN(6) > 0 {
		return m.put(who, key)
	}
	s := m.put(who, key, "X-Amz-Acl", "public-read")
	s.name, s.must, s.needs = "put with an ACL", false, append(s.needs, need{gateway.Manage, key, false})
	return s
}

func (m *policyPrograms) put(who, key string, more ...string) step {
	mark := m.mark(key)
	headers := append([]string{"X-Amz-Meta-Mark", mark, "X-Amz-Tagging", "tag=" + mark}, more...)
	s := step{name: "put", who: who, needs: []need{{gateway.Write, key, false}}, sent: mark, changes: true, must: true}
	s.request = m.viaS3(who, "PUT", at(key), "body "+mark, headers...)
	s.check = func(got answer) { m.saw(key, got) }
	return s
}

func (m *policyPrograms) setTags(who string) step {
	key, query := m.key(), "?tagging"
	s := step{name: "change tags", who: who, changes: true}
	s.needs = []need{{gateway.Write, key, false}}
	if m.random.IntN(3) == 0 {
		var version string
		key, version = m.version()
		s.name, query = "change tags of a version", query+"&"+version
		s.needs = []need{{gateway.Write, key, false}, {gateway.ReadVersion, key, false}}
	}
	s.tagged = &s3.GetObjectTaggingInput{Bucket: &m.bucket, Key: &key}
	if m.random.IntN(3) == 0 {
		s.request = m.viaS3(who, "DELETE", at(key)+query, "")
		return s
	}
	s.sent = m.mark(key)
	s.request = m.viaDocument(who, "PUT", at(key)+query, "<Tagging><TagSet><Tag><Key>tag</Key><Value>"+s.sent+"</Value></Tag></TagSet></Tagging>")
	return s
}

func (m *policyPrograms) remove(who string) step {
	key := m.key()
	return step{name: "delete", who: who, needs: []need{{gateway.Delete, key, false}}, changes: true, request: m.viaS3(who, "DELETE", at(key), ""),
		check: func(got answer) { m.saw(key, got) }}
}

func (m *policyPrograms) removeVersion(who string) step {
	key, version := m.version()
	return step{name: "delete a version", who: who, needs: []need{{gateway.DeleteVersion, key, false}}, changes: true, request: m.viaS3(who, "DELETE", at(key)+"?"+version, "")}
}

// source is a copy's: a key, or a version of one.
func (m *policyPrograms) source() (of need, header string) {
	key := m.key()
	if m.random.IntN(3) == 0 {
		key, version := m.version()
		return need{gateway.ReadVersion, key, false}, m.bucket + at(key) + "?" + version
	}
	return need{gateway.Read, key, false}, m.bucket + at(key)
}

func (m *policyPrograms) copyObject(who string) step {
	key := m.key()
	from, header := m.source()
	return step{name: "copy", who: who, needs: []need{from, {gateway.Write, key, false}}, changes: true,
		request: m.viaS3(who, "PUT", at(key), "", "X-Amz-Copy-Source", header, "X-Amz-Metadata-Directive", "REPLACE"),
		check: func(got answer) {
			m.copied(from.key, key)
			m.saw(key, got)
		}}
}

func (m *policyPrograms) list(who string) step {
	prefix := one(m.random, []string{"", "a", "a/", "a/b/", "b", "c/", "uploads/", "uploads/in/"})
	kind := one(m.random, []string{"", "list-type=2&", "list-type=2&metadata=true&", "versions&", "versions&metadata=true&", "uploads&"})
	s := step{name: "list " + kind, who: who, needs: []need{{gateway.List, prefix, true}}, must: true}
	switch kind {
	case "list-type=2&metadata=true&":
		s.needs = append(s.needs, need{gateway.Read, prefix, true})
	case "versions&metadata=true&":
		s.needs = append(s.needs, need{gateway.ReadVersion, prefix, true})
	}
	s.request = m.viaS3(who, "GET", "?"+kind+one(m.random, []string{"", "delimiter=%2F&"})+"prefix="+signer.EncodeQuery(prefix), "")
	s.check = func(got answer) {
		var doc struct {
			Contents, Version, Upload []struct{ Key string }
		}
		if err := xml.Unmarshal(got.body, &doc); err != nil {
			m.t.Error(err)
		}
		for _, o := range append(append(doc.Contents, doc.Version...), doc.Upload...) {
			if !strings.HasPrefix(o.Key, prefix) || strings.HasPrefix(o.Key, ".s3gateway/") {
				m.t.Errorf("a listing of %q shows %q", prefix, o.Key)
			}
		}
	}
	return s
}

// batch deletes keys and versions: the oracle is asked for each.
func (m *policyPrograms) batch(who string) step {
	needs, mayGo := map[string]need{}, map[string]bool{} // by key and version; keys of which a version goes
	doc := strings.Builder{}
	doc.WriteString("<Delete>")
	for range 1 + m.random.IntN(3) {
		key, version := one(m.random, oracleKeys), ""
		action := gateway.Delete
		if m.random.IntN(3) == 0 && len(m.versions) > 0 {
			v := one(m.random, m.versions)
			key, version, action = *v.Key, *v.VersionId, gateway.DeleteVersion
			mayGo[key+" "] = mayGo[key+" "] || m.policy.allows(who, need{action, key, false})
		}
		needs[key+" "+version] = need{action, key, false}
		fmt.Fprintf(&doc, "<Object><Key>%s</Key>", key)
		if version != "" {
			fmt.Fprintf(&doc, "<VersionId>%s</VersionId>", version)
		}
		doc.WriteString("</Object>")
	}
	doc.WriteString("</Delete>")
	s := step{name: "delete a batch", who: who, some: true, needs: []need{{action: gateway.Delete}, {action: gateway.DeleteVersion}}, changes: true, must: true}
	s.request = m.viaDocument(who, "POST", "?delete", doc.String())
	before := m.present()
	s.check = func(got answer) {
		var result struct {
			Deleted []struct{ Key, VersionId string }
			Error   []struct{ Key, VersionId, Code string }
		}
		if err := xml.Unmarshal(got.body, &result); err != nil {
			m.t.Error(err)
		}
		refused := map[string]bool{}
		for _, e := range result.Error {
			refused[e.Key+" "+e.VersionId] = e.Code == "AccessDenied"
		}
		after := m.present()
		for name, a := range needs {
			allowed := m.policy.allows(who, a)
			if refused[name] == allowed {
				m.t.Errorf("batch of %q: the oracle says of %q allowed: %v, the answer is %s", who, name, allowed, got.body)
			}
			if !allowed && before[name] && !after[name] && !mayGo[name] {
				m.t.Errorf("batch of %q: %q was refused and is gone", who, name)
			}
		}
	}
	return s
}

// present are the current keys, "key ", and all versions, "key version".
func (m *policyPrograms) present() map[string]bool {
	listed, err := m.direct.ListObjectVersions(m.t.Context(), &s3.ListObjectVersionsInput{Bucket: &m.bucket})
	if err != nil {
		m.t.Fatal(err)
	}
	all := map[string]bool{}
	for _, v := range listed.Versions {
		all[*v.Key+" "+*v.VersionId] = true
		if *v.IsLatest {
			all[*v.Key+" "] = true
		}
	}
	return all
}

func (m *policyPrograms) multipart(who string) step {
	if len(m.uploads) == 0 || m.random.IntN(4) == 0 {
		return m.createMultipart(who)
	}
	u, mark := one(m.random, m.uploads), ""
	s := step{who: who, needs: []need{{gateway.Write, *u.Key, false}}, changes: true}
	id := "uploadId=" + signer.EncodeQuery(*u.UploadId)
	switch m.random.IntN(6) {
	case 0, 1:
		mark = m.mark(*u.Key)
		s.name, s.sent, s.request = "part", mark, m.viaS3(who, "PUT", at(*u.Key)+"?partNumber=1&"+id, "part "+mark)
	case 2:
		from, header := m.source()
		s.name, s.needs = "part by copy", append(s.needs, from)
		s.request = m.viaS3(who, "PUT", at(*u.Key)+"?partNumber=1&"+id, "", "X-Amz-Copy-Source", header)
		s.check = func(answer) { m.copied(from.key, *u.Key) }
	case 3:
		s.name, s.needs = "list parts", []need{{gateway.Read, *u.Key, false}}
		s.refused = who == callerNobody
		s.request = m.viaS3(who, "GET", at(*u.Key)+"?"+id, "")
	case 4:
		s.name, s.request = "abort", m.viaS3(who, "DELETE", at(*u.Key)+"?"+id, "")
	default:
		s.name = "complete"
		etag := `"00000000000000000000000000000000"`
		parts, err := m.direct.ListParts(m.t.Context(), &s3.ListPartsInput{Bucket: &m.bucket, Key: u.Key, UploadId: u.UploadId})
		if err == nil && len(parts.Parts) > 0 {
			etag = *parts.Parts[0].ETag
		}
		s.request = m.viaDocument(who, "POST", at(*u.Key)+"?"+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"+etag+"</ETag></Part></CompleteMultipartUpload>")
		s.check = func(got answer) { m.saw(*u.Key, got) }
	}
	return s
}

func (m *policyPrograms) createMultipart(who string) step {
	key := one(m.random, oracleKeys)
	mark := m.mark(key)
	s := step{name: "create a multipart upload", who: who, needs: []need{{gateway.Write, key, false}}, sent: mark, changes: true, must: true,
		request: m.viaS3(who, "POST", at(key)+"?uploads", "", "X-Amz-Meta-Mark", mark)}
	s.check = func(got answer) {
		var doc struct{ UploadId string }
		if err := xml.Unmarshal(got.body, &doc); err != nil || doc.UploadId == "" {
			m.t.Errorf("%v %s", err, got.body)
		}
		m.uploads = append(m.uploads, types.MultipartUpload{Key: &key, UploadId: &doc.UploadId})
	}
	return s
}

func (m *policyPrograms) form(who string) step {
	if who == callerNobody {
		return m.putKey(who) // a form without a signature is refused before the policy is asked
	}
	key := one(m.random, oracleKeys)
	mark := m.mark(key)
	s := step{name: "form", who: who, needs: []need{{gateway.Write, key, false}}, sent: mark, changes: true, must: true}
	fields, conditions := map[string]string{"key": key}, fmt.Sprintf(`{"bucket":%q},["eq","$key",%q]`, m.bucket, key)
	if m.random.IntN(5) == 0 {
		s.name, s.must = "form with an ACL", false
		s.needs = append(s.needs, need{gateway.Manage, key, false})
		fields["acl"] = "public-read"
		conditions += `,{"acl":"public-read"}`
	}
	s.request = m.postFormBy(s3KeysOf(who), conditions, []byte("form "+mark), fields, nil)
	return s
}

func (m *policyPrograms) lifecycle(who string) step {
	prefix := one(m.random, []string{"a/", "a", "b", "c/", "uploads/", "uploads/in/", "z/"})
	rule, action := "<Expiration><Days>9</Days></Expiration>", gateway.Delete
	if m.random.IntN(2) == 0 {
		rule, action = "<NoncurrentVersionExpiration><NoncurrentDays>9</NoncurrentDays></NoncurrentVersionExpiration>", gateway.DeleteVersion
	}
	return step{name: "lifecycle, " + string(action), who: who, needs: []need{{gateway.Manage, "", true}}, changes: true, ruled: true, must: true,
		refused: who != callerOwner && m.policy.deniesAny(who, action, prefix),
		request: m.viaDocument(who, "PUT", "?lifecycle", fmt.Sprintf("<LifecycleConfiguration><Rule><ID>%s</ID><Status>Enabled</Status><Filter><Prefix>%s</Prefix></Filter>%s</Rule></LifecycleConfiguration>",
			m.mark(), prefix, rule))}
}

func (m *policyPrograms) manage(who string) step {
	query := one(m.random, []string{"?versioning", "?lifecycle", "?acl", "?object-lock"})
	s := step{name: "settings of the bucket", who: who, needs: []need{{gateway.Manage, "", true}}, request: m.viaS3(who, "GET", query, "")}
	if m.random.IntN(2) == 0 {
		key := one(m.random, oracleKeys)
		s.name, s.needs = "ACL of an object", []need{{gateway.Manage, key, false}}
		s.request = m.viaS3(who, "GET", at(key)+"?acl", "")
	}
	return s
}

func (m *policyPrograms) reserved(who string) step {
	return step{name: "the gateway's own keys", who: who, refused: true, changes: true,
		request: m.viaS3(who, one(m.random, []string{"GET", "PUT", "DELETE"}), "/.s3gateway/x", "")}
}

// apiElsewhere names an object that is no file of the upload API.
func (m *policyPrograms) apiElsewhere(who string) step {
	key := one(m.random, []string{"a/x", "ab", "b", "c/d/e"})
	method, path := "GET", "metadata"+at(key)
	if m.random.IntN(2) == 0 {
		method, path = "POST", "complete"+at(key)
	}
	return step{name: "api, outside of its prefix", who: who, refused: true, changes: true, request: m.viaAPI(who, method, path, "")}
}

func (m *policyPrograms) apiComplete(who string) step {
	key := m.fileKey()
	denied := who != callerOwner && m.policy.deniesAny(who, gateway.Read, key)
	return step{name: "api complete", who: who, needs: []need{{gateway.Write, key, false}}, refused: who == callerNobody || denied, request: m.viaAPI(who, "POST", "complete"+at(key), "")}
}

func (m *policyPrograms) apiRead(who string) step {
	key := m.fileKey()
	return step{name: "api read", who: who, needs: []need{{gateway.Read, key, false}}, refused: who == callerNobody,
		request: m.viaAPI(who, "GET", one(m.random, []string{"download", "metadata"})+at(key), "")}
}

func (m *policyPrograms) apiDirect(who string) step {
	s := step{name: "api direct", who: who, needs: []need{m.newFile()}, refused: who == callerNobody, changes: true, must: true}
	s.sent = m.mark()
	s.request = m.viaAPI(who, "PUT", "direct?filename=n.txt", "file "+s.sent, "Content-Type", "text/plain")
	s.check = func(got answer) { m.created(got, s.sent) }
	return s
}

// created notes a new file.
func (m *policyPrograms) created(got answer, marks ...string) (key string) {
	doc := got.json(m.t)
	key, _ = doc["file_id"].(string)
	version, _ := doc["version_id"].(string)
	for _, mark := range marks {
		m.holders[mark] = append(m.holders[mark], key)
	}
	m.versions = append(m.versions, types.ObjectIdentifier{Key: &key, VersionId: aws.String(cmp.Or(version, "null"))})
	return key
}

func (m *policyPrograms) apiDelete(who string) step {
	key := m.fileKey()
	return step{name: "api delete", who: who, needs: []need{{gateway.Delete, key, false}}, refused: who == callerNobody, changes: true, request: m.viaAPI(who, "DELETE", key, "")}
}

func (m *policyPrograms) apiBatch(who string) step {
	ids := []string{m.fileKey(), m.fileKey()}
	body, _ := json.Marshal(map[string]any{"file_ids": ids})
	s := step{name: "api delete a batch", who: who, some: true, needs: []need{{action: gateway.Delete}, {action: gateway.Delete}}, changes: true, must: true,
		request: m.viaAPI(who, "POST", "delete", string(body), "Content-Type", "application/json")}
	before := m.present()
	s.check = func(got answer) {
		var doc struct {
			Results []struct {
				ID     string `json:"file_id"`
				Status int
			}
		}
		if err := json.Unmarshal(got.body, &doc); err != nil || len(doc.Results) != len(ids) {
			m.t.Errorf("%v %s", err, got.body)
		}
		after := m.present()
		for _, r := range doc.Results {
			allowed := m.policy.allows(who, need{gateway.Delete, r.ID, false})
			if (r.Status == http.StatusForbidden) == allowed || !allowed && before[r.ID+" "] && !after[r.ID+" "] {
				m.t.Errorf("batch of %q: the oracle says of %q allowed: %v, the answer is %s", who, r.ID, allowed, got.body)
			}
		}
	}
	return s
}

func (m *policyPrograms) apiPatch(who string) step {
	key := m.fileKey()
	s := step{name: "api change", who: who, needs: []need{{gateway.Write, key, false}, {gateway.Read, key, false}}, refused: who == callerNobody, changes: true, sent: m.mark(key),
		tagged: &s3.GetObjectTaggingInput{Bucket: &m.bucket, Key: &key}}
	body := fmt.Sprintf(`{"tags":{"tag":%q}}`, s.sent)
	if m.random.IntN(2) == 0 {
		body = `{"filename":"renamed.txt"}` // no mark: copies have it in their keys, which list shows
	}
	s.request = m.viaAPI(who, "PATCH", "metadata"+at(key), body, "Content-Type", "application/json")
	return s
}

func (m *policyPrograms) apiCopy(who string) step {
	key, move := m.fileKey(), m.random.IntN(2) == 0
	s := step{name: "api copy", who: who, needs: []need{{gateway.Read, key, false}, m.newFile()}, refused: who == callerNobody, changes: true}
	if move {
		s.name, s.needs = "api move", append(s.needs, need{gateway.Delete, key, false})
	}
	s.request = m.viaAPI(who, "POST", "copy", fmt.Sprintf(`{"file_id":%q,"move":%t}`, key, move), "Content-Type", "application/json")
	s.check = func(got answer) { m.copied(key, m.created(got)) }
	return s
}

func (m *policyPrograms) apiList(who string) step {
	prefix := one(m.random, []string{"uploads/", "uploads/in/"})
	return step{name: "api list", who: who, needs: []need{{gateway.List, prefix, true}}, refused: who == callerNobody, must: true, request: m.viaAPI(who, "GET", "list?prefix="+prefix, "")}
}

func (m *policyPrograms) apiResumable(who string) step {
	s := step{name: "api resumable", who: who, needs: []need{m.newFile()}, refused: who == callerNobody, changes: true, must: true,
		request: m.viaAPI(who, "POST", "resumable", "", "Tus-Resumable", "1.0.0", "Upload-Length", "40", "Upload-Metadata", "filename bi50eHQ=")}
	s.check = func(got answer) {
		address := got.header.Get("Location")
		address = m.url + address[strings.Index(address, "/api/"):]
		m.resumes = append(m.resumes, ownedResume{owner: who, at: address})
	}
	return s
}

// apiResume goes on with an upload of any caller: only its own may, while it may
// write.
func (m *policyPrograms) apiResume(who string) step {
	if len(m.resumes) == 0 || m.random.IntN(6) == 0 {
		return m.apiResumable(who)
	}
	i := m.random.IntN(len(m.resumes))
	u := &m.resumes[i]
	s := step{who: who, needs: []need{m.newFile()}, refused: who != u.owner, hidden: who != callerNobody, changes: true, sent: m.mark()}
	body := fmt.Sprintf("%-20s", s.sent)
	headers := []string{"Tus-Resumable", "1.0.0"}
	method := one(m.random, []string{"PATCH", "PATCH", "HEAD", "DELETE", "GET"})
	switch s.name = "api resumable, " + method; method {
	case "PATCH":
		headers = append(headers, "Upload-Offset", strconv.Itoa(u.offset), "Content-Type", "application/offset+octet-stream")
	default:
		body = ""
	}
	s.request = m.viaAPI(who, method, "", body, headers...)
	s.request.URL.Path = u.at[len(m.url):]
	s.check = func(got answer) {
		if method != "PATCH" {
			return
		}
		u.offset += len(body)
		if id := got.header.Get("X-File-Id"); id != "" {
			m.versions = append(m.versions, types.ObjectIdentifier{Key: &id, VersionId: aws.String("null")})
			u.key = id
		}
		m.holders[s.sent] = append(m.holders[s.sent], m.newFile().key+"x")
	}
	return s
}

// apiLink asks for a link to a file, or to a place for one.
func (m *policyPrograms) apiLink(who string) step {
	if m.random.IntN(2) == 0 {
		s := step{name: "api presigned", who: who, needs: []need{m.newFile()}, refused: who == callerNobody, must: true,
			request: m.viaAPI(who, "POST", "presigned", `{"filename":"n.txt","content_type":"text/plain"}`, "Content-Type", "application/json")}
		return s
	}
	return m.apiLinkTo(who, m.fileKey())
}

func (m *policyPrograms) apiLinkTo(who, key string) step {
	s := step{name: "api download link", who: who, needs: []need{{gateway.Read, key, false}}, refused: who == callerNobody, request: m.viaAPI(who, "GET", "download"+at(key)+"/url", "")}
	s.check = func(got answer) {
		to, _ := got.json(m.t)["download_url"].(string)
		m.links = append(m.links, ownedLink{who, key, to})
	}
	return s
}

// useLink follows a link, as anybody may: it does what its maker may do now.
func (m *policyPrograms) useLink(who string) step {
	if len(m.links) == 0 {
		return m.apiLink(who)
	}
	l := one(m.random, m.links)
	r := newRequest(m.t, "GET", l.url, nil)
	r.Host = r.URL.Host
	r.URL.Host = strings.TrimPrefix(m.url, "http://")
	return step{name: "link", who: l.owner, needs: []need{{gateway.Read, l.key, false}}, request: r}
}

// The oracle itself, on the cases that docs/policy.md names.
func TestTheOracleOfThePolicy(t *testing.T) {
	grant := func(deny bool, prefix string, actions ...gateway.Action) oracleGrant {
		return oracleGrant{deny: deny, here: true, near: true, now: true, prefix: prefix, actions: actions}
	}
	p := &oraclePolicy{grants: map[string][]oracleGrant{callerOne: {
		grant(false, "", gateway.List, gateway.Read, gateway.Delete), grant(true, "a/b/", gateway.List, gateway.Delete), grant(false, "a/", gateway.DeleteVersion),
	}}}
	for _, c := range []struct {
		asked need
		want  bool
	}{
		{need{gateway.Read, "a/b/y", false}, true},
		{need{gateway.ReadVersion, "a/b/y", false}, false},
		{need{gateway.List, "a/", true}, false},
		{need{gateway.List, "c/", true}, true},
		{need{gateway.DeleteVersion, "a/x", false}, true},
		{need{gateway.DeleteVersion, "a/b/y", false}, false},
		{need{gateway.Delete, "a//b/y", false}, false},
		{need{gateway.Read, ".s3gateway/x", false}, false},
	} {
		if got := p.allows(callerOne, c.asked); got != c.want {
			t.Errorf("%v: %v", c.asked, got)
		}
	}
	if !bytes.Contains([]byte(p.yaml("files")), []byte(`{deny: true, bucket: "", actions: [list, delete], prefix: "a/b/"}`)) {
		t.Error(p.yaml("files"))
	}
}
