package proxy

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

// reach is what a store does by itself, at any later time, because of a document:
// it acts on every key that begins with a prefix. Without a check a caller that
// may manage a bucket, and not delete in a part of it, would have the store
// delete there.
type reach struct {
	prefix  string
	keys    policy.Keys // every key that begins with prefix, or prefix alone
	actions []gateway.Action
	// removes is true where objects go away or to another class of storage: the
	// gateway's own state must not.
	removes bool
}

// checkReach asks for what the operation's row says. What is in the rules of a
// document is asked for when that is read.
func (d *Door) checkReach(x *exchange) error {
	if x.op.ByRules || x.op.Name == "CreateBucket" && !needsManage(x.header) {
		return nil
	}
	r := reach{keys: policy.EveryKey, actions: x.op.Reaches}
	if x.op.Level == ObjectLevel {
		r.prefix, r.keys = x.addr.Key, policy.OneKey
	}
	return d.mayReach(x, r)
}

// putReaching serves a document by which the store acts on keys, or writes to another
// bucket.
func (d *Door) putReaching(x *exchange) error {
	doc, err := d.readDocument(x)
	if err != nil {
		return err
	}
	all, err := reachesOf(x.op, doc.raw)
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := d.mayReach(x, r); err != nil {
			return err
		}
	}
	if err := d.mayWriteTo(x, doc); err != nil {
		return err
	}
	return d.forward(x, doc.request(x))
}

// destination is where the store will write by itself. A bucket is named by itself or
// by its ARN.
type destination struct {
	Bucket       []string
	Prefix       []string
	TargetBucket []string
	TargetPrefix []string
}

