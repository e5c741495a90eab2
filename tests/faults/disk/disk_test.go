package disk

import (
	"bytes"
	"slices"
	"syscall"
	"testing"
)

// file returns a disk with one file of 2 KiB of zeros, all of it synced.
func file(t *testing.T) (*Disk, *Node) {
	t.Helper()
	d := New()
	n, errno := d.Create(d.Root(), "f", false, 0o600)
	if errno != 0 {
		t.Fatal(errno)
	}
	write(t, d, n, make([]byte, 2048), 0)
	d.SyncAll()
	return d, n
}

func write(t *testing.T, d *Disk, n *Node, b []byte, off int64) {
	t.Helper()
	if _, errno := d.WriteAt(n, b, off); errno != 0 {
		t.Fatal(errno)
	}
}

func contentOf(d *Disk, path string) []byte {
	n := d.Find(path)
	if n == nil {
		return nil
	}
	b := make([]byte, d.Stat(n).Size)
	_, _ = d.ReadAt(n, b, 0)
	return b
}

var ones = bytes.Repeat([]byte{1}, 2048)

func TestAWriteSurvivesAPowerCutOnlyAfterASync(t *testing.T) {
	d, n := file(t)
	write(t, d, n, ones, 1024)
	if got := contentOf(d.Cut(LoseAll, 0), "/f"); !bytes.Equal(got, make([]byte, 2048)) {
		t.Errorf("an unsynced write, or its length, survived: %d bytes", len(got))
	}
	if errno := d.Sync(n); errno != 0 {
		t.Fatal(errno)
	}
	if got := contentOf(d.Cut(LoseAll, 0), "/f"); len(got) != 3072 || !bytes.Equal(got[1024:], ones) {
		t.Errorf("a synced write did not survive: %d bytes", len(got))
	}
}

func TestAMixedCutTearsWritesAtSectors(t *testing.T) {
	d, n := file(t)
	write(t, d, n, ones, 0)
	torn := false
	for seed := range uint64(50) {
		got := contentOf(d.Cut(Mixed, seed), "/f")
		for at := 0; at < len(got); at += sector {
			if s := got[at : at+sector]; bytes.Count(s, []byte{1}) != 0 && bytes.Count(s, []byte{1}) != sector {
				t.Fatalf("seed %d: a sector is half old and half new", seed)
			}
		}
		torn = torn || bytes.Contains(got, []byte{0, 1}) || bytes.Contains(got, []byte{1, 0})
	}
	if !torn {
		t.Error("50 cuts tore nothing")
	}
}

func TestAnEntrySurvivesOnlyAfterASyncOfItsFolder(t *testing.T) {
	d, _ := file(t)
	n, _ := d.Create(d.Root(), "g", false, 0o600)
	write(t, d, n, ones, 0)
	_ = d.Sync(n)
	if errno := d.Remove(d.Root(), "f", false); errno != 0 {
		t.Fatal(errno)
	}
	if got, _ := d.Cut(LoseAll, 0).Files(); !slices.Equal(got, []string{"/f"}) {
		t.Errorf("before the sync of the folder a cut leaves %v", got)
	}
	_ = d.SyncFolder(d.Root())
	if got, _ := d.Cut(LoseAll, 0).Files(); !slices.Equal(got, []string{"/g"}) {
		t.Errorf("after the sync of the folder a cut leaves %v", got)
	}
}

func TestARenameSurvivesAsAWholeOrNotAtAll(t *testing.T) {
	d, _ := file(t)
	dir, _ := d.Create(d.Root(), "dir", true, 0o700)
	d.SyncAll()
	if errno := d.Rename(d.Root(), "f", dir, "g"); errno != 0 {
		t.Fatal(errno)
	}
	for seed := range uint64(50) {
		if got, _ := d.Cut(Mixed, seed).Files(); len(got) != 1 {
			t.Fatalf("seed %d: a cut leaves %v", seed, got)
		}
	}
}

func TestASyncAfterAFailedOneSavesNothingOfIt(t *testing.T) {
	d, n := file(t)
	lost := false
	for range 20 {
		d.Inject(Fault{Kinds: Sync, N: 1, Errno: syscall.EIO})
		write(t, d, n, ones, 0)
		if errno := d.Sync(n); errno != syscall.EIO {
			t.Fatalf("sync: %v", errno)
		}
		d.Lift()
		if errno := d.Sync(n); errno != 0 {
			t.Fatal(errno)
		}
		if !bytes.Equal(contentOf(d, "/f"), ones) {
			t.Fatal("processes do not see what they wrote")
		}
		lost = lost || !bytes.Equal(contentOf(d.Cut(LoseAll, 0), "/f"), ones)
		write(t, d, n, make([]byte, 2048), 0)
		_ = d.Sync(n)
	}
	if !lost {
		t.Error("20 failed syncs lost nothing")
	}
}

func TestAFullDiskRefusesGrowthOnly(t *testing.T) {
	d, n := file(t)
	d.SetCapacity(d.Used())
	if _, errno := d.WriteAt(n, ones, 1); errno != syscall.ENOSPC {
		t.Errorf("a write past the end: %v", errno)
	}
	if _, errno := d.WriteAt(n, ones, 0); errno != 0 {
		t.Errorf("a write in place: %v", errno)
	}
}
