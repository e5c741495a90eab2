package kills

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Trouble is what can happen to a connection between the gateway and its store.
type Trouble int

// The troubles. FlipUp changes one byte on the way to the store; on the way back
// only whole objects have a checksum.
const (
	None Trouble = iota
	FlipUp
	Cut
	Truncate
	Stall
	troubles
)

var troubleNames = [troubles]string{"none", "a byte flipped on the way to the store", "both ends cut", "an answer cut short", "a stall of up to 1.5 s"}

// String returns the trouble in words.
func (t Trouble) String() string { return troubleNames[t] }

// headBytes is the head of a request. A byte that flips in it can have the store
// wait for more of it, and the gateway for an answer, for two minutes.
const headBytes = 1500

// troubleBytes bounds how many bytes pass before a trouble.
const troubleBytes = 1 << 20

// Wire carries connections to a store and troubles some of them.
type Wire struct {
	Addr string // where it listens
	// Happened counts the troubles by their kind.
	Happened [troubles]atomic.Int64

	to       string
	listener net.Listener
	mu       sync.Mutex
	rnd      *rand.Rand
}

// NewWire listens for connections to the address to, one in four of which has a
// trouble.
func NewWire(to string, rnd *rand.Rand) (*Wire, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &Wire{Addr: l.Addr().String(), to: to, listener: l, rnd: rnd}
	go w.run()
	return w, nil
}

// Close ends listening. Connections end with their ends.
func (w *Wire) Close() { w.listener.Close() }

func (w *Wire) run() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.to)
		if err != nil {
			client.Close()
			continue
		}
		kind, after, pause := w.choose()
		up, down := passage{wire: w, to: server, from: client}, passage{wire: w, to: client, from: server}
		switch kind {
		case FlipUp, Stall:
			up.kind, up.after, up.pause = kind, after, pause
		case Cut, Truncate:
			down.kind, down.after = kind, after
		}
		go up.run()
		go down.run()
	}
}

func (w *Wire) choose() (kind Trouble, after int64, pause time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rnd.IntN(4) == 0 {
		kind = Trouble(1 + w.rnd.IntN(int(troubles)-1))
	}
	after = w.rnd.Int64N(troubleBytes)
	if w.rnd.IntN(2) == 0 { // soon: most connections carry little
		after = w.rnd.Int64N(4 << 10)
	}
	if kind == FlipUp {
		after += headBytes
	}
	return kind, after, time.Duration(w.rnd.IntN(1500)) * time.Millisecond
}

// passage is one direction of a connection.
type passage struct {
	wire     *Wire
	to, from net.Conn
	kind     Trouble
	after    int64 // bytes before the trouble
	pause    time.Duration
}

func (p *passage) run() {
	defer p.to.Close()
	defer p.from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := p.from.Read(buf)
		piece := buf[:n]
		if p.kind != None && p.after < int64(n) {
			if piece = p.trouble(piece); piece == nil {
				return
			}
		}
		p.after -= int64(n)
		if _, failed := p.to.Write(piece); failed != nil || err != nil {
			return
		}
	}
}

// trouble does what is to happen within a piece, and returns what goes on: nil if
// nothing does.
func (p *passage) trouble(piece []byte) []byte {
	kind := p.kind
	p.kind = None
	p.wire.Happened[kind].Add(1)
	switch kind {
	case FlipUp:
		piece[p.after] ^= 1 << (p.after % 8)
	case Stall:
		time.Sleep(p.pause)
	case Truncate:
		_, _ = p.to.Write(piece[:p.after])
		if tcp, ok := p.to.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, p.from)
		return nil
	case Cut:
		return nil
	}
	return piece
}