// mayWriteTo asks for write over each place that a document has the store write to:
// replicas, inventories, reports and logs are bytes that no request brings. A place
// that is no bucket of this gateway is for those who may do everything.
func (d *Door) mayWriteTo(x *exchange, doc document) error {
	if !x.op.NamesBuckets || x.op.Name == "PutBucketPolicy" || len(doc.raw) == 0 {
		return nil
	}
	var named struct {
		Replication []destination `xml:"Rule>Destination"`
		Inventory   []destination `xml:"Destination>S3BucketDestination"`
		Analytics   []destination `xml:"StorageClassAnalysis>DataExport>Destination>S3BucketDestination"`
		Logging     []destination `xml:"LoggingEnabled"`
	}
	if err := doc.parse(&named); err != nil {
		return err
	}
	for _, to := range slices.Concat(named.Replication, named.Inventory, named.Analytics, named.Logging) {
		prefixes := append(to.Prefix, to.TargetPrefix...)
		if len(prefixes) != 1 {
			prefixes = []string{""}
		}
		for _, name := range append(to.Bucket, to.TargetBucket...) {
			if err := d.mayWriteBelow(x, strings.TrimPrefix(strings.TrimSpace(name), "arn:aws:s3:::"), prefixes[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Door) mayWriteBelow(x *exchange, bucket, prefix string) error {
	at, err := d.Buckets.Locate(bucket, false)
	if err != nil || at.renamed {
		if d.Policy.SeesEvery(x.caller) {
			return nil
		}
		return gateway.Errorf(gateway.AccessDenied, "%s has the storage write to %q, which is no bucket of this gateway.", x.op.Name, clip(bucket))
	}
	to := question{action: gateway.Write, bucket: bucket, key: prefix, keys: policy.EveryKey}
	if err := d.mayAll(x, to); err != nil {
		return gateway.Errorf(gateway.AccessDenied, "%s has the storage write to keys of %s that begin %q, for which write is not granted.", x.op.Name, clip(bucket), clip(prefix)).Because(err)
	}
	if err := d.Policy.DeniesAny(x.r.Context(), x.asking(to)); err != nil {
		return gateway.Errorf(gateway.AccessDenied, "%s has the storage write to keys of %s that begin %q, and a denial of write holds for some of them.", x.op.Name, clip(bucket), clip(prefix)).Because(err)
	}
	return nil
}

func (d *Door) mayReach(x *exchange, r reach) error {
	for _, action := range r.actions {
		err := d.Policy.DeniesAny(x.r.Context(), x.asking(question{action: action, bucket: x.addr.Bucket, key: r.prefix, keys: r.keys}))
		if err != nil {
			return gateway.Errorf(gateway.AccessDenied, "%s acts on keys that begin %q, and a denial of %s holds for some of them.", x.op.Name, r.prefix, action).Because(err)
		}
	}
	if r.removes && !x.at.Backend.SparesReserved && (strings.HasPrefix(gateway.ReservedPrefix, r.prefix) || strings.HasPrefix(r.prefix, gateway.ReservedPrefix)) {
		return gateway.Errorf(gateway.AccessDenied, "A rule on keys that begin %q would also act on %s, which belongs to the gateway: give it a narrower prefix.", r.prefix, gateway.ReservedPrefix)
	}
	return nil
}

// reachesOf are what the rules of an operation's document have the store do.
func reachesOf(op *Operation, raw []byte) ([]reach, error) {
	switch {
	case !op.ByRules:
		return nil, nil
	case op.Name == "PutBucketLifecycleConfiguration":
		return lifecycleReaches(raw)
	}
	return ruleReaches(raw, op.Reaches)
}

// lifecycleRule is what a rule of a lifecycle does, by its elements
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html).
// ExpiredObjectAllVersions and DelMarkerExpiration are MinIO's.
var lifecycleRule = map[string]reach{
	"Expiration":                     {actions: []gateway.Action{gateway.Delete}, removes: true},
	"ExpiredObjectDeleteMarker":      {actions: []gateway.Action{gateway.DeleteVersion}, removes: true},
	"ExpiredObjectAllVersions":       {actions: []gateway.Action{gateway.DeleteVersion}, removes: true},
	"DelMarkerExpiration":            {actions: []gateway.Action{gateway.DeleteVersion}, removes: true},
	"NoncurrentVersionExpiration":    {actions: []gateway.Action{gateway.DeleteVersion}, removes: true},
	"Transition":                     {actions: []gateway.Action{gateway.Write}, removes: true},
	"NoncurrentVersionTransition":    {actions: []gateway.Action{gateway.Write}, removes: true},
	"AbortIncompleteMultipartUpload": {actions: []gateway.Action{gateway.Write}},
}

// ruleWords are the elements of a rule that do nothing. Any other that is not in
// lifecycleRule may do everything.
var ruleWords = []string{"ID", "Status", "Priority", "Prefix", "Filter"}

func lifecycleReaches(raw []byte) (all []reach, err error) {
	rules, err := readRules(raw)
	for _, rule := range rules {
		for _, word := range rule.words {
			does, known := lifecycleRule[word]
			if !known {
				does = reach{actions: []gateway.Action{gateway.Write, gateway.Delete, gateway.DeleteVersion}, removes: true}
			}
			does.prefix, does.keys = rule.prefix, policy.EveryKey
			all = append(all, does)
		}
	}
	return all, err
}

// ruleReaches has every rule do the same.
func ruleReaches(raw []byte, actions []gateway.Action) (all []reach, err error) {
	rules, err := readRules(raw)
	for _, rule := range rules {
		all = append(all, reach{prefix: rule.prefix, keys: policy.EveryKey, actions: actions})
	}
	return all, err
}

// documentRule is one Rule of a document: what its keys begin with, and the
// elements that say what is done.
type documentRule struct {
	prefix string
	words  []string
}

// readRules reads the rules of a document. A filter by anything but a prefix
// narrows nothing here. Two prefixes in one rule are refused: a store may take
// another one than the gateway.
func readRules(raw []byte) (rules []documentRule, err error) {
	s := ruleScanner{decoder: xml.NewDecoder(bytes.NewReader(raw))}
	for {
		token, err := s.decoder.Token()
		if errors.Is(err, io.EOF) {
			return s.rules, nil
		}
		if err != nil {
			return nil, malformed(err)
		}
		if err := s.take(token); err != nil {
			return nil, err
		}
	}
}

type ruleScanner struct {
	decoder  *xml.Decoder
	path     []string
	rules    []documentRule
	prefixes int // of the open rule
}

func (s *ruleScanner) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		s.path = append(s.path, t.Name.Local)
		return s.open(t.Name.Local)
	case xml.EndElement:
		s.path = s.path[:len(s.path)-1]
	case xml.CharData:
		if s.inPrefix() {
			rule := &s.rules[len(s.rules)-1]
			if rule.prefix += string(t); len(rule.prefix) > maxKey {
				return malformed(errors.New("a prefix that is longer than a key"))
			}
		}
	}
	return nil
}

func (s *ruleScanner) open(name string) error {
	switch {
	case len(s.path) == 2 && name == "Rule":
		s.rules, s.prefixes = append(s.rules, documentRule{}), 0
	case len(s.path) < 3 || s.path[1] != "Rule": // the role of a replication, for one
	case s.inPrefix():
		if s.prefixes++; s.prefixes > 1 {
			return malformed(errors.New("a rule with two prefixes"))
		}
	case len(s.path) == 3 && !slices.Contains(ruleWords, name), name == "ExpiredObjectAllVersions", name == "ExpiredObjectDeleteMarker":
		rule := &s.rules[len(s.rules)-1]
		rule.words = append(rule.words, name)
	}
	return nil
}

// inPrefix reports whether the open element is what a rule's keys begin with.
func (s *ruleScanner) inPrefix() bool {
	path := strings.Join(s.path[min(1, len(s.path)):], "/")
	return path == "Rule/Prefix" || path == "Rule/Filter/Prefix" || path == "Rule/Filter/And/Prefix"
}
