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

	"github.com/redis/go-redis/v9"
)

// checkpoint remembers between runs up to which slot everything was told.
type checkpoint struct {
	// static
	place   checkpointPlace
	sources []string
	log     *slog.Logger

	saved uint64 // owned by keep
}

// checkpointPlace is where it is remembered.
type checkpointPlace interface {
	load(ctx context.Context) ([]byte, error) // nil where there is nothing
	save(ctx context.Context, raw []byte) error
	String() string
}

// checkpointForm is what is remembered.
type checkpointForm struct {
	Slot    uint64   `json:"slot"`    // every slot up to it is done
	Sources []string `json:"sources"` // endpoints, without tokens
	SavedAt int64    `json:"savedAt"` // Unix seconds
}

// checkpointEvery is how often it is written.
const checkpointEvery = time.Second

// openState goes on from where an earlier run ended.
func (s *server) openState(ctx context.Context) error {
	if s.upstream.player != nil {
		return nil
	}
	var place checkpointPlace
	switch {
	case s.config.StateDir != "":
		if err := os.MkdirAll(s.config.StateDir, 0o750); err != nil {
			return usagef("--state-dir: %v", err)
		}
		place = checkpointFile(filepath.Join(s.config.StateDir, "checkpoint.json"))
	case s.redis != nil:
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("checkpoint: the name of this host: %w", err)
		}
		place = checkpointKey{s.redis, "swapcast:checkpoint:" + host + ":" + s.config.Listen}
	default:
		return nil
	}
	var names []string
	for _, e := range s.upstream.endpoints {
		names = append(names, e.name)
	}
	state, slot, err := openCheckpoint(ctx, place, names, s.log.With("component", "checkpoint"))
	if err != nil {
		return err
	}
	s.state = state
	if slot > 0 {
		s.pipeline.start(slot)
	}
	return nil
}

// openCheckpoint reads what an earlier run left; 0 where there is nothing. One
// of other sources is of another chain as far as anyone can tell: it is left
// aside.
func openCheckpoint(ctx context.Context, place checkpointPlace, sources []string, log *slog.Logger) (*checkpoint, uint64, error) {
	c := &checkpoint{place: place, sources: sources, log: log}
	raw, err := place.load(ctx)
	var usage usageError
	switch {
	case errors.As(err, &usage):
		return nil, 0, err
	case err != nil:
		log.Error("the checkpoint cannot be read: what an earlier run missed is not known", "place", place.String(), "error", err)
		return c, 0, nil
	case raw == nil:
		return c, 0, nil
	}
	var form checkpointForm
	if err := json.Unmarshal(raw, &form); err != nil {
		return nil, 0, usagef("%s cannot be read (%v): delete it to begin without", place, err)
	}
	if !slices.ContainsFunc(form.Sources, func(s string) bool { return slices.Contains(sources, s) }) {
		log.Warn("the checkpoint is of other sources and is not used", "place", place.String(), "slot", form.Slot)
		return c, 0, nil
	}
	log.Info("going on from the checkpoint of an earlier run", "slot", form.Slot, "saved_at", time.Unix(form.SavedAt, 0).UTC())
	return c, form.Slot, nil
}

// keep writes the checkpoint as it advances, until ctx ends. A place that fails
// costs a restart its memory and nothing else: it is logged, and tried again.
func (c *checkpoint) keep(ctx context.Context, slot func() uint64) error {
	ticker := time.NewTicker(checkpointEvery)
	defer ticker.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return c.save(context.WithoutCancel(ctx), slot())
		case <-ticker.C:
		}
		switch err := c.save(ctx, slot()); {
		case err != nil && ctx.Err() != nil:
		case err != nil && !failed:
			c.log.Error("the checkpoint cannot be saved: a restart will not know what it missed", "place", c.place.String(), "error", err)
			failed = true
		case err == nil:
			failed = false
		}
	}
}

// save writes it if it is another than the last.
func (c *checkpoint) save(ctx context.Context, slot uint64) error {
	// It goes back where the chain began anew: an old one would have the next run
	// leave aside all that the new chain has.
	if slot == 0 || slot == c.saved {
		return nil
	}
	raw, err := json.Marshal(checkpointForm{Slot: slot, Sources: c.sources, SavedAt: time.Now().Unix()})
	if err == nil {
		err = c.place.save(ctx, raw)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	c.saved = slot
	return nil
}

// checkpointFile is the path of a file, in --state-dir.
type checkpointFile string

func (f checkpointFile) String() string { return "--state-dir: " + string(f) }

func (f checkpointFile) load(context.Context) ([]byte, error) {
	raw, err := os.ReadFile(string(f))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, usagef("--state-dir: %v", err)
	}
	return raw, nil
}

// save writes the file and moves it into place, so that a crash leaves the old
// one or the new one.
func (f checkpointFile) save(_ context.Context, raw []byte) error {
	next := string(f) + ".new"
	if err := os.WriteFile(next, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, string(f))
}

// checkpointKey is a key in Redis, where there is no --state-dir. It has the
// names of host and listener in it: several instances share one Redis, and each
// goes on from its own. One whose host has a new name with each start, as many
// a container has, finds nothing and needs --state-dir.
type checkpointKey struct {
	client redis.UniversalClient
	key    string
}

const (
	redisWithin    = time.Second         // of one exchange for the checkpoint
	checkpointLife = 14 * 24 * time.Hour // no source fills a longer gap
)

func (k checkpointKey) String() string { return "Redis key " + k.key }

func (k checkpointKey) load(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	raw, err := k.client.Get(ctx, k.key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return raw, err
}

func (k checkpointKey) save(ctx context.Context, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, redisWithin)
	defer cancel()
	return k.client.Set(ctx, k.key, raw, checkpointLife).Err()
}
