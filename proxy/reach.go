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
	actions []gateway.Action
	// removes is true where objects go away or to another class of storage: the
	// gateway's own state must not.
	removes bool
}

// putReaching serves a document by which the store acts on keys.
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
	return d.forward(x, doc.request(x))
}

func (d *Door) mayReach(x *exchange, r reach) error {
	for _, action := range r.actions {
		err := d.Policy.DeniesAny(x.r.Context(), x.asking(question{action: action, bucket: x.addr.Bucket, key: r.prefix, keys: policy.EveryKey}))
		if err != nil {
			return gateway.Errorf(gateway.AccessDenied, "The document acts on keys that begin %q, and a denial of %s holds for some of them.", r.prefix, action).Because(err)
		}
	}
	if r.removes && !x.at.Backend.SparesReserved && (strings.HasPrefix(gateway.ReservedPrefix, r.prefix) || strings.HasPrefix(r.prefix, gateway.ReservedPrefix)) {
		return gateway.Errorf(gateway.AccessDenied, "A rule on keys that begin %q would also act on %s, which belongs to the gateway: give it a narrower prefix.", r.prefix, gateway.ReservedPrefix)
	}
	return nil
}

// reachesOf are what the document of an operation has the store do. One that is
// not read rule by rule is about the whole bucket.
func reachesOf(op *Operation, raw []byte) ([]reach, error) {
	switch {
	case op.Name == "PutBucketLifecycleConfiguration":
		return lifecycleReaches(raw)
	case op.Name == "PutBucketReplication":
		return ruleReaches(raw, op.Reaches)
	}
	return []reach{{actions: op.Reaches}}, nil
}

// lifecycleRule is what a rule of a lifecycle does, by its elements
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html).
// ExpiredObjectAllVersions and DelMarkerExpiration are MinIO's.
var lifecycleRule = map[string]reach{
	"Expiration":                     {actions: []gateway.Action{gateway.Delete}, removes: true},
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
			does.prefix = rule.prefix
			all = append(all, does)
		}
	}
	return all, err
}

// ruleReaches has every rule do the same.
func ruleReaches(raw []byte, actions []gateway.Action) (all []reach, err error) {
	rules, err := readRules(raw)
	for _, rule := range rules {
		all = append(all, reach{prefix: rule.prefix, actions: actions})
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
			s.rules[len(s.rules)-1].prefix += string(t)
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
	case len(s.path) == 3 && !slices.Contains(ruleWords, name), name == "ExpiredObjectAllVersions":
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
