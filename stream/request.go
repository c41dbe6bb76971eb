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
	// commitment is not looked at for the status, which has none.
	commitment swapcast.Commitment
	topics     []*topic
	refused    []wire.AssetError
	since      *since       // nil: the client begins anew
	position   uint64       // of the history, where a stream of trades begins anew
	info       *RequestInfo // nil: nobody is told
}

// request reads a message and passes on what it asks for. It returns the error
// to send where nothing could be done; its Code is empty where all is well.
// It runs on the reader's goroutine: all the parsing is done here, beside the
// shard.
func (c *conn) request(typ websocket.MessageType, data []byte) wire.Error {
	if typ != websocket.MessageText {
		if !c.form.packed() {
			return wire.Error{Code: wire.BadJSON, Message: "binary frames are not read: send one JSON object in a text frame"}
		}
		unpacked, err := wire.AppendJSON(nil, data)
		if err != nil {
			return wire.Error{Code: wire.BadJSON, Message: err.Error()}
		}
		data = unpacked
	}
	r, err := wire.ParseRequest(data)
	if err != nil {
		return wire.Error{ID: r.ID, Code: wire.BadJSON, Message: err.Error()}
	}
	c.asking.parsed(&r)
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
	q := &request{id: r.ID, subscribe: r.Action == wire.ActionSubscribe}
	if r.Since != nil {
		q.since = &since{epoch: r.Since.Epoch, seqs: r.Since.Seqs}
	}
	names, refused := q.read(r)
	if refused.Code != "" {
		refused.ID = r.ID
		return refused
	}
	if refused := c.topics(q, names); refused.Code != "" {
		if len(q.refused) > 1 {
			c.refuseAssets(q.id, q.refused[1:], c.reply)
		}
		return refused
	}
	c.asking.asked(q)
	if c.unserved = c.follow(q); c.unserved.code != 0 {
		return wire.Error{}
	}
	q.info, c.asking = c.asking, nil // the shard tells it
	c.shard.do(item{what: itemRequest, conn: c, request: q})
	return wire.Error{}
}

// read takes over what a request asks for and returns the names of its assets or
// wallets; an error's Code is empty where all is well.
func (q *request) read(r *wire.Request) (names []string, refused wire.Error) {
	var known bool
	if q.channel, known = channelByName(r.Channel); !known {
		return nil, wire.Error{Code: wire.UnknownChannel, Message: "channel is prices, trades, candles, balances or status"}
	}
	if q.commitment, known = commitment(r.Commitment); !known {
		return nil, wire.Error{Code: wire.UnsupportedCommitment, Message: "commitment is processed or confirmed; processed where there is none"}
	}
	switch q.channel {
	case chanStatus:
		return nil, wire.Error{}
	case chanBalances:
		if len(r.Wallets) == 0 {
			return nil, wire.Error{Code: wire.InvalidWallet, Message: "wallets is missing or empty: give an owner or a list of owners"}
		}
		return r.Wallets, wire.Error{}
	case chanCandles:
		if q.interval, known = interval(r.Interval); !known {
			return nil, wire.Error{Code: wire.InvalidInterval, Message: "interval is one of 1s, 5s, 15s, 1m, 5m, 15m, 1h, 4h and 1d; 1m where there is none"}
		}
	}
	if len(r.Assets) == 0 {
		return nil, wire.Error{Code: wire.InvalidAsset, Message: "assets is missing or empty: give a mint or a list of mints"}
	}
	return r.Assets, wire.Error{}
}

// topics finds the topics of a request by the names of its assets or wallets. It
// returns an error where it finds none that could be served, the first of them.
func (c *conn) topics(q *request, names []string) wire.Error {
	if q.channel == chanStatus {
		q.topics = append(q.topics, c.srv.registry.hold(c.srv.registry.status))
		return wire.Error{}
	}
	if most := c.srv.opts.Limits.AssetsPerMessage; len(names) > most {
		return wire.Error{ID: q.id, Code: wire.TooManySubscriptions, Message: fmt.Sprintf("one message may name %d assets or wallets", most)}
	}
	bad := wire.AssetError{Code: wire.InvalidAsset}
	if q.channel == chanBalances {
		bad = wire.AssetError{Code: wire.InvalidWallet, Wallet: true}
	}
	seen := make(map[string]struct{}, len(names))
	for _, name := range names {
		if _, twice := seen[name]; twice {
			continue
		}
		seen[name] = struct{}{}
		key, err := swapcast.ParseKey(name)
		if err != nil {
			bad.AssetID = name
			q.refused = append(q.refused, bad)
			continue
		}
		switch t := c.find(q, key); {
		case t != nil:
			q.topics = append(q.topics, t)
		case q.subscribe: // only wallets are limited before they come to the shard
			q.refused = append(q.refused, wire.AssetError{AssetID: name, Code: wire.TooManySubscriptions, Wallet: true})
		}
	}
	if len(q.refused) == len(seen) {
		return assetError(q.id, q.refused[0])
	}
	return wire.Error{}
}

// commitment reads the commitment of a request.
func commitment(name string) (swapcast.Commitment, bool) {
	switch name {
	case "", swapcast.Processed.String():
		return swapcast.Processed, true
	case swapcast.Confirmed.String():
		return swapcast.Confirmed, true
	default:
		return 0, false
	}
}

// interval reads the interval of a request for candles.
func interval(name string) (swapcast.Interval, bool) {
	if name == "" {
		return swapcast.DefaultInterval, true
	}
	return swapcast.ParseInterval(name)
}

