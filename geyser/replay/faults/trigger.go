package faults

import "time"

// golden is 2^64 over the golden ratio: it spreads neighbouring numbers.
const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of splitmix64: equal chances for all bits.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// chance turns 64 bits into a number from 0 to below 1.
func chance(x uint64) float64 { return float64(x>>11) / (1 << 53) }

// Trigger tells when one fault strikes, on one clock: time since that clock's
// beginning, and slots as they come. It belongs to one goroutine.
type Trigger struct {
	f    *Fault
	salt uint64

	begun    bool
	slot     uint64 // highest so far
	nextTime time.Duration
	nextSlot uint64 // 0 none
	timeDone bool

	on        bool // a lasting fault has struck
	until     time.Duration
	untilSlot uint64
	armed     bool // a strike that no item has taken yet
	items     uint64
}

// NewTrigger makes the trigger of f. Triggers with the same seed and own draw the
// same chances: own tells streams apart, which must not all be struck at the same
// slot, again and again.
func NewTrigger(f *Fault, seed, own uint64) *Trigger {
	t := &Trigger{f: f, salt: mix(seed ^ mix(uint64(f.Line)+golden*own))}
	w := &f.When
	t.nextTime = w.At
	if !w.HasAt {
		t.nextTime = w.Every
	}
	t.timeDone = !w.byTime()
	return t
}

// Fault is what the trigger is for.
func (t *Trigger) Fault() *Fault { return t.f }

// Advance moves the clock on and reports whether the fault strikes now. A slot
// that is not above the highest so far, and slot 0, leave the slots as they are.
// Strikes that were missed while nobody looked are one.
func (t *Trigger) Advance(now time.Duration, slot uint64) bool {
	w := &t.f.When
	struck := false
	if !t.begun && w.always() {
		struck = true
	}
	if slot > t.slot {
		struck = t.advanceSlot(slot) || struck
	}
	if w.ForSlots > 0 && t.slot == 0 {
		return false // nothing to count from yet
	}
	t.begun = true
	if !t.timeDone && now >= t.nextTime {
		struck = true
		if w.Every > 0 {
			t.nextTime += (now-t.nextTime)/w.Every*w.Every + w.Every
		} else {
			t.timeDone = true
		}
	}
	if !struck || !t.may() {
		return false
	}
	t.on, t.armed = true, true
	t.until, t.untilSlot = 0, 0
	if w.For > 0 {
		t.until = now + w.For
	}
	if w.ForSlots > 0 {
		t.untilSlot = t.slot + w.ForSlots
	}
	return true
}

func (t *Trigger) advanceSlot(slot uint64) (struck bool) {
	w := &t.f.When
	if t.slot == 0 {
		switch {
		case w.AtSlot > 0:
			t.nextSlot = w.AtSlot
		case w.HasAfter:
			t.nextSlot = slot + w.AfterSlots
		case w.EverySlots > 0:
			t.nextSlot = slot + w.EverySlots
		}
	}
	t.slot = slot
	if t.nextSlot > 0 && slot >= t.nextSlot {
		struck = true
		if w.EverySlots > 0 {
			t.nextSlot += (slot-t.nextSlot)/w.EverySlots*w.EverySlots + w.EverySlots
		} else {
			t.nextSlot = 0
		}
	}
	if w.HasRate && specOf(t.f.Kind).unit == perSlot {
		struck = struck || chance(mix(t.salt^mix(slot))) < w.Rate
	}
	return struck
}

// may counts a strike against When.Times, over all triggers of the fault.
func (t *Trigger) may() bool {
	n := t.f.struck.Add(1)
	if t.f.When.Times > 0 && n > int64(t.f.When.Times) {
		t.f.struck.Add(-1)
		return false
	}
	return true
}

// Active reports whether a lasting fault is on at a moment.
func (t *Trigger) Active(now time.Duration, slot uint64) bool {
	switch {
	case !t.on:
		return false
	case t.until > 0:
		return now < t.until
	case t.untilSlot > 0:
		return max(slot, t.slot) < t.untilSlot
	default:
		return true
	}
}

// Ends reports whether a lasting fault that is on has an end.
func (t *Trigger) Ends() bool { return t.until > 0 || t.untilSlot > 0 }

// Hit reports whether the next item (transaction, message, attempt: what the kind
// counts) is struck; Advance has been told the moment before. An item has a
// number of its own by which chances are drawn, 0 for the next in turn.
func (t *Trigger) Hit(now time.Duration, slot, item uint64) bool {
	w := &t.f.When
	if item == 0 {
		t.items++
		item = t.items
	}
	switch {
	case w.HasRate && specOf(t.f.Kind).unit != perSlot:
		return chance(mix(t.salt^mix(item))) < w.Rate && t.may()
	case w.always(), w.Lasts(), specOf(t.f.Kind).lasting:
		return t.Active(now, slot)
	}
	hit := t.armed
	t.armed = false
	return hit
}
