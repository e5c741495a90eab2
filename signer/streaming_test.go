package signer

import (
	"io"
	"strings"
	"testing"
	"time"
)

// The examples of AWS's documentation on chunked uploads, whole: from the seed
// request through every chunk. Credentials and signatures are the published
// ones (sigv4-streaming.html and sigv4-streaming-trailers.html).
func TestStreamingExamplesOfAWS(t *testing.T) {
	data := strings.Repeat("a", 66560)
	chunk := func(size, signature string) string { return size + ";chunk-signature=" + signature + "\r\n" }
	for _, c := range []struct {
		name, mode, header, names, seed, body string
	}{
		{
			name: "signed chunks", mode: StreamingSigned,
			header: "Content-Length: 66824\r\n",
			names:  "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
			seed:   "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
			body: chunk("10000", "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648") + data[:65536] + "\r\n" +
				chunk("400", "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497") + data[65536:] + "\r\n" +
				chunk("0", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9") + "\r\n",
		},
		{
			name: "signed chunks and trailer", mode: StreamingSignedTrailer,
			header: "x-amz-trailer: x-amz-checksum-crc32c\r\n",
			names:  "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
			seed:   "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
			body: chunk("10000", "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2") + data[:65536] + "\r\n" +
				chunk("400", "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7") + data[65536:] + "\r\n" +
				chunk("0", "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992") +
				"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			head := "PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\nx-amz-date: 20130524T000000Z\r\n" +
				"x-amz-storage-class: REDUCED_REDUNDANCY\r\nContent-Encoding: aws-chunked\r\nx-amz-decoded-content-length: 66560\r\n" +
				"x-amz-content-sha256: " + c.mode + "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," +
				"SignedHeaders=" + c.names + ",Signature=" + c.seed + "\r\n"
			v := &Verifier{
				Secrets: secrets{"AKIAIOSFODNN7EXAMPLE": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
				Now:     func() time.Time { return time.Date(2013, 5, 24, 0, 1, 0, 0, time.UTC) },
			}
			r := received(t, head+c.header+"\r\n")
			r.Body = io.NopCloser(strings.NewReader(c.body))
			if r.ContentLength <= 0 {
				r.ContentLength = int64(len(c.body))
			}
			a := mustVerify(t, v, r)
			b, err := a.OpenBody(r, BodyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(b)
			if err != nil || string(got) != data {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}
