package stream

import (
	"fmt"
	"slices"

	"github.com/coder/websocket"
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// request is what a client asks of its shard: everything about it is valid,
// and it holds its topics.
type request struct {
	id        wire.ID
	subscribe bool
	channel   channel
	interval  swapcast.Interval // of candles
	topics    []*topic
	refused   []wire.AssetError
	since     *wire.Since
}

// request reads a message and passes on what it asks for. It returns the error
// to send where nothing could be done; its Code is empty where all is well.
// It runs on the reader's goroutine: all the parsing is done here, beside the
// shard.
func (c *conn) request(typ websocket.MessageType, data []byte) wire.Error {
	if typ != websocket.MessageText {
		return wire.Error{Code: wire.BadJSON, Message: "binary frames are not read: send one JSON object in a text frame"}
	}
	r, err := wire.ParseRequest(data)
	if err != nil {
		return wire.Error{ID: r.ID, Code: wire.BadJSON, Message: err.Error()}
	}
	switch r.Action {
	case wire.ActionPing:
		c.reply(newFrame(kindReply, replySize, func(dst []byte) []byte { return wire.AppendPong(dst, r.ID) }))
		return wire.Error{}
	case wire.ActionSubscribe, wire.ActionUnsubscribe:
		return c.subscription(&r)
	default:
		return wire.Error{ID: r.ID, Code: wire.UnknownAction, Message: "action is subscribe, unsubscribe or ping"}
	}
}

func (c *conn) subscription(r *wire.Request) wire.Error {
	spec, known := channelByName(r.Channel)
	switch {
	case !known:
		return wire.Error{ID: r.ID, Code: wire.UnknownChannel, Message: "no such channel"}
	case !spec.served:
		return wire.Error{ID: r.ID, Code: wire.UnknownChannel, Message: spec.refusal}
	case r.Commitment != "" && r.Commitment != swapcast.Processed.String():
		return wire.Error{ID: r.ID, Code: wire.UnsupportedCommitment, Message: "this version serves the commitment processed only"}
	case len(r.Assets) == 0:
		return wire.Error{ID: r.ID, Code: wire.InvalidAsset, Message: "assets is missing or empty: give a mint or a list of mints"}
	case len(r.Assets) > c.srv.opts.Limits.AssetsPerMessage:
		return wire.Error{
			ID: r.ID, Code: wire.TooManySubscriptions,
			Message: fmt.Sprintf("one message may name %d assets", c.srv.opts.Limits.AssetsPerMessage),
		}
	}
	q := &request{id: r.ID, subscribe: r.Action == wire.ActionSubscribe, channel: spec.channel, since: r.Since}
	if q.channel == chanCandles {
		if q.interval, known = interval(r.Interval); !known {
			return wire.Error{ID: r.ID, Code: wire.InvalidInterval, Message: "interval is one of 1s, 5s, 15s, 1m, 5m, 15m, 1h, 4h and 1d; 1m where there is none"}
		}
	}
	seen := make(map[string]struct{}, len(r.Assets))
	for _, asset := range r.Assets {
		if _, twice := seen[asset]; twice {
			continue
		}
		seen[asset] = struct{}{}
		mint, err := swapcast.ParseKey(asset)
		if err != nil {
			q.refused = append(q.refused, wire.AssetError{AssetID: asset, Code: wire.InvalidAsset})
			continue
		}
		if t := c.find(q, mint); t != nil {
			q.topics = append(q.topics, t)
		}
	}
	if len(q.refused) == len(seen) {
		c.refuseAssets(q.id, q.refused[1:], c.reply)
		return assetError(q.id, q.refused[0])
	}
	c.shard.do(item{what: itemRequest, conn: c, request: q})
	return wire.Error{}
}

// interval reads the interval of a request for candles.
func interval(name string) (swapcast.Interval, bool) {
	if name == "" {
		return swapcast.DefaultInterval, true
	}
	return swapcast.ParseInterval(name)
}

// find returns the topic of a request and holds it; nil where the request would
// end what is not there.
func (c *conn) find(q *request, mint solana.PublicKey) *topic {
	r := c.srv.registry
	switch {
	case q.channel == chanCandles && q.subscribe:
		return r.acquireCandles(mint, q.interval)
	case q.channel == chanCandles:
		return r.heldCandles(mint, q.interval)
	case q.subscribe:
		return r.acquire(mint)
	default:
		return r.held(mint)
	}
}

// maxAssetErrors is how many errors one message is answered with at most.
const maxAssetErrors = 32

// refuseAssets sends one error for each refused asset, up to a bound.
func (c *conn) refuseAssets(id wire.ID, refused []wire.AssetError, reply func(*frame)) {
	for _, e := range refused[:min(len(refused), maxAssetErrors)] {
		c.srv.opts.Metrics.refuse(string(e.Code))
		reply(errorFrame(assetError(id, e)))
	}
}

func assetError(id wire.ID, e wire.AssetError) wire.Error {
	text := "not the base58 address of a mint"
	if e.Code == wire.TooManySubscriptions {
		text = "the connection holds as many subscriptions as it may"
	}
	return wire.Error{ID: id, Code: e.Code, Message: text, AssetID: clip(e.AssetID)}
}

// clip bounds what is repeated of a client's words.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return s[:most]
}

