package faults_test

import (
	"slices"
	"testing"
	"time"

	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// trigger makes the trigger of a fault of the first endpoint.
func trigger(t *testing.T, entry string, own uint64) *faults.Trigger {
	t.Helper()
	e := parse(t, "seed: 3\nendpoint:\n- "+entry).Endpoint(0)
	return faults.NewTrigger(&e.Faults[0], e.Seed, own)
}

// TestTriggerBySlots lists the slots of 100 to 130 at which a fault strikes.
func TestTriggerBySlots(t *testing.T) {
	for entry, want := range map[string][]uint64{
		"lagged: {after_slots: 0}":                         {100},
		"lagged: {after_slots: 7}":                         {107},
		"lagged: {every_slots: 10}":                        {110, 120, 130},
		"lagged: {after_slots: 5, every_slots: 10}":        {105, 115, 125},
		"lagged: {every_slots: 10, times: 2}":              {110, 120},
		"lagged: {at_slot: 104, scope: server}":            {104},
		"lagged: {at_slot: 90, scope: server}":             {100},
		"lagged: {rate: 0}":                                nil,
		"lagged: {rate: 1, times: 3}":                      {100, 101, 102},
		"half_open: {every_slots: 20, for_slots: 3}":       {120},
		"silent_filter: {after_slots: 2, for_slots: 1000}": {102},
	} {
		tr := trigger(t, entry, 1)
		var got []uint64
		for slot := uint64(100); slot <= 130; slot++ {
			for range 3 { // several updates each
				if tr.Advance(time.Hour, slot) {
					got = append(got, slot)
				}
			}
			tr.Advance(time.Hour, slot-5) // late ones
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s strikes at %v, want %v", entry, got, want)
		}
	}
}

func TestTriggerByTime(t *testing.T) {
	for entry, want := range map[string][]int{
		"lagged: {at: 0s}":                     {0},
		"lagged: {at: 250ms}":                  {300},
		"lagged: {every: 300ms}":               {300, 600, 900},
		"lagged: {at: 100ms, every: 400ms}":    {100, 500, 900},
		"lagged: {every: 50ms}":                {100, 200, 300, 400, 500, 600, 700, 800, 900, 1000},
		"lagged: {every: 300ms, times: 1}":     {300},
		"half_open: {at: 100ms, for_slots: 3}": {700}, // the first slot comes then
		"half_open: {at: 100ms, for: 5s}":      {100},
	} {
		tr := trigger(t, entry, 1)
		var got []int
		for ms := 0; ms <= 1000; ms += 100 {
			slot := uint64(0)
			if ms >= 700 {
				slot = 9
			}
			if tr.Advance(time.Duration(ms)*time.Millisecond, slot) {
				got = append(got, ms)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s strikes at %v, want %v", entry, got, want)
		}
	}
}

func TestTriggerLasts(t *testing.T) {
	const ms = time.Millisecond
	byTime := trigger(t, "half_open: {at: 100ms, for: 200ms}", 1)
	bySlot := trigger(t, "half_open: {after_slots: 1, for_slots: 2}", 1)
	ever := trigger(t, "half_open: {at: 100ms}", 1)
	always := trigger(t, "slow_down: {bytes_per_second: 1}", 1)
	var got []string
	for i := range 5 {
		now, slot := time.Duration(i)*100*ms, uint64(50+i)
		line := ""
		for _, tr := range []*faults.Trigger{byTime, bySlot, ever, always} {
			tr.Advance(now, slot)
			if tr.Active(now, slot) {
				line += "x"
			} else {
				line += "."
			}
		}
		got = append(got, line)
	}
	if want := []string{"...x", "xxxx", "xxxx", "..xx", "..xx"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Chances are the same for the same seed and stream, differ between streams, and
// are as frequent as they say.
func TestTriggerRate(t *testing.T) {
	hits := func(own uint64) (out []uint64) {
		tr := trigger(t, "lagged: {rate: 0.1}", own)
		for slot := range uint64(20_000) {
			if tr.Advance(0, slot+1) {
				out = append(out, slot)
			}
		}
		return out
	}
	a, b, c := hits(1), hits(1), hits(2)
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Error("chances do not depend on seed and stream alone")
	}
	if len(a) < 1800 || len(a) > 2200 {
		t.Errorf("%d of 20,000 at 0.1", len(a))
	}
}

// An item fault that is timed strikes one item, or all while it lasts.
func TestTriggerItems(t *testing.T) {
	one := trigger(t, "corrupt: {after_slots: 1}", 1)
	some := trigger(t, "duplicate: {after_slots: 1, for_slots: 2}", 1)
	var got []int
	for slot := uint64(1); slot <= 5; slot++ {
		n := 0
		one.Advance(0, slot)
		some.Advance(0, slot)
		for range 3 {
			if one.Hit(0, slot, 0) {
				n += 10
			}
			if some.Hit(0, slot, 0) {
				n++
			}
		}
		got = append(got, n)
	}
	if want := []int{0, 13, 3, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
