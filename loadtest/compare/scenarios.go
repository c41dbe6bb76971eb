package main

import (
	"fmt"
	"slices"
	"time"
)

// scenario is one table.
type scenario struct {
	name    string
	title   string
	conns   int
	tokens  int
	each    int
	offered int // messages a second over all connections; 0: none
	servers []string
}

// updates is what the publisher has to publish a second.
func (s scenario) updates() int {
	followers := max(s.conns*min(s.each, s.tokens)/s.tokens, 1)
	return max(s.offered/followers, 1)
}

// rounds is how often a scenario is run: memory is the same each time.
func (s scenario) rounds(repeat int) int {
	if s.offered == 0 {
		return 1
	}
	return repeat
}

// mode is how much is measured.
type mode string

const (
	quick mode = "quick" // small numbers: measures nothing
	short mode = "short"
	full  mode = "full"
)

// setMode fills in what was not given.
func (o *runOptions) setMode(name string) error {
	o.mode = mode(name)
	repeat, warm, window := 3, time.Second, 3*time.Second
	switch o.mode {
	case full:
	case short:
		repeat, warm, window = 1, 500*time.Millisecond, 1500*time.Millisecond
	case quick:
		repeat, warm, window = 1, 300*time.Millisecond, time.Second
	default:
		return fmt.Errorf("no mode %q: quick, short or full", name)
	}
	if o.repeat == 0 {
		o.repeat = repeat
	}
	if o.warm == 0 {
		o.warm = warm
	}
	if o.window == 0 {
		o.window = window
	}
	return nil
}

// plain are the servers that send every message; the others conflate.
func plain() []string {
	var names []string
	for _, t := range targets() {
		if !t.conflates() {
			names = append(names, t.name)
		}
	}
	return names
}

func scenarios(m mode) []scenario {
	many, more := 1_000, 10_000
	if m == quick {
		many, more = 50, 200
	}
	at := func(rate int) int {
		if m == quick {
			return rate / 50
		}
		return rate
	}
	return []scenario{
		{"one-50k", "one token", many, 1, 1, at(50_000), plain()},
		{"one-300k", "one token", many, 1, 1, at(300_000), plain()},
		{"one-max", "one token", many, 1, 1, at(2_000_000), plain()},
		{"hundred-50k", "one of 100 tokens each", more, 100, 1, at(50_000), plain()},
		{
			"ten-each", "ten of 100 tokens each", more, 100, 10, at(2_000_000),
			[]string{"swapcast", "swapcast-100ms", "gws", "centrifuge", "centrifuge-100ms", "nats"},
		},
		{"idle", "idle", more, 100, 1, 0, plain()},
	}
}

// plan is what is to be run: the scenarios and servers that were named, or those
// that the mode has.
func (o *runOptions) plan(servers, wanted []string) ([]scenario, error) {
	for _, name := range servers {
		if _, err := find(name); err != nil {
			return nil, err
		}
	}
	if len(wanted) == 0 {
		wanted = []string{"one-50k", "one-max", "hundred-50k", "ten-each", "idle"}
		if o.mode == short {
			wanted = []string{"one-50k", "one-max", "hundred-50k"}
		}
	}
	var plan []scenario
	for _, s := range scenarios(o.mode) {
		at := slices.Index(wanted, s.name)
		if at < 0 {
			continue
		}
		wanted = slices.Delete(wanted, at, at+1)
		s.servers = slices.DeleteFunc(s.servers, func(name string) bool {
			if len(servers) > 0 {
				return !slices.Contains(servers, name)
			}
			t, err := find(name)
			return err != nil || t.more
		})
		if len(s.servers) > 0 {
			plan = append(plan, s)
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("no scenario %q", wanted[0])
	}
	return plan, nil
}
