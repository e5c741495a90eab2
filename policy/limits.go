package policy

import "github.com/codeguardians/s3gateway"

// Limits are the size and type rules of one upload. The zero value has no size
// limit and allows no type.
type Limits struct {
	MaxSize int64 // decoded bytes, 0: no limit
	Types   Types

	sizeSetting string // what made MaxSize; "" for MAX_FILE_SIZE
}

// Limits gives the rules that hold for a key of a bucket, as clients name it,
// whoever the caller is.
func (p *Policy) Limits(bucket, key string) Limits {
	return p.LimitsFor(gateway.Caller{}, bucket, key)
}

// LimitsFor gives the rules that hold for a caller's upload to a key of a
// bucket, as clients name it. Size and types are decided apart: what the bucket
// or the caller has of its own takes the place of the global setting, and where
// both have one both hold (the smaller size; a type must be in both lists). The
// scope narrows the global settings only.
func (p *Policy) LimitsFor(c gateway.Caller, bucket, key string) Limits {
	l := Limits{MaxSize: p.MaxFileSize, Types: p.Types}
	if p.Scope == ScopeUploads && !under(key, p.UploadPrefix) {
		l = Limits{Types: AnyType()}
	}
	if p.Rules == nil {
		return l
	}
	var ofBucket, ofCaller *ownLimits
	if b := p.Rules.buckets[bucket]; b != nil {
		ofBucket = &b.limits
	}
	if own := p.Rules.callers[c.Name]; own != nil {
		ofCaller = &own.limits
	}
	l.ownSize(ofBucket, ofCaller)
	l.ownTypes(ofBucket, ofCaller)
	return l
}

// ownSize takes the smallest of the sizes, of which 0 is the largest.
func (l *Limits) ownSize(all ...*ownLimits) {
	given := false
	for _, own := range all {
		if own == nil || own.maxSize == nil {
			continue
		}
		if size := *own.maxSize; !given || size > 0 && (l.MaxSize <= 0 || size < l.MaxSize) {
			l.MaxSize, l.sizeSetting = size, own.sizeOf
		}
		given = true
	}
}

// ownTypes takes the types that are in every list.
func (l *Limits) ownTypes(all ...*ownLimits) {
	given := false
	for _, own := range all {
		switch {
		case own == nil || own.types == nil:
			continue
		case !given || l.Types.Any():
			l.Types = *own.types
		case !own.types.Any():
			l.Types.also = own.types
		}
		given = true
	}
}
