package localstore

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/relay"
)

func benchStore(b *testing.B, change func(*Options)) *Store {
	o := Options{Dir: b.TempDir(), Bucket: "b", Log: zerolog.Nop()}
	if change != nil {
		change(&o)
	}
	s, err := Open(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkInlineThreshold compares objects in the database with objects in files
// of their own, with every sync.
func BenchmarkInlineThreshold(b *testing.B) {
	for _, size := range []int{4 << 10, 16 << 10, 32 << 10, 64 << 10, 128 << 10} {
		for name, inline := range map[string]int64{"database": 1 << 20, "file": -1} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, name), func(b *testing.B) {
				s := benchStore(b, func(o *Options) { o.InlineMax = inline })
				body, n := make([]byte, size), atomic.Int64{}
				b.SetParallelism(8)
				b.SetBytes(int64(size))
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						_, err := s.Put(b.Context(), PutInput{Bucket: "b", Key: fmt.Sprint("k", n.Add(1)), Body: bytes.NewReader(body), Expect: Expect{Length: int64(size)}})
						if err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			s := benchStore(b, nil)
			if _, err := s.Put(b.Context(), PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(make([]byte, size)), Expect: Expect{Length: int64(size)}}); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				o, err := s.Get(Ref{Bucket: "b", Key: "k"})
				if err != nil {
					b.Fatal(err)
				}
				r, _ := o.Open(Range{Length: int64(size)})
				if _, err := relay.Copy(io.Discard, r); err != nil { // as the gateway does
					b.Fatal(err)
				}
				r.Close()
				o.Close()
			}
		})
	}
}

func BenchmarkPutLarge(b *testing.B) {
	s := benchStore(b, nil)
	body := make([]byte, 64<<20)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := s.Put(b.Context(), PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(body), Expect: Expect{Length: int64(len(body))}}); err != nil {
			b.Fatal(err)
		}
	}
}
