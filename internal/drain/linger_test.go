package drain

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// endless gives bytes until a time, as a client does that stops then.
type endless struct {
	until time.Time
	n     int64
}

func (e *endless) Read(p []byte) (int, error) {
	if !time.Now().Before(e.until) {
		return 0, io.ErrUnexpectedEOF
	}
	e.n += int64(len(p))
	return len(p), nil
}

// Behind what is drained at once a client is held up and not reset: little is read
// of it, and it ends when the client does.
func TestAClientThatGoesOnSendingIsHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		client := &endless{until: began.Add(time.Second)}
		linger(client)
		if took := time.Since(began); took < time.Second || took > time.Second+lingerPause {
			t.Errorf("ended after %s", took)
		}
		if most := int64(time.Second/lingerPause+1) * lingerBytes; client.n == 0 || client.n > most {
			t.Errorf("%d bytes were read, at most %d may be", client.n, most)
		}
	})
}
