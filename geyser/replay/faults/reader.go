package faults

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// reader hands out the parameters of one entry and remembers the first that is
// wrong. What nobody asked for is an unknown key.
type reader struct {
	spec   *spec
	line   int
	values map[string]*yaml.Node
	keys   []*yaml.Node
	asked  []string
	err    *Error
}

func (r *reader) fail(line int, format string, args ...any) {
	if r.err == nil {
		r.err = errorAt(line, "%s: "+format, append([]any{r.spec.kind}, args...)...)
	}
}

func (r *reader) take(key string) *yaml.Node {
	r.asked = append(r.asked, key)
	return r.values[key]
}

func (r *reader) done() error {
	for _, k := range r.keys {
		if !slices.Contains(r.asked, k.Value) {
			r.err = errorAt(k.Line, "%s: unknown key %q: it takes %s", r.spec.kind, k.Value, strings.Join(r.asked, ", "))
			break
		}
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

// maxTime bounds every duration of a script.
const maxTime = 1000 * time.Hour

func (r *reader) time(key string, def time.Duration) (d time.Duration, has bool) {
	v := r.take(key)
	if v == nil {
		return def, false
	}
	d, err := time.ParseDuration(v.Value)
	if err != nil || d < 0 || d > maxTime {
		r.fail(v.Line, "%s: %q is no time from 0s to 1000h, with its unit, as 400ms or 10s", key, v.Value)
	}
	return d, true
}

func (r *reader) whole(key string, def, low, high uint64) (n uint64, has bool) {
	v := r.take(key)
	if v == nil {
		return def, false
	}
	n, problem := wholeOf(v, key, low, high)
	if problem != "" {
		r.fail(v.Line, "%s", problem)
	}
	return n, true
}

// wholeOf reads a whole number; problem says why it is none.
func wholeOf(v *yaml.Node, key string, low, high uint64) (n uint64, problem string) {
	n, err := strconv.ParseUint(strings.ReplaceAll(v.Value, "_", ""), 10, 64)
	if v.Kind != yaml.ScalarNode || err != nil || n < low || n > high {
		return 0, fmt.Sprintf("%s: %q is no whole number from %d to %d, without a unit", key, v.Value, low, high)
	}
	return n, ""
}

func (r *reader) share(key string, def float64) (x float64, has bool) {
	v := r.take(key)
	if v == nil {
		return def, false
	}
	x, err := strconv.ParseFloat(v.Value, 64)
	if err != nil || !(x >= 0 && x <= 1) {
		r.fail(v.Line, "%s: %q is no number from 0 to 1", key, v.Value)
	}
	return x, true
}

// choice reads a word that must be one of a list; the first is the default.
func (r *reader) choice(key string, list ...string) string {
	v := r.take(key)
	if v == nil {
		return list[0]
	}
	if !slices.Contains(list, v.Value) {
		r.fail(v.Line, "%s: %q is none of %s", key, v.Value, strings.Join(list, ", "))
	}
	return v.Value
}

func (r *reader) text(key, def string) string {
	if v := r.take(key); v != nil {
		return v.Value
	}
	return def
}

// when reads the timing, which all faults have.
func (r *reader) when(f *Fault) {
	w := &f.When
	w.At, w.HasAt = r.time("at", 0)
	w.Every, _ = r.time("every", 0)
	w.AtSlot, _ = r.whole("at_slot", 0, 1, math.MaxInt64)
	w.AfterSlots, w.HasAfter = r.whole("after_slots", 0, 0, math.MaxInt32)
	w.EverySlots, _ = r.whole("every_slots", 0, 1, math.MaxInt32)
	w.Rate, w.HasRate = r.share("rate", 0)
	w.Times, _ = r.whole("times", 0, 1, math.MaxInt32)
	if r.spec.lasting || r.spec.spans {
		w.For, _ = r.time("for", 0)
		w.ForSlots, _ = r.whole("for_slots", 0, 1, math.MaxInt32)
	}
}

// check refuses combinations that mean nothing.
func (r *reader) check(f *Fault) {
	w := &f.When
	ways := 0
	for _, set := range []bool{w.byTime(), w.bySlots(), w.HasRate} {
		if set {
			ways++
		}
	}
	switch {
	case ways > 1:
		r.fail(r.line, "timed in two ways: take one of at/every, at_slot/after_slots/every_slots, rate")
	case w.AtSlot > 0 && w.HasAfter:
		r.fail(r.line, "at_slot and after_slots exclude each other")
	case w.For > 0 && w.ForSlots > 0:
		r.fail(r.line, "for and for_slots exclude each other")
	case w.Every > 0 && w.Every < time.Millisecond:
		r.fail(r.line, "every must be at least 1ms")
	case w.always() && r.spec.needsWhen:
		r.fail(r.line, "says not when: at, every, at_slot, after_slots, every_slots or rate")
	case w.always() && w.Times > 0:
		r.fail(r.line, "times needs at, every, at_slot, after_slots, every_slots or rate")
	case w.always() && w.Lasts() && r.spec.kind != SilentFilter:
		r.fail(r.line, "says how long and not when: add at: 0s for the beginning")
	case w.HasRate && w.Lasts() && r.spec.unit != perSlot:
		r.fail(r.line, "rate is per %s: it takes no for or for_slots", r.spec.unit)
	case r.spec.side == sideStream && w.AtSlot > 0 && !f.Server:
		// A stream that comes back with from_slot would meet it again and again.
		r.fail(r.line, "at_slot needs scope: server")
	}
}

func readFork(r *reader, f *Fault) {
	f.Order = r.choice("order", "before", "after")
	f.How = r.choice("end", "dead", "aside")
	f.Text = r.text("dead_error", "invalid bank hash")
	f.Share, _ = r.share("own", 0.5)
}

func readDead(r *reader, f *Fault) {
	f.Order = "before"
	f.Text = r.text("dead_error", "incomplete block: a transaction could not be verified")
}

func readSkip(r *reader, f *Fault)    { f.Count, _ = r.whole("slots", 1, 1, 1000) }
func readNonce(r *reader, f *Fault)   { f.Count, _ = r.whole("later", 1, 1, 100) }
func readLying(r *reader, f *Fault)   { f.How = r.choice("how", "altered", "invented", "left_out") }
func readReorder(r *reader, f *Fault) { f.Count, _ = r.whole("window", 8, 2, 10_000) }
func readEarly(r *reader, f *Fault)   { f.Count, _ = r.whole("transactions", 3, 1, 10_000) }
func readKeep(r *reader, f *Fault)    { f.Count, _ = r.whole("keep_slots", 0, 0, math.MaxInt32) }
func readCorrupt(r *reader, f *Fault) { f.How = r.choice("how", "garbage", "truncated") }

// maxLate is below the patience of a server that waits for its slowest stream.
const maxLate = 20 * time.Second

func readLate(r *reader, f *Fault) {
	f.Delay, _ = r.time("by", 0)
	if f.Delay <= 0 || f.Delay > maxLate {
		r.fail(r.line, "by must be a time above 0s, at most 20s")
	}
}

func readRestart(r *reader, f *Fault) {
	f.Delay, _ = r.time("down", time.Second)
	readKeep(r, f)
}

func readRefuse(r *reader, f *Fault) {
	f.How = r.choice("with", "unsupported", "out_of_range", "failed")
}

func readExhausted(r *reader, f *Fault) {
	f.Text = r.text("message", "max subscription limit exceeded")
}

// HowTCP is Fault.How of a cut that breaks the connection.
const HowTCP = "TCP"

func readCut(r *reader, f *Fault) {
	name := r.text("with", "UNAVAILABLE")
	f.Text = r.text("message", "server is shutting down try again later")
	if name == HowTCP {
		f.How = HowTCP
		if r.values["message"] != nil {
			r.fail(r.line, "with TCP there is no message")
		}
		return
	}
	r.status(f, name)
}

// status reads the name of a gRPC status.
func (r *reader) status(f *Fault, name string) {
	if err := f.Status.UnmarshalJSON(fmt.Appendf(nil, "%q", name)); err != nil {
		r.fail(r.line, "with: %q is no gRPC status, as UNAVAILABLE, nor TCP", name)
	}
}

func readSilent(r *reader, f *Fault) {
	r.status(f, r.text("with", "UNAVAILABLE"))
	f.Text = r.text("message", "server is shutting down try again later")
	if f.When.ForSlots == 0 {
		r.fail(r.line, "needs for_slots: how many slots the filter stays silent")
	}
}

func readHalfOpen(r *reader, f *Fault) {
	f.How = r.choice("keepalive", "true", "false")
}

func readSlow(r *reader, f *Fault) {
	bytes, hasBytes := r.whole("bytes_per_second", 0, 1, math.MaxInt32)
	updates, hasUpdates := r.whole("updates_per_second", 0, 1, math.MaxInt32)
	if hasBytes == hasUpdates {
		r.fail(r.line, "needs bytes_per_second or updates_per_second, one of them")
	}
	f.PerSecond = bytes
	if hasUpdates {
		f.PerSecond, f.How = updates, HowUpdates
	}
}

// HowUpdates is Fault.How of a slow_down that counts updates rather than bytes.
const HowUpdates = "updates"

func readWithhold(r *reader, f *Fault) {
	n, has := r.whole("slots", 1, 1, math.MaxInt32)
	if has && f.When.Lasts() {
		r.fail(r.line, "slots, for and for_slots exclude each other")
	}
	if !f.When.Lasts() {
		f.When.ForSlots = n
	}
}
