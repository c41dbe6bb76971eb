package client

import (
	"slices"

	"github.com/swapcast/swapcast/stream/wire"
)

// tracker knows how far each numbered sequence is: it finds the jumps, drops what
// came before, and tells from where to resume. It holds no lock: the Client's mu
// guards it. It has one entry for each asset of each subscription.
type tracker struct {
	epoch   string // of the server's run, as its last acknowledgement said
	session int    // number of the present connection
	known   bool   // the present connection has told its epoch
	skip    bool   // jumps in prices are wanted (Options.Window)
	last    map[assetKey]*position

	// outages are jumps across a reconnect. Whether they mean anything is known
	// once the new connection tells its epoch.
	outages []outage
	// restarted are the sequences of which the present connection has said that
	// they began anew: the server's word for it is not passed on again.
	restarted map[assetKey]struct{}
}

// position is how far a sequence is.
type position struct {
	seq     uint64
	session int // in which it was seen last
	resumed int // session whose acknowledgement has named it
	// slots are the gaps of the server's own that were told, newest last: it tells
	// them again to who resumes from before them.
	slots []slotRange
}

type slotRange struct{ from, to uint64 }

// maxSlotRanges is how many gaps of the server's own are remembered for each
// sequence; it is how many a server keeps. An older one may be told twice.
const maxSlotRanges = 64

type outage struct {
	key      assetKey
	from, to uint64
}

func newTracker(skipPrices bool) *tracker {
	return &tracker{skip: skipPrices, last: map[assetKey]*position{}, restarted: map[assetKey]struct{}{}}
}

// connected begins a new connection, whose epoch is not known yet.
func (t *tracker) connected() {
	t.session++
	t.known = false
	t.outages = nil
	clear(t.restarted)
}

// since is from where a request for some assets of a feed goes on, nil where all
// of them begin.
func (t *tracker) since(feed feedKey, assets []string) *since {
	switch feed.channel {
	case ChannelTrades, ChannelCandles, ChannelBalances:
	default:
		return nil // of these the newest is enough, and comes with any subscription
	}
	s := &since{Epoch: t.epoch, Seqs: map[string]uint64{}}
	for _, asset := range assets {
		if p := t.last[assetKey{feed, asset}]; p != nil && p.session != t.session && p.resumed != t.session {
			s.Seqs[asset] = p.seq
		}
	}
	if t.epoch == "" || len(s.Seqs) == 0 {
		return nil
	}
	return s
}

// acknowledged takes the epoch of an acknowledgement and returns the gaps that
// it proves: those of the outage when the server's run is still the same, or
// one of unknown length for each sequence that a restart has broken off.
func (t *tracker) acknowledged(epoch string) []Gap {
	if epoch == "" || t.known {
		return nil
	}
	t.known = true
	same := t.epoch == epoch
	first := t.epoch == ""
	t.epoch = epoch
	outages := t.outages
	t.outages = nil
	var gaps []Gap
	switch {
	case first:
		return nil
	case same:
		for _, o := range outages {
			if o.to >= o.from {
				gaps = append(gaps, spanning(o.key, o.from, o.to, GapOutage))
			}
		}
		return gaps
	}
	for _, o := range outages { // numbers of two runs: only the beginning means something
		gaps = append(gaps, t.restart(o.key, o.from))
	}
	for key, p := range t.last {
		if p.session == t.session {
			p.slots = nil
			continue
		}
		if key.channel != ChannelBalances { // what a wallet holds is told anew
			gaps = append(gaps, t.restart(key, p.seq+1))
		}
		if key.channel == ChannelTrades {
			t.last[key] = &position{} // of the new run all can be had that it keeps
		} else {
			delete(t.last, key)
		}
	}
	return gaps
}

func (t *tracker) restart(key assetKey, from uint64) Gap {
	t.restarted[key] = struct{}{}
	return spanning(key, from, 0, GapRestart)
}

