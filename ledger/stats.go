package ledger

import "time"

// Checkpoint is the slot up to which everything is decided: confirmed and
// complete, left aside, skipped, or declared lost. 0 for none.
func (l *Ledger) Checkpoint() uint64 { return l.front.checkpoint }

// Settled is the slot up to which nothing will be retracted any more: what the
// processed market may forget its journal for. It is the newest confirmed slot
// but where an older one is not decided yet.
func (l *Ledger) Settled() uint64 { return l.front.settled }

// Head is the newest slot heard of, 0 for none.
func (l *Ledger) Head() uint64 { return l.front.head }

// Furthest is the newest slot that is believed now of whom did not begin there, 0
// while none is known of.
func (l *Ledger) Furthest() uint64 {
	if l.front.head == 0 {
		return 0
	}
	return l.front.head + uint64(len(l.win.ring)/2)
}

// SlotLength is the measured length of a slot, 0 while unknown: a mean over the last few
// hundred slots, by their arrival; stalls and bursts of replays left out.
func (l *Ledger) SlotLength() time.Duration { return time.Duration(l.pace.mean) }

// Life is one slot as far as the ledger knows it.
type Life struct {
	Slot      uint64
	Parent    uint64          // 0 unknown
	At        [statuses]int64 // by swapcast.SlotStatus: when it was first heard of, Unix nanoseconds
	BlockTime int64
	Banks     int  // versions that were heard of, over all endpoints
	Live      int  // of them those that stand
	Txs       int  // kept
	Chain     bool // in the confirmed chain
	Aside     bool // proved not to be in it
	Complete  bool // nothing of it is owed
	Confirmed bool // to the outside
}

// Life returns what is known of a slot that is still kept.
func (l *Ledger) Life(slot uint64) (Life, bool) {
	s := l.win.get(slot)
	if s == nil {
		return Life{}, false
	}
	life := Life{
		Slot: slot, Parent: s.parent(), At: s.at, BlockTime: s.blockTime,
		Banks: len(s.vers), Txs: len(s.entries),
		Chain: s.fate.chain, Aside: s.fate.aside, Complete: s.complete(), Confirmed: s.fate.out,
	}
	for i := range s.vers {
		if s.live&(1<<i) != 0 && !s.fate.aside {
			life.Live++
		}
	}
	return life, true
}

// Stats is the ledger's state in numbers.
type Stats struct {
	Slot         uint64 // newest slot heard of
	Confirmed    uint64 // newest slot confirmed to the outside
	Checkpoint   uint64
	Settled      uint64
	SlotLength   time.Duration
	Slots        int    // kept
	Txs          int    // kept
	Bytes        int    // of their contents
	Held         int    // slots of the confirmed chain that wait
	Unproved     uint64 // slots confirmed without proof, ever
	MissingSlots int    // asked for and not there yet
	GapSlots     uint64 // declared lost, ever
	Applied      uint64
	Retracted    uint64
	Late         uint64
	Disputed     uint64            // transactions whose copies differed, ever
	Refused      map[string]uint64 // what was not used, by reason
	Endpoints    []EndpointStats
}

// EndpointStats is one endpoint's part in the race.
type EndpointStats struct {
	Endpoint      string
	Streams       int           // running ones
	First         uint64        // transactions that it brought before all others
	Behind        uint64        // those that it brought after another
	BehindMean    time.Duration // exponentially weighted mean of by how much
	Duplicates    uint64        // brought again by itself, as two of its parts may
	Disagreements uint64        // of its words that were not believed
	Slot          uint64        // newest slot heard of from it
}

// Stats returns what status pages show, as a copy that may be handed on.
func (l *Ledger) Stats() Stats {
	s := l.stats
	s.Slot, s.Checkpoint, s.Settled = l.front.head, l.front.checkpoint, l.front.settled
	s.SlotLength = l.SlotLength()
	s.Slots, s.Txs, s.Held = l.win.kept, l.idx.count, l.held()
	s.Bytes = l.idx.bytes
	s.Refused = make(map[string]uint64)
	for r, n := range l.dropped {
		if n > 0 {
			s.Refused[refusal(r).String()] = n
		}
	}
	for _, e := range l.src.list {
		s.Endpoints = append(s.Endpoints, e.stats)
	}
	return s
}

// held counts the slots of the confirmed chain that wait.
func (l *Ledger) held() int {
	n := 0
	for slot := max(l.front.out+1, l.win.base); slot <= l.front.maxChain; slot++ {
		if s := l.win.get(slot); s != nil && s.fate.chain && !s.fate.out {
			n++
		}
	}
	return n
}

// retracted counts what was taken back.
func (l *Ledger) retracted(reason string, n int) {
	l.stats.Retracted += uint64(n)
	l.opt.Metrics.retracted(reason, n)
}

// refuse counts what is not used.
func (l *Ledger) refuse(r refusal) {
	l.dropped[r]++
	l.opt.Metrics.refused(r)
}
