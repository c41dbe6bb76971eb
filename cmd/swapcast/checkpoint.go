package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// checkpointFile remembers between runs up to which slot everything was told.
type checkpointFile struct {
	// static
	path    string
	sources []string
	log     *slog.Logger

	saved uint64 // owned by keep
}

// checkpointForm is the file's content.
type checkpointForm struct {
	Slot    uint64   `json:"slot"`    // every slot up to it is done
	Sources []string `json:"sources"` // endpoints, without tokens
	SavedAt int64    `json:"savedAt"` // Unix seconds
}

// checkpointEvery is how often the file is written.
const checkpointEvery = time.Second

// openCheckpoint makes the folder and reads what an earlier run left; 0 where
// there is nothing. A file of other sources is of another chain as far as anyone
// can tell: it is left aside.
func openCheckpoint(dir string, sources []string, log *slog.Logger) (*checkpointFile, uint64, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, 0, usagef("--state-dir: %v", err)
	}
	f := &checkpointFile{path: filepath.Join(dir, "checkpoint.json"), sources: sources, log: log}
	raw, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, 0, nil
	case err != nil:
		return nil, 0, usagef("--state-dir: %v", err)
	}
	var form checkpointForm
	if err := json.Unmarshal(raw, &form); err != nil {
		return nil, 0, usagef("--state-dir: %s cannot be read (%v): delete it to begin without", f.path, err)
	}
	if !slices.ContainsFunc(form.Sources, func(s string) bool { return slices.Contains(sources, s) }) {
		log.Warn("the checkpoint is of other sources and is not used", "file", f.path, "slot", form.Slot)
		return f, 0, nil
	}
	log.Info("going on from the checkpoint of an earlier run", "slot", form.Slot, "saved_at", time.Unix(form.SavedAt, 0).UTC())
	return f, form.Slot, nil
}

// keep writes the checkpoint as it advances, until ctx ends. A disk that fails
// costs a restart its memory and nothing else: it is logged, and tried again.
func (f *checkpointFile) keep(ctx context.Context, checkpoint func() uint64) error {
	ticker := time.NewTicker(checkpointEvery)
	defer ticker.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return f.save(checkpoint())
		case <-ticker.C:
		}
		switch err := f.save(checkpoint()); {
		case err != nil && !failed:
			f.log.Error("the checkpoint cannot be saved: a restart will not know what it missed", "error", err)
			failed = true
		case err == nil:
			failed = false
		}
	}
}

// save writes the file and moves it into place, so that a crash leaves the old
// one or the new one.
func (f *checkpointFile) save(slot uint64) error {
	// It goes back where the chain began anew: an old one would have the next run
	// leave aside all that the new chain has.
	if slot == 0 || slot == f.saved {
		return nil
	}
	raw, err := json.Marshal(checkpointForm{Slot: slot, Sources: f.sources, SavedAt: time.Now().Unix()})
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	next := f.path + ".new"
	if err := os.WriteFile(next, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := os.Rename(next, f.path); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	f.saved = slot
	return nil
}
