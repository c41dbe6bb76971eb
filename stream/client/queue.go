package client

// queue is the bounded buffer between the reading goroutine and the reader of
// Events. put is called by one goroutine at a time.
type queue struct {
	// Static.
	ch chan Event

	// Owned by the goroutine that puts.
	lost map[assetKey]Gap // ranges dropped and not yet announced
}

// assetKey names one numbered sequence of updates.
type assetKey struct {
	channel string
	asset   string
}

func newQueue(size int) *queue {
	return &queue{ch: make(chan Event, size), lost: map[assetKey]Gap{}}
}

// put adds an event, at the cost of the oldest ones where there is no room, and
// returns how many were dropped. An event of an asset that has lost updates is
// preceded by the Gap that says so.
func (q *queue) put(ev Event) (dropped int) {
	key, _, _, ok := span(ev)
	if gap, missing := q.lost[key]; ok && missing {
		delete(q.lost, key)
		dropped += q.push(&gap)
	}
	return dropped + q.push(ev)
}

func (q *queue) push(ev Event) (dropped int) {
	for {
		select {
		case q.ch <- ev:
			return dropped
		default:
		}
		select {
		case old := <-q.ch:
			q.remember(old)
			dropped++
		default: // the reader was faster
		}
	}
}

// remember notes what a dropped event leaves missing.
func (q *queue) remember(ev Event) {
	key, from, to, ok := span(ev)
	if !ok {
		return
	}
	gap, seen := q.lost[key]
	if !seen {
		q.lost[key] = Gap{Channel: key.channel, AssetID: key.asset, FromSeq: from, ToSeq: to, Reason: GapOverflow}
		return
	}
	gap.FromSeq = min(gap.FromSeq, from)
	gap.ToSeq = max(gap.ToSeq, to)
	q.lost[key] = gap
}

// span tells which numbers an event accounts for. Events without numbers are
// not ok: their loss is counted, not located.
func span(ev Event) (key assetKey, from, to uint64, ok bool) {
	switch e := ev.(type) {
	case *Price:
		return assetKey{ChannelPrices, e.AssetID}, e.Seq, e.Seq, true
	case *Trade:
		return assetKey{ChannelTrades, e.AssetID}, e.Seq, e.Seq, true
	case *Gap:
		return assetKey{e.Channel, e.AssetID}, e.FromSeq, e.ToSeq, true
	default:
		return assetKey{}, 0, 0, false
	}
}

// close ends the stream of events; nothing may be put afterwards.
func (q *queue) close() { close(q.ch) }
