package policy

import "github.com/codeguardians/s3gateway"

// Limits are the rules of one upload: its size, type and name. The zero value
// has no size limit and allows no type.
type Limits struct {
	MaxSize int64 // decoded bytes, 0: no limit
	MinSize int64 // decoded bytes, 0: no limit
	Types   Types

	maxSetting, minSetting string // what made them; "" for MAX_FILE_SIZE
	// own are what the bucket and the caller have of their own.
	own [2]fitting
	// clean are those of the key that a store which cleans keys would use, where
	// that is another one: both hold. It has no further one.
	clean *Limits
}

// fitting are the own limits that hold for one key: of each kind the one of the
// most specific place.
type fitting struct {
	places      []ownLimits
	bucket, key string

	maxSize, minSize, types, extensions, names, verify *ownLimits
}

// Limits gives the rules that hold for a key of a bucket, as clients name it,
// whoever the caller is.
func (p *Policy) Limits(bucket, key string) Limits {
	return p.LimitsFor(gateway.Caller{}, bucket, key)
}

// LimitsFor gives the rules that hold for a caller's upload to a key of a
// bucket, as clients name it. Each kind of limit is decided by itself: what the
// bucket or the caller has of its own takes the place of the global setting, a
// limit of a longer prefix that of a shorter one, and where bucket and caller
// both have one both hold (the smaller size; a type must be in both lists).
// What is denied anywhere is denied. The scope narrows the global settings only.
// As with grants, those of a key that a store would clean hold for both spellings.
func (p *Policy) LimitsFor(c gateway.Caller, bucket, key string) Limits {
	l := p.limitsFor(c, bucket, key)
	if clean := gateway.CleanKey(key); clean != key {
		also := p.limitsFor(c, bucket, clean)
		l.clean = &also
	}
	return l
}

func (p *Policy) limitsFor(c gateway.Caller, bucket, key string) Limits {
	l := Limits{MaxSize: p.MaxFileSize, Types: p.Types}
	if p.Scope == ScopeUploads && !under(key, p.UploadPrefix) {
		l = Limits{Types: AnyType()}
	}
	if p.Rules == nil {
		return l
	}
	if b := p.Rules.buckets[bucket]; b != nil {
		l.own[0].take(b.limits, bucket, key)
	}
	if own := p.Rules.callers[c.Name]; own != nil {
		l.own[1].take(own.limits, bucket, key)
	}
	l.ownSizes()
	l.ownTypes()
	return l
}

// take goes through the places from the widest to the most specific one.
func (f *fitting) take(places []ownLimits, bucket, key string) {
	f.places, f.bucket, f.key = places, bucket, key
	for i := range places {
		o := &places[i]
		if !o.fits(bucket, key) {
			continue
		}
		for _, kind := range []struct {
			given bool
			to    **ownLimits
		}{
			{o.MaxSize != nil, &f.maxSize}, {o.MinSize != nil, &f.minSize}, {o.Types != nil, &f.types},
			{len(o.Extensions) > 0, &f.extensions}, {len(o.Names) > 0, &f.names}, {o.VerifyContent != nil, &f.verify},
		} {
			if kind.given {
				*kind.to = o
			}
		}
	}
}

// ownSizes takes the smallest of the largest sizes, of which 0 is the largest,
// and the largest of the smallest ones.
func (l *Limits) ownSizes() {
	given := false
	for i := range l.own {
		if own := l.own[i].maxSize; own != nil {
			if size := *own.MaxSize; !given || size > 0 && (l.MaxSize <= 0 || size < l.MaxSize) {
				l.MaxSize, l.maxSetting = size, own.maxOf
			}
			given = true
		}
		if own := l.own[i].minSize; own != nil && *own.MinSize > l.MinSize {
			l.MinSize, l.minSetting = *own.MinSize, own.minOf
		}
	}
}

// ownTypes takes the types that are in every list.
func (l *Limits) ownTypes() {
	given := false
	for i := range l.own {
		own := l.own[i].types
		switch {
		case own == nil:
			continue
		case !given || l.Types.Any():
			l.Types = *own.types
		case !own.types.Any():
			l.Types.also = own.types
		}
		given = true
	}
}

// verify says whether the bytes must agree with what was declared. Where bucket
// and caller differ they must.
func (l Limits) verify() (v Verify, by *ownLimits) {
	for i := range l.own {
		if own := l.own[i].verify; own != nil {
			if *own.VerifyContent {
				return VerifyAlways, own
			}
			v, by = VerifyNever, own
		}
	}
	return v, by
}

// denials gives the next list of denied types that holds, from a place on.
func (f *fitting) denials(from int) (denied *Types, next int) {
	for i := from; i < len(f.places); i++ {
		if o := &f.places[i]; o.denied != nil && o.fits(f.bucket, f.key) {
			return o.denied, i + 1
		}
	}
	return nil, len(f.places)
}

// NeedsBytes reports whether the first bytes are looked at: not while every type
// is allowed, none is denied and nobody asks whether the bytes agree with the
// declaration.
func (l Limits) NeedsBytes() bool {
	if v, _ := l.verify(); v == VerifyAlways || l.Types.NeedsBytes() {
		return true
	}
	for i := range l.own {
		if denied, _ := l.own[i].denials(0); denied != nil {
			return true
		}
	}
	return l.clean != nil && l.clean.NeedsBytes()
}

// Open reports whether nothing is limited: no size, no type and no name.
func (l Limits) Open() bool {
	if l.MaxSize > 0 || l.MinSize > 0 || l.NeedsBytes() {
		return false
	}
	for i := range l.own {
		if l.own[i].limitsNames() {
			return false
		}
	}
	return l.clean == nil || l.clean.Open()
}