// serve does what a client asks for. It runs on the shard's goroutine.
func (s *shard) serve(c *conn, r *request) {
	if c.ending {
		for _, t := range r.topics {
			s.srv.registry.release(t)
		}
		return
	}
	reply := func(f *frame) { s.reply(c, f) }
	if !r.subscribe {
		for _, t := range r.topics {
			s.unsubscribe(c, t, r.channel)
		}
		s.forget(c)
		c.refuseAssets(r.id, r.refused, reply)
		if r.id != "" {
			reply(newFrame(kindReply, replySize, func(dst []byte) []byte { return wire.AppendUnsubscribed(dst, r.id) }))
		}
		return
	}

	granted := r.topics[:0]
	for _, t := range r.topics {
		if s.subscribe(c, t, r.channel) {
			granted = append(granted, t)
		} else {
			r.refused = append(r.refused, wire.AssetError{AssetID: t.id, Code: wire.TooManySubscriptions})
		}
	}
	if r.id != "" && len(granted) > 0 {
		reply(s.acknowledge(r, granted))
	} else {
		c.refuseAssets(r.id, r.refused, reply)
	}
	for _, t := range granted {
		if r.channel != chanTrades {
			s.sendSnapshot(c, t, r.channel)
		} else if r.since != nil {
			s.tellMissed(c, t, r.since)
		}
	}
}

// subscribe adds a subscription; one that is there already is no error. It
// takes over the hold on the topic, and gives it up where it is not needed. It
// reports false where the connection holds as many as it may.
func (s *shard) subscribe(c *conn, t *topic, ch channel) bool {
	key := subKey{t, ch}
	if c.subs[key] != nil {
		s.srv.registry.release(t)
		return true
	}
	if len(c.subs) >= c.maxSub {
		s.srv.registry.release(t)
		return false
	}
	l := &t.shards[s.index]
	if len(l.subs[ch]) == 0 {
		t.listen(s, ch)
	}
	sub := &subscription{conn: c, topic: t, channel: ch, index: len(l.subs[ch])}
	l.subs[ch] = append(l.subs[ch], sub)
	if c.subs == nil {
		c.subs = make(map[subKey]*subscription)
	}
	c.subs[key] = sub
	s.srv.subscriptions(ch, 1)
	return true
}

// unsubscribe ends a subscription, if there is one, and gives up the request's
// hold on the topic.
func (s *shard) unsubscribe(c *conn, t *topic, ch channel) {
	if sub := c.subs[subKey{t, ch}]; sub != nil {
		s.drop(sub)
		delete(c.subs, subKey{t, ch})
	}
	s.srv.registry.release(t)
}

// forget drops what waits for a client of subscriptions that have ended; a
// client whose socket takes it gets what was due before it unsubscribed.
func (s *shard) forget(c *conn) {
	if c.box.latest()+c.box.counts[kindFinal] > 0 {
		s.flush(c)
		c.box.forget()
	}
	c.held = slices.DeleteFunc(c.held, func(sub *subscription) bool { return sub.ended })
}

// drop takes a subscription off its topic and gives up its hold.
func (s *shard) drop(sub *subscription) {
	t, ch := sub.topic, sub.channel
	l := &t.shards[s.index]
	last := len(l.subs[ch]) - 1
	l.subs[ch][sub.index] = l.subs[ch][last]
	l.subs[ch][sub.index].index = sub.index
	l.subs[ch][last] = nil
	l.subs[ch] = l.subs[ch][:last]
	sub.held, sub.ended = nil, true
	if last == 0 {
		l.subs[ch] = nil
		t.leave(s, ch)
	}
	s.srv.subscriptions(ch, -1)
	s.srv.registry.release(t)
}

// acknowledge makes the answer to a subscription.
func (s *shard) acknowledge(r *request, granted []*topic) *frame {
	ack := &wire.Subscribed{ID: r.id, Channel: r.channel.name(), Epoch: s.srv.epoch, Recovered: r.since != nil}
	if r.channel == chanCandles {
		ack.Interval = r.interval.String()
	}
	for _, t := range granted {
		ack.Assets = append(ack.Assets, t.id)
		if ack.Recovered {
			seq, ok := r.since.Seqs[t.id]
			ack.Recovered = ok && r.since.Epoch == s.srv.epoch && seq == t.shards[s.index].seqs[r.channel]
		}
	}
	for _, e := range r.refused {
		ack.Errors = append(ack.Errors, wire.AssetError{AssetID: clip(e.AssetID), Code: e.Code})
		s.srv.opts.Metrics.refuse(string(e.Code))
	}
	return newFrame(kindReply, replySize+64*len(granted), func(dst []byte) []byte { return wire.AppendSubscribed(dst, ack) })
}

// sendSnapshot sends the last known price or candle at once, windows or not.
func (s *shard) sendSnapshot(c *conn, t *topic, ch channel) {
	sub := c.subs[subKey{t, ch}]
	if sub == nil {
		return // the connection was closed over an earlier answer
	}
	f := t.shards[s.index].current()
	if f == nil {
		return // there is no candle yet
	}
	sub.held = nil // it is no newer
	s.deliverLatest(sub, f)
}

// tellMissed tells which trades a client that resumes has missed: no history
// is kept yet, so it is told of all.
func (s *shard) tellMissed(c *conn, t *topic, since *wire.Since) {
	seq, ok := since.Seqs[t.id]
	known := t.shards[s.index].seqs[chanTrades]
	g := &wire.Gap{Channel: wire.ChannelTrades, AssetID: t.id, FromSeq: seq + 1, ToSeq: known, Reason: wire.GapNoHistory}
	if since.Epoch != s.srv.epoch {
		g.FromSeq, g.Reason = 1, wire.GapNewEpoch
	} else if !ok {
		return
	}
	if g.FromSeq <= g.ToSeq {
		s.reply(c, newFrame(kindReply, replySize, func(dst []byte) []byte { return wire.AppendGap(dst, g) }))
	}
}
