package stream

import (
	"context"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// Update is an update that was numbered and encoded elsewhere, for servers of
// which several tell the same: a client that loses one of them goes on at another,
// where the numbers are the same.
type Update struct {
	Mint       solana.PublicKey
	Commitment swapcast.Commitment
	Trade      bool // a trade or a retract, else a price
	Seq        uint64
	// Message is the JSON text as clients are to see it, with Seq in it. Empty: there
	// is none, and only the number is taken over. It is copied.
	Message    []byte
	ReceivedAt int64 // Unix nanoseconds, of the transaction; 0 unknown
}

// Subject is what a client is about to listen to.
type Subject struct {
	Channel    string           // one of wire's
	Key        solana.PublicKey // mint or wallet
	Interval   swapcast.Interval
	Commitment swapcast.Commitment
}

// Relay is PublishPrice, PublishTrade or PublishRetract for an update that has its
// number already, which must be above the last one's of its asset and channel; a
// lower one is passed over. Where trades are missing before it, those that are
// kept of the asset are forgotten, so that who comes for them is told of a gap.
func (s *Server) Relay(u *Update) {
	now := s.opts.Now()
	t := s.registry.touch(u.Mint, served(u.Commitment))
	t.mu.Lock()
	defer t.mu.Unlock()
	if u.Trade {
		s.relayTrade(t, u, now)
		return
	}
	if u.Seq <= t.seqs[lanePrices] {
		return
	}
	t.seqs[lanePrices] = u.Seq
	if len(u.Message) == 0 {
		return
	}
	f := newFrame(kindPrice, len(u.Message), func(dst []byte) []byte { return append(dst, u.Message...) })
	t.relayed = f
	s.publish(item{what: itemUpdate, channel: chanPrices, topic: t, frame: f, seq: u.Seq, at: now.UnixNano(), receivedAt: u.ReceivedAt})
}

// relayTrade is called with the topic's mu held.
func (s *Server) relayTrade(t *topic, u *Update, now time.Time) {
	last := t.seqs[laneTrades]
	if u.Seq <= last {
		return
	}
	none := len(u.Message) == 0
	if none || u.Seq != last+1 {
		to := u.Seq
		if !none {
			to--
		}
		s.history.skip(t, to)
	}
	t.seqs[laneTrades] = u.Seq
	if none {
		return
	}
	f := newFrame(kindTrade, len(u.Message), func(dst []byte) []byte { return append(dst, u.Message...) })
	f.topic, f.seq = t, u.Seq
	it := item{what: itemUpdate, channel: chanTrades, topic: t, seq: u.Seq, frame: f, at: now.UnixNano(), receivedAt: u.ReceivedAt}
	s.history.publish(s, it, &pastEntry{seq: u.Seq, ts: now.UnixMilli()})
}

// Listened tells whether somebody listens to what a subject names, or is about to.
func (s *Server) Listened(x Subject) bool {
	r, c := s.registry, served(x.Commitment)
	r.mu.Lock()
	defer r.mu.Unlock()
	var t *topic
	switch x.Channel {
	case wire.ChannelCandles:
		t = r.candles[c][x.Interval][x.Key]
	case wire.ChannelBalances:
		t = r.wallets[c][x.Key]
	default:
		t = r.assets[c][x.Key]
	}
	return t != nil && t.refs > 0
}

// follow has Options.Follow see to what a request is about, and returns the end of
// the connection where that cannot be had. It runs on the reader's goroutine.
func (c *conn) follow(q *request) end {
	if c.srv.opts.Follow == nil || !q.subscribe || q.channel == chanStatus {
		return end{}
	}
	subjects := make([]Subject, 0, len(q.topics))
	for _, t := range q.topics {
		subjects = append(subjects, Subject{Channel: q.channel.name(), Key: t.key, Interval: t.interval, Commitment: t.commitment})
	}
	ctx, cancel := context.WithTimeout(context.Background(), followTimeout)
	defer cancel()
	served := false
	defer func() { // after a panic too
		if served {
			return
		}
		for _, t := range q.topics {
			c.srv.registry.release(t)
		}
	}()
	if err := c.srv.opts.Follow(ctx, subjects); err != nil {
		c.srv.opts.Logger.Warn("a subscription cannot be served", "error", err)
		return end{wire.CloseOverload, "what was asked for cannot be had now; try again"}
	}
	served = true
	return end{}
}

// followTimeout is how long a client waits for what it wants to listen to.
const followTimeout = 5 * time.Second
