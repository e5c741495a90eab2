package quota

import (
	"context"
	"errors"
	"testing"
)

// What is reserved counts until it is settled, and no more.
func TestReservationsHoldTheQuota(t *testing.T) {
	var l Local
	ctx, most := context.Background(), Usage{Bytes: 100, Objects: 3}
	if _, _, err := l.Reserve(ctx, "q", Usage{1, 1}, most); !errors.Is(err, ErrNotCounted) {
		t.Fatalf("before it was counted: %v", err)
	}
	if err := l.Counted(ctx, "q", Usage{40, 1}, Usage{}); err != nil {
		t.Fatal(err)
	}
	reserve := func(growth Usage, want Over) Ticket {
		t.Helper()
		ticket, over, err := l.Reserve(ctx, "q", growth, most)
		if over != want || err != nil {
			t.Errorf("%+v: %v %v, want %v", growth, over, err, want)
		}
		return ticket
	}
	first := reserve(Usage{60, 1}, Fits)
	reserve(Usage{1, 0}, OverBytes)
	reserve(Usage{0, 2}, OverObjects)
	reserve(Usage{-500, 0}, Fits) // what takes room away always fits, and makes none before it is done
	reserve(Usage{1, 0}, OverBytes)
	if used, _ := l.Settle(ctx, "q", []Ticket{first}, Usage{30, 1}, first.Count); used != (Usage{70, 2}) {
		t.Errorf("settled: %+v", used)
	}
	reserve(Usage{31, 0}, OverBytes)
	reserve(Usage{30, 1}, Fits)
}

// A counting goes by what it found and by what was added while it ran. What was
// taken away while it ran may be in it already.
func TestACountingUnderWay(t *testing.T) {
	for name, tt := range map[string]struct {
		change         Usage
		settledBetween bool
		want           Usage
	}{
		"added while it ran":             {Usage{10, 1}, true, Usage{60, 6}},
		"taken away while it ran":        {Usage{-10, -1}, true, Usage{50, 5}},
		"begun before, added after":      {Usage{10, 1}, false, Usage{60, 6}},
		"begun before, taken away after": {Usage{-10, -1}, false, Usage{50, 5}},
		"one of each":                    {Usage{-10, 1}, false, Usage{50, 6}},
	} {
		var l Local
		ctx := context.Background()
		_ = l.Counted(ctx, "q", Usage{70, 7}, Usage{})
		ticket, _, _ := l.Reserve(ctx, "q", tt.change, Usage{})
		before, _ := l.Grown(ctx, "q")
		if tt.settledBetween {
			_, _ = l.Settle(ctx, "q", []Ticket{ticket}, tt.change, ticket.Count)
		}
		_ = l.Counted(ctx, "q", Usage{50, 5}, before)
		if !tt.settledBetween {
			_, _ = l.Settle(ctx, "q", []Ticket{ticket}, tt.change, ticket.Count)
		}
		if got, _, _ := l.Used(ctx, "q"); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
