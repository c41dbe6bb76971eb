package main

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/swapcast/swapcast/cache/cachetest"
)

func TestCheckpoint(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		testCheckpoint(t, checkpointFile(filepath.Join(t.TempDir(), "checkpoint.json")))
	})
	t.Run("redis", func(t *testing.T) {
		testCheckpoint(t, checkpointKey{cachetest.StartRedis(t).Client(t), "swapcast:checkpoint:host:127.0.0.1:8080"})
	})
}

func testCheckpoint(t *testing.T, place checkpointPlace) {
	log := slog.New(slog.DiscardHandler)
	reopen := func(sources ...string) uint64 {
		t.Helper()
		_, slot, err := openCheckpoint(t.Context(), place, sources, log)
		if err != nil {
			t.Fatal(err)
		}
		return slot
	}
	c, slot, err := openCheckpoint(t.Context(), place, []string{"a:1", "b:1"}, log)
	if err != nil || slot != 0 {
		t.Fatalf("an empty place: %d, %v", slot, err)
	}
	for _, step := range []struct{ slot, want uint64 }{
		{0, 0},
		{100, 100},
		{101, 101},
		{0, 101}, // a new timeline of which nothing is proved yet
		{7, 7},   // and then it is
		{8, 8},
	} {
		if err := c.save(t.Context(), step.slot); err != nil {
			t.Fatal(err)
		}
		if got := reopen("b:1"); got != step.want {
			t.Errorf("after %d the next run begins at %d, want %d", step.slot, got, step.want)
		}
	}
	if got := reopen("c:1"); got != 0 {
		t.Errorf("other sources go on from %d", got)
	}
	if err := place.save(t.Context(), []byte("{")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openCheckpoint(t.Context(), place, []string{"a:1"}, log); err == nil {
		t.Error("a damaged one was read")
	}
}
