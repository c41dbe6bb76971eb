package client

import "slices"

// tracker finds the jumps in the numbering of each (channel, asset). Candles are
// not among them: their states may be skipped, and the server counts on only
// while somebody listens. It holds no lock: the Client's mu guards it.
type tracker struct {
	epoch   string // of the server's run, as its last acknowledgement said
	session int    // number of the present connection
	known   bool   // the present connection has told its epoch
	skip    bool   // jumps in prices are wanted (Options.Window)
	last    map[assetKey]position

	// outages are jumps across a reconnect. Whether they mean anything is known
	// once the new connection tells its epoch.
	outages []Gap
}

type position struct {
	seq     uint64
	session int
}

func newTracker(skipPrices bool) *tracker {
	return &tracker{skip: skipPrices, last: map[assetKey]position{}}
}

// connected begins a new connection, whose epoch is not known yet.
func (t *tracker) connected() {
	t.session++
	t.known = false
	t.outages = nil
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
	switch {
	case same:
		return slices.DeleteFunc(outages, func(g Gap) bool { return g.ToSeq < g.FromSeq })
	case first:
		return nil
	}
	gaps := make([]Gap, 0, len(outages))
	for _, g := range outages { // numbers of two runs: only the beginning means something
		gaps = append(gaps, restarted(g.Channel, g.AssetID, g.FromSeq))
	}
	for key, p := range t.last {
		if p.session == t.session {
			continue
		}
		delete(t.last, key)
		gaps = append(gaps, restarted(key.channel, key.asset, p.seq+1))
	}
	return gaps
}

func restarted(channel, asset string, from uint64) Gap {
	return Gap{Channel: channel, AssetID: asset, FromSeq: from, Reason: GapRestart}
}

// see takes the number of an update and returns the gap before it, if any.
func (t *tracker) see(key assetKey, seq uint64) (Gap, bool) {
	if seq == 0 || t.skips(key) {
		return Gap{}, false // not numbered: no update has been published yet
	}
	before, seen := t.last[key]
	resumed := seen && before.session != t.session
	if resumed && !t.known {
		// The epoch, which is to come, tells whether these numbers continue the
		// old ones. They may well be lower, if the server has restarted.
		t.last[key] = position{seq, t.session}
		t.outages = append(t.outages, Gap{Channel: key.channel, AssetID: key.asset, FromSeq: before.seq + 1, ToSeq: seq - 1, Reason: GapOutage})
		return Gap{}, false
	}
	t.last[key] = position{max(seq, before.seq), t.session}
	if !seen || seq <= before.seq+1 {
		return Gap{}, false // the first one, the next one, or a snapshot of what we have
	}
	reason := GapJump
	if resumed {
		reason = GapOutage
	}
	return Gap{Channel: key.channel, AssetID: key.asset, FromSeq: before.seq + 1, ToSeq: seq - 1, Reason: reason}, true
}

// skips tells whether jumps of this sequence were asked for.
func (t *tracker) skips(key assetKey) bool { return t.skip && key.channel == ChannelPrices }

// announced takes a gap that the server itself told of, which accounts for the
// numbers up to its end.
func (t *tracker) announced(g *Gap) {
	key := assetKey{joinChannel(g.Channel, g.Interval), g.AssetID}
	if p, seen := t.last[key]; seen && g.ToSeq > p.seq {
		t.last[key] = position{g.ToSeq, t.session}
	}
}

// forget drops the position of an asset that is no longer subscribed.
func (t *tracker) forget(key assetKey) { delete(t.last, key) }
