package main

import (
	"bytes"
	"encoding/base64"
)

// png is a real picture of one pixel, filled up to size with bytes that no
// decoder looks at.
func png(size int) []byte {
	pixel, err := base64.StdEncoding.DecodeString(samplePNG)
	if err != nil {
		panic(err)
	}
	return append(pixel, bytes.Repeat([]byte{0}, max(0, size-len(pixel)))...)[:max(size, len(pixel))]
}

// page is HTML, whatever it is called.
func page(size int) []byte {
	const text = "<!DOCTYPE html><html><script>alert(1)</script></html>"
	return append([]byte(text), bytes.Repeat([]byte(" "), max(0, size-len(text)))...)
}