func spanning(key assetKey, from, to uint64, reason string) Gap {
	g := key.gap(reason)
	g.FromSeq, g.ToSeq = from, to
	return g
}

// positioned takes what an acknowledgement says of a sequence: the number before
// what follows. A sequence that is ahead of what the client has seen is not moved,
// since the server tells the gap; if it does not, the next number shows it.
func (t *tracker) positioned(key assetKey, seq uint64) {
	p := t.last[key]
	switch {
	case p == nil:
		t.last[key] = &position{seq: seq, session: t.session, resumed: t.session}
		return
	case p.session != t.session && p.resumed != t.session && seq < p.seq:
		p.seq = seq // it has forgotten what it said; it tells a gap, and counts from here
	}
	p.resumed = t.session
}

// see takes the number of an update. It returns the gap before it, nil where there
// is none, and whether it has been seen before. State says that the update is
// whole by itself, a snapshot: it has the number of the last update.
func (t *tracker) see(key assetKey, seq uint64, state bool) (gap *Gap, again bool) {
	if seq == 0 || t.skip && key.channel == ChannelPrices {
		return nil, false // not numbered: no update has been published yet
	}
	p := t.last[key]
	if p == nil {
		t.last[key] = &position{seq: seq, session: t.session}
		return nil, false // the first number is as good as any
	}
	before, resumed := p.seq, p.session != t.session
	p.session = t.session
	if resumed && !t.known {
		// The epoch, which is to come, tells whether these numbers continue the
		// old ones. They may well be lower, if the server has restarted.
		p.seq = seq
		if key.jumps(state) {
			t.outages = append(t.outages, outage{key, before + 1, seq - 1})
		}
		return nil, false
	}
	p.seq = max(seq, before)
	if seq <= before {
		return nil, key.once(state)
	}
	if seq == before+1 || !key.jumps(state) {
		return nil, false
	}
	reason := GapJump
	if resumed {
		reason = GapOutage
	}
	g := spanning(key, before+1, seq-1, reason)
	return &g, false
}

// jumps tells whether a hole in the numbers before an update is a loss. Of candles,
// states in between may be skipped; a balance that a subscription begins with
// covers those before it.
func (k assetKey) jumps(state bool) bool {
	return k.channel != ChannelCandles && (k.channel != ChannelBalances || !state)
}

// once tells whether an update with a number seen before is a repetition.
func (k assetKey) once(state bool) bool {
	return k.channel == ChannelTrades || k.channel == ChannelBalances && !state
}

// announced takes a gap that the server itself told of, which accounts for the
// numbers up to its end, and reports whether it is news. What the client has told
// already is cut off it.
func (t *tracker) announced(g *Gap) (news bool) {
	key := g.key()
	p := t.last[key]
	if g.Reason == wire.GapNewEpoch {
		_, told := t.restarted[key]
		t.restarted[key] = struct{}{}
		t.account(p, g.ToSeq)
		return !told
	}
	if p == nil {
		return true
	}
	if g.ToSeq == 0 && g.ToSlot != 0 {
		return p.loses(slotRange{g.FromSlot, g.ToSlot})
	}
	if key.channel == ChannelTrades && g.FromSeq != 0 { // these come in the order of their numbers
		if g.ToSeq <= p.seq {
			return false
		}
		g.FromSeq = max(g.FromSeq, p.seq+1)
	}
	t.account(p, g.ToSeq)
	return true
}

func (t *tracker) account(p *position, seq uint64) {
	if p != nil && seq > p.seq {
		p.seq, p.session = seq, t.session
	}
}

// loses notes that slots are lost, and reports whether that is news.
func (p *position) loses(r slotRange) bool {
	if slices.Contains(p.slots, r) {
		return false
	}
	if len(p.slots) == maxSlotRanges {
		p.slots = slices.Delete(p.slots, 0, 1)
	}
	p.slots = append(p.slots, r)
	return true
}

// forget drops the position of an asset that is no longer subscribed.
func (t *tracker) forget(key assetKey) { delete(t.last, key) }
