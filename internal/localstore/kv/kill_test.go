package kv

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// childEnv makes the test binary a process that writes until it is killed. Its
// value is the path of the database.
const childEnv = "KV_TEST_CHILD"

const workers = 8

// childMain commits numbers, each worker its own, and prints those that are
// acknowledged.
func childMain(path string) {
	d, err := Open(Options{Path: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for {
				var n uint64
				err := d.Commit(func(tx *Tx) (err error) {
					n, err = countUp(tx, w)
					return err
				})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Printf("%d %d\n", w, n)
			}
		})
	}
	wg.Wait()
}

// countUp adds one to the number of a worker, writes a row for the new number
// and deletes the one of 50 numbers before.
func countUp(tx *Tx, worker int) (uint64, error) {
	key := fmt.Appendf(nil, "worker%d", worker)
	value, err := tx.Get("last", key)
	if err != nil {
		return 0, err
	}
	n := uint64(1)
	if value != nil {
		n += binary.BigEndian.Uint64(value)
	}
	if err := tx.Put("last", key, binary.BigEndian.AppendUint64(nil, n)); err != nil {
		return 0, err
	}
	if n > 50 {
		if err := tx.Delete("rows", numbered(worker, n-50)); err != nil {
			return 0, err
		}
	}
	return n, tx.Put("rows", numbered(worker, n), make([]byte, 1000))
}

func numbered(worker int, n uint64) []byte { return fmt.Appendf(nil, "%d/%020d", worker, n) }

// TestAKilledProcessLosesNothingAcknowledged kills a process that commits, again
// and again on the same file.
func TestAKilledProcessLosesNothingAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.db")
	random := rand.New(rand.NewPCG(3, 3))
	kills := 15
	if testing.Short() {
		kills = 3
	}
	for range kills {
		acknowledged := runAndKill(t, path, 1+random.IntN(400))
		d := open(t, path)
		for w := range workers {
			if err := d.View(func(tx *Tx) error { return checkWorker(tx, w, acknowledged[w]) }); err != nil {
				t.Errorf("worker %d: %v", w, err)
			}
		}
		if err := d.CheckPages(t.Context()); err != nil {
			t.Error(err)
		}
		_ = d.Close()
	}
}

// runAndKill runs the child until it has acknowledged count commits, kills it
// and returns the last acknowledged number of each worker.
func runAndKill(t *testing.T, path string, count int) (last [workers]uint64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+path)
	var stderr strings.Builder
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(time.Minute, func() { _ = child.Process.Kill() })
	defer guard.Stop()
	lines := 0
	for scan := bufio.NewScanner(out); scan.Scan(); {
		var w int
		var n uint64
		if _, err := fmt.Sscanf(scan.Text(), "%d %d", &w, &n); err != nil {
			break // the line that the kill cut
		}
		last[w] = n
		if lines++; lines == count {
			_ = child.Process.Kill()
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = child.Wait()
	if lines < count {
		t.Fatalf("%d of %d commits: %s", lines, count, &stderr)
	}
	return last
}

// checkWorker checks that the rows of a worker are those of one number, which
// is not less than the acknowledged one.
func checkWorker(tx *Tx, worker int, acknowledged uint64) error {
	value, err := tx.Get("last", fmt.Appendf(nil, "worker%d", worker))
	if err != nil {
		return err
	}
	var last uint64
	if value != nil {
		last = binary.BigEndian.Uint64(value)
	}
	if last < acknowledged {
		return fmt.Errorf("%d is stored, %d was acknowledged", last, acknowledged)
	}
	c, next := tx.Cursor("rows"), max(last, 50)-50+1
	for ok := c.Seek(numbered(worker, 0)); ok && next <= last; ok = c.Next() {
		if got := string(c.Key()); got != string(numbered(worker, next)) {
			return fmt.Errorf("row %s, want %d", got, next)
		}
		if _, err := c.Value(); err != nil {
			return err
		}
		next++
	}
	if next != last+1 {
		return fmt.Errorf("row %d is absent, the last is %d", next, last)
	}
	return nil
}
