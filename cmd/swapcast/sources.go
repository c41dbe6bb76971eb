package main

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/geyser/sim"
)

// playSource is a source that this program plays itself.
type playSource struct {
	Source replay.Source
	// Reopen opens the same source from its beginning; nil where that cannot
	// be done (standard input) or makes no sense (the market has no end).
	Reopen func() (replay.Source, error)
	// Speed is as in replay.Options; 1 unless the URL says otherwise. HasSpeed
	// tells whether it does.
	Speed    float64
	HasSpeed bool
	Loop     bool
	// Recorded is true for a recording, which begins when somebody listens and
	// has an end; false for the market.
	Recorded bool
	// Feed is swapcast.FeedSimulated (the market and recordings of it) or
	// swapcast.FeedReplay.
	Feed swapcast.Feed
	// Describe is for people: what is played, and how much of it.
	Describe string
}

// close closes a source that is not going to be played; a replay.Server closes
// the one that it plays.
func (s *playSource) close() {
	if c, ok := s.Source.(io.Closer); ok {
		_ = c.Close() // it was only read from
	}
}

// sourceForms is the end of every message about a source that was not
// understood.
const sourceForms = "sources are market:[?seed=1&tps=500&speed=1] and replay:PATH[?speed=1&loop=true]"

// openPlaySource opens the source that a URL names:
//
//	market:?seed=1&tps=500&speed=1       the built-in market
//	replay:PATH?speed=1&loop=true        a capture, a JSON file, a folder, or - for standard input
//
// A URL that says nothing sensible and a path that cannot be opened are
// usageErrors.
func openPlaySource(raw string) (*playSource, error) {
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok {
		return nil, usagef("source %q: no kind of source: %s", raw, sourceForms)
	}
	path, query := rest, ""
	if i := strings.LastIndexByte(rest, '?'); i >= 0 {
		path, query = rest[:i], rest[i+1:]
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, usagef("source %q: %v", raw, err)
	}
	p := sourceParams{raw: raw, values: params}
	src := &playSource{Speed: 1}
	if params.Has("speed") {
		src.Speed, src.HasSpeed = p.number("speed", 0, 1e6), true
	}
	switch scheme {
	case "market":
		err = openMarket(src, path, &p)
	case "replay":
		err = openReplay(src, path, &p)
	default:
		return nil, usagef("source %q: there is no source %q to play: %s", raw, scheme, sourceForms)
	}
	if err != nil {
		return nil, err
	}
	return src, nil
}

// openMarket opens the built-in market. Its slots are numbered by the clock, so
// that they go on rising when the program is started again; all else depends on
// the seed alone.
func openMarket(src *playSource, path string, p *sourceParams) error {
	seed, tps := p.whole("seed", 1, 0, math.MaxUint64), p.whole("tps", 500, 10, 20_000)
	if err := p.done(path == "", "speed", "seed", "tps"); err != nil {
		return err
	}
	now := time.Now()
	market, err := sim.New(sim.Options{
		Seed: seed, TPS: int(tps), Start: now, StartSlot: marketSlot(now),
	})
	if err != nil {
		return err
	}
	src.Source, src.Feed = market, swapcast.FeedSimulated
	src.Describe = fmt.Sprintf("the built-in market: simulated, seed %d, %d transactions a second", seed, tps)
	return nil
}

// marketSlot numbers slots of 400 ms from an epoch that makes today's numbers
// look like mainnet's.
func marketSlot(now time.Time) uint64 {
	epoch := time.Date(2020, time.November, 1, 0, 0, 0, 0, time.UTC)
	return uint64(now.Sub(epoch) / (400 * time.Millisecond))
}

func openReplay(src *playSource, path string, p *sourceParams) error {
	src.Loop = p.flag("loop")
	if err := p.done(path != "", "speed", "loop"); err != nil {
		return err
	}
	if path == "-" && src.Loop {
		return usagef("source %q: standard input cannot be played twice", p.raw)
	}
	open := func() (replay.Source, error) { return capture.Open(path) }
	file, err := capture.Open(path)
	if err != nil {
		return usagef("source %q: %v", p.raw, err)
	}
	src.Source, src.Recorded, src.Feed = file, true, swapcast.FeedReplay
	src.Describe = "a recording: " + describePath(path)
	if file.Feed() == swapcast.FeedSimulated {
		src.Feed = swapcast.FeedSimulated
		src.Describe = "a recording of a simulated market: " + describePath(path)
	}
	if path != "-" {
		src.Reopen = open
	}
	return nil
}

// describePath tells the size of what will be played, without reading it.
func describePath(path string) string {
	if path == "-" {
		return "standard input"
	}
	info, err := os.Stat(path)
	if err != nil {
		return path
	}
	if !info.IsDir() {
		return fmt.Sprintf("%s, %.1f MB", path, float64(info.Size())/1e6)
	}
	var files int
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		if e.Type()&fs.ModeType == 0 {
			files++
		}
	}
	return fmt.Sprintf("%s, a folder of %d files", path, files)
}

// sourceParams reads a source's parameters and remembers the first that is
// wrong.
type sourceParams struct {
	raw    string
	values url.Values
	err    error
}

func (p *sourceParams) wrong(name, want string) {
	if p.err == nil {
		p.err = usagef("source %q: %s must be %s", p.raw, name, want)
	}
}

func (p *sourceParams) number(name string, low, high float64) float64 {
	v, err := strconv.ParseFloat(p.values.Get(name), 64)
	if err != nil || !(v >= low && v <= high) {
		p.wrong(name, fmt.Sprintf("a number from %g to %g", low, high))
	}
	return v
}

func (p *sourceParams) whole(name string, def, low, high uint64) uint64 {
	if !p.values.Has(name) {
		return def
	}
	v, err := strconv.ParseUint(p.values.Get(name), 10, 64)
	if err != nil || v < low || v > high {
		p.wrong(name, fmt.Sprintf("a whole number from %d to %d", low, high))
	}
	return v
}

func (p *sourceParams) flag(name string) bool {
	if !p.values.Has(name) {
		return false
	}
	v, err := strconv.ParseBool(p.values.Get(name))
	if err != nil {
		p.wrong(name, "true or false")
	}
	return v
}

// done returns the first error: a wrong value, a parameter that is not known,
// a path that should be there or should not.
func (p *sourceParams) done(pathOK bool, known ...string) error {
	if p.err != nil {
		return p.err
	}
	for name := range p.values {
		if !slices.Contains(known, name) {
			return usagef("source %q: unknown parameter %q: %s", p.raw, name, sourceForms)
		}
	}
	if !pathOK {
		return usagef("source %q: %s", p.raw, sourceForms)
	}
	return nil
}
