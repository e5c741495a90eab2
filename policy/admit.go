package policy

import (
	"bytes"
	"io"

	"github.com/codeguardians/s3gateway"
)

// Admit decides on an upload before its first byte goes on. It checks what was
// declared, then, while a type rule holds, reads up to SniffLen bytes and judges
// them. The reader that it returns gives those bytes again and counts all of
// them, as NewSizeReader does; it does not close body, which may be nil for an
// empty one. The type is the one that the REST door stores (see DetectType);
// under */* it is made without a look at the bytes.
//
// A refusal is a *gateway.Error. An error of body while its beginning is read is
// returned as it is.
func (l Limits) Admit(u Upload, body io.Reader) (io.Reader, string, error) {
	admitted, contentType, err := l.admit(u, body)
	if err != nil || l.clean == nil {
		return admitted, contentType, err
	}
	u.Key = gateway.CleanKey(u.Key)
	admitted, _, err = l.clean.admit(u, admitted)
	return admitted, contentType, err
}

func (l Limits) admit(u Upload, body io.Reader) (io.Reader, string, error) {
	declared, whole := u.ContentType, l
	check := l.CheckSize
	if u.Part > 0 {
		// The smallest size is the object's, which the sum of all parts makes.
		declared, whole.MinSize, check = "", 0, l.CheckLargest
	}
	if err := check(u.Size); err != nil {
		return nil, "", err
	}
	if err := l.CheckDeclared(declared, u.Key); err != nil {
		return nil, "", err
	}
	if body == nil {
		body = bytes.NewReader(nil)
	}
	body = newSizeReader(body, whole)
	if !l.NeedsBytes() || u.Part > 1 {
		return body, DetectType(declared, u.Key, nil), nil
	}
	head, ended, err := readHead(body)
	if err != nil {
		return nil, "", err
	}
	content := Content{Declared: declared, Key: u.Key, Head: head, HeadKnown: true,
		Empty: len(head) == 0, DeclaredUnknown: u.Part > 0}
	if err := l.checkContent(content); err != nil {
		return nil, "", err
	}
	detected := DetectType(declared, u.Key, head)
	if ended {
		return bytes.NewReader(head), detected, nil
	}
	return io.MultiReader(bytes.NewReader(head), body), detected, nil
}

// readHead reads SniffLen bytes, or fewer when the body ends before (ended).
// io.ReadFull will not do: it says ErrUnexpectedEOF both for a short body and
// for one that was cut off.
func readHead(body io.Reader) (head []byte, ended bool, err error) {
	const patience = 100 // reads without a byte, as bufio has it
	buf := make([]byte, SniffLen)
	n := 0
	for idle := 0; n < len(buf); {
		got, err := body.Read(buf[n:])
		n += got
		if err == io.EOF {
			return buf[:n], true, nil
		}
		if err != nil {
			return nil, false, err
		}
		if idle++; got > 0 {
			idle = 0
		}
		if idle >= patience {
			return nil, false, io.ErrNoProgress
		}
	}
	return buf, false, nil
}
