package localstore

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/codeguardians/s3gateway/signer"
)

func TestTheCRCOfPartsIsThatOfTheirBytes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for algorithm := range polynomials {
		for range 50 {
			var whole []byte
			var pieces []piece
			for range 1 + random.IntN(5) {
				part := make([]byte, random.IntN(1000))
				for i := range part {
					part[i] = byte(random.Uint32())
				}
				h, _ := signer.NewChecksum(algorithm)
				h.Write(part)
				pieces = append(pieces, piece{size: int64(len(part)), checksum: h.Sum(nil)})
				whole = append(whole, part...)
			}
			h, _ := signer.NewChecksum(algorithm)
			h.Write(whole)
			got, err := combine(algorithm, pieces)
			if err != nil || !bytes.Equal(got, h.Sum(nil)) {
				t.Fatalf("%s of %d parts: %x, %v, want %x", algorithm, len(pieces), got, err, h.Sum(nil))
			}
		}
	}
}
