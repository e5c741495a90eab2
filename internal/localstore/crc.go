package localstore

import (
	"encoding/binary"
	"hash/crc32"
)

// polynomials are those of the CRCs, reflected, with the width in bits.
var polynomials = map[string]struct {
	value uint64
	bits  int
}{
	"CRC32":     {uint64(crc32.IEEE), 32},
	"CRC32C":    {uint64(crc32.Castagnoli), 32},
	"CRC64NVME": {0x9a6c9329ac4bc9b5, 64},
}

// combine returns the CRC of parts that follow one another from their CRCs and
// lengths. CRCs are linear: appending n bytes multiplies the CRC before them by
// x^(8n) modulo the polynomial, and adds the CRC of the bytes.
func combine(algorithm string, pieces []piece) ([]byte, error) {
	p, ok := polynomials[algorithm]
	if !ok {
		return nil, refuse(InvalidRequest, "The checksum algorithm %s has no full object checksum.", algorithm)
	}
	var crc uint64
	for i, part := range pieces {
		sum := bigEndian(part.checksum)
		if i == 0 {
			crc = sum
			continue
		}
		crc = multiply(crc, power(uint64(part.size)*8, p.value, p.bits), p.value, p.bits) ^ sum
	}
	all := binary.BigEndian.AppendUint64(nil, crc)
	return all[8-p.bits/8:], nil
}

func bigEndian(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// multiply returns a·b modulo the polynomial. In reflected form the highest bit
// is the coefficient of x^0.
func multiply(a, b, polynomial uint64, bits int) (product uint64) {
	for bit := uint64(1) << (bits - 1); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ polynomial
		} else {
			b >>= 1
		}
	}
	return product
}

// power returns x^n modulo the polynomial.
func power(n, polynomial uint64, bits int) uint64 {
	result := uint64(1) << (bits - 1)
	square := uint64(1) << (bits - 2)
	for ; n != 0; n >>= 1 {
		if n&1 != 0 {
			result = multiply(result, square, polynomial, bits)
		}
		square = multiply(square, square, polynomial, bits)
	}
	return result
}