// find returns the topic of a request and holds it; nil where the request would
// end what is not there, or may not begin it.
func (c *conn) find(q *request, key solana.PublicKey) *topic {
	r := c.srv.registry
	switch {
	case q.channel == chanCandles && q.subscribe:
		return r.acquireCandles(key, q.interval, q.commitment)
	case q.channel == chanCandles:
		return r.heldCandles(key, q.interval, q.commitment)
	case q.channel == chanBalances && q.subscribe:
		return r.acquireWallet(key, q.commitment)
	case q.channel == chanBalances:
		return r.heldWallet(key, q.commitment)
	case q.subscribe:
		return r.acquire(key, q.commitment)
	default:
		return r.held(key, q.commitment)
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
	switch {
	case e.Code == wire.InvalidWallet:
		text = "not the base58 address of a wallet"
	case e.Code == wire.TooManySubscriptions && e.Wallet:
		text = "the connection, or the server, listens to as many wallets as it may"
	case e.Code == wire.TooManySubscriptions:
		text = "the connection holds as many subscriptions as it may"
	}
	return wire.Error{ID: id, Code: e.Code, Message: text, AssetID: clip(e.AssetID), Wallet: e.Wallet}
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
			r.refused = append(r.refused, wire.AssetError{AssetID: t.id, Code: wire.TooManySubscriptions, Wallet: r.channel == chanBalances})
		}
	}
	lacks := s.lacks(c, r, granted)
	if r.id != "" && len(granted) > 0 {
		ack := s.acknowledge(r, granted, lacks)
		switch {
		case !c.sse:
		case c.ids == nil:
			ack.position = s.position(r, granted)
		case c.ids.begin(granted, lacks, r.since != nil):
			ack.position = s.srv.history.now() // any: its id says more
		}
		reply(ack)
	} else {
		c.refuseAssets(r.id, r.refused, reply)
	}
	for i, t := range granted {
		sub := c.subs[subKey{t, r.channel}]
		if sub == nil {
			return // the connection was closed over an earlier answer
		}
		if r.since != nil {
			s.srv.opts.Metrics.resume(r.channel, lacks[i].whole)
		}
		if lacks != nil {
			s.resume(sub, lacks[i])
		}
		s.begin(sub)
	}
	s.alignStream(c)
}

// begin sends what a subscription begins with: the last known price, candle or
// status at once, windows or not, or a wallet's balances.
func (s *shard) begin(sub *subscription) {
	switch sub.channel {
	case chanTrades:
	case chanBalances:
		s.beginBalances(sub)
	default:
		f := sub.topic.shards[s.index].current()
		if f == nil {
			return // there is no candle yet
		}
		sub.held = nil // it is no newer
		s.deliverLatest(sub, f)
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
	if len(c.subs) >= c.maxSub || (ch == chanBalances && c.wallets >= s.srv.opts.Limits.Wallets) {
		s.srv.registry.release(t)
		return false
	}
	l, n := &t.shards[s.index], ch.lane()
	if len(l.subs[n]) == 0 {
		t.listen(s, ch)
	}
	sub := &subscription{conn: c, topic: t, channel: ch, index: len(l.subs[n]), window: c.window > 0}
	l.subs[n] = append(l.subs[n], sub)
	if ch == chanBalances {
		c.wallets++
	}
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
	t, n := sub.topic, sub.channel.lane()
	l := &t.shards[s.index]
	last := len(l.subs[n]) - 1
	l.subs[n][sub.index] = l.subs[n][last]
	l.subs[n][sub.index].index = sub.index
	l.subs[n][last] = nil
	l.subs[n] = l.subs[n][:last]
	sub.settle()
	sub.held, sub.ended, sub.backed = nil, true, nil
	if sub.channel == chanBalances {
		sub.conn.wallets--
	}
	if last == 0 {
		l.subs[n] = nil
		t.leave(s, sub.channel)
	}
	s.srv.subscriptions(sub.channel, -1)
	s.srv.registry.release(t)
}

// acknowledge makes the answer to a subscription.
func (s *shard) acknowledge(r *request, granted []*topic, lacks []missed) *frame {
	ack := &wire.Subscribed{ID: r.id, Channel: r.channel.name(), Epoch: s.srv.epoch, Recovered: r.since != nil}
	if r.channel != chanStatus {
		ack.Commitment = r.commitment
	}
	if r.channel == chanCandles {
		ack.Interval = r.interval.String()
	}
	for i, t := range granted {
		seq := t.shards[s.index].seqs[r.channel.lane()]
		if lacks != nil {
			ack.Recovered = ack.Recovered && lacks[i].whole
			seq = lacks[i].next - 1
		}
		switch r.channel {
		case chanStatus:
		case chanBalances:
			ack.Wallets = append(ack.Wallets, t.id)
			ack.Seqs = append(ack.Seqs, wire.Position{ID: t.id, Seq: seq})
		case chanPrices:
			ack.Assets = append(ack.Assets, t.id)
		default:
			ack.Assets = append(ack.Assets, t.id)
			ack.Seqs = append(ack.Seqs, wire.Position{ID: t.id, Seq: seq})
		}
	}
	for _, e := range r.refused {
		e.AssetID = clip(e.AssetID)
		ack.Errors = append(ack.Errors, e)
		s.srv.opts.Metrics.refuse(string(e.Code))
	}
	return newFrame(kindReply, replySize+128*len(granted), func(dst []byte) []byte { return wire.AppendSubscribed(dst, ack) })
}
