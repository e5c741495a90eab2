package wire

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// Limits of tags
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
const (
	maxObjectTags = 10
	maxBucketTags = 50
	maxTagKey     = 128 // characters
	maxTagValue   = 256
)

// checkTags returns InvalidTag where a tag or the set of them breaks S3's rules.
func checkTags(tags []localstore.Pair) error {
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Name == "" || !validTag(t.Name, maxTagKey):
			return refuse("InvalidTag", "The TagKey you have provided is invalid").with("TagKey", t.Name)
		case strings.HasPrefix(strings.ToLower(t.Name), "aws:"):
			return refuse("InvalidTag", "System tags cannot be added/updated by requester").with("TagKey", t.Name)
		case !validTag(t.Value, maxTagValue):
			return refuse("InvalidTag", "The TagValue you have provided is invalid").with("TagKey", t.Name).with("TagValue", t.Value)
		case seen[t.Name]:
			return refuse("InvalidTag", "Cannot provide multiple Tags with the same key").with("TagKey", t.Name)
		}
		seen[t.Name] = true
	}
	return nil
}

func validTag(s string, limit int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) && !unicode.IsSpace(r) && !strings.ContainsRune("+-=._:/@", r)
	})
}

// headerTags returns the tags in x-amz-tagging.
func (x *exchange) headerTags() ([]localstore.Pair, error) {
	value := x.header.Get("X-Amz-Tagging")
	var tags []localstore.Pair
	for pair := range strings.SplitSeq(value, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		text, err2 := url.QueryUnescape(rawValue)
		if err != nil || err2 != nil || name == "" || slices.ContainsFunc(tags, func(t localstore.Pair) bool { return t.Name == name }) {
			return nil, badTags(value)
		}
		tags = append(tags, localstore.Pair{Name: name, Value: text})
	}
	if len(tags) > maxObjectTags {
		return nil, refuse("BadRequest", "Object tags cannot be greater than 10")
	}
	return tags, checkTags(tags)
}

func badTags(value string) *failure {
	return invalidArgument("x-amz-tagging", value, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
}

// readTags returns the tags of the request's document.
func (x *exchange) readTags(limit int, tooMany string) ([]localstore.Pair, error) {
	var doc struct {
		XMLName xml.Name `xml:"Tagging"`
		TagSet  *struct {
			Tag []struct {
				Key, Value *string
				strict
			}
			strict
		}
		strict
	}
	if err := x.readDocument("Tagging", &doc); err != nil {
		return nil, err
	}
	if doc.TagSet == nil {
		return nil, malformed()
	}
	tags := []localstore.Pair{}
	for _, t := range doc.TagSet.Tag {
		if t.Key == nil || t.Value == nil {
			return nil, malformed()
		}
		tags = append(tags, localstore.Pair{Name: *t.Key, Value: *t.Value})
	}
	if len(tags) > limit {
		return nil, refuse("BadRequest", "%s", tooMany)
	}
	return tags, checkTags(tags)
}

func taggingXML(tags []localstore.Pair) []byte {
	set := tree("TagSet")
	for _, t := range tags {
		set.kids = append(set.kids, tree("Tag", leaf("Key", t.Name), leaf("Value", t.Value)))
	}
	return marshal(inS3(tree("Tagging", set)))
}

func (x *exchange) getTags() (*answer, error) {
	v, err := x.stat()
	if err != nil {
		return nil, err
	}
	a := documentOf(taggingXML(v.Tags))
	setVersion(a.header, v)
	return a, nil
}

func (x *exchange) putTags() (*answer, error) {
	tags, err := x.readTags(maxObjectTags, "Object tags cannot be greater than 10")
	if err != nil {
		return nil, err
	}
	return x.setTags(tags, http.StatusOK)
}

func (x *exchange) deleteTags() (*answer, error) { return x.setTags(nil, http.StatusNoContent) }

func (x *exchange) setTags(tags []localstore.Pair, status int) (*answer, error) {
	ref, err := x.ref()
	if err != nil {
		return nil, err
	}
	v, err := x.store.SetTags(ref, tags)
	if err != nil {
		return nil, err
	}
	return about(status, v), nil
}
