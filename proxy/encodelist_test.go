package proxy

import "testing"

func TestEncodeNames(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"keys, prefixes and markers are encoded, the rest stays",
			`<?xml version="1.0"?>` + "\n" + `<R xmlns="x"><EncodingType></EncodingType><Name>b+c</Name><Prefix>a &amp;</Prefix><Contents><Key>a+b/100% é</Key><ETag>"+"</ETag></Contents><CommonPrefixes><Prefix>p /</Prefix></CommonPrefixes><NextMarker>~+</NextMarker></R>`,
			`<?xml version="1.0"?>` + "\n" + `<R xmlns="x"><EncodingType>url</EncodingType><Name>b+c</Name><Prefix>a+%26</Prefix><Contents><Key>a%2Bb/100%25+%C3%A9</Key><ETag>"+"</ETag></Contents><CommonPrefixes><Prefix>p+/</Prefix></CommonPrefixes><NextMarker>~%2B</NextMarker></R>`},
		{"an empty element stays empty", `<R><Prefix/></R>`, `<R><EncodingType>url</EncodingType><Prefix></Prefix></R>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := encodeNames([]byte(c.raw))
			if err != nil || string(got) != c.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
			}
		})
	}
	if got, err := encodeNames([]byte(`<R><Key>cut`)); err == nil {
		t.Errorf("a cut listing passed: %s", got)
	}
}
