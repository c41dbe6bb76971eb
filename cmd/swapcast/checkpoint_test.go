package main

import (
	"log/slog"
	"testing"
)

func TestCheckpointFile(t *testing.T) {
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	reopen := func(sources ...string) uint64 {
		t.Helper()
		_, slot, err := openCheckpoint(dir, sources, log)
		if err != nil {
			t.Fatal(err)
		}
		return slot
	}
	f, slot, err := openCheckpoint(dir, []string{"a:1", "b:1"}, log)
	if err != nil || slot != 0 {
		t.Fatalf("an empty folder: %d, %v", slot, err)
	}
	for _, step := range []struct{ slot, want uint64 }{
		{0, 0},
		{100, 100},
		{101, 101},
		{0, 101}, // a new timeline of which nothing is proved yet
		{7, 7},   // and then it is
		{8, 8},
	} {
		if err := f.save(step.slot); err != nil {
			t.Fatal(err)
		}
		if got := reopen("b:1"); got != step.want {
			t.Errorf("after %d the next run begins at %d, want %d", step.slot, got, step.want)
		}
	}
	if got := reopen("c:1"); got != 0 {
		t.Errorf("other sources go on from %d", got)
	}
}
