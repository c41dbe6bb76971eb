package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast/stream/wire"
)

// head is what every message begins with.
type head struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// read takes messages until the connection ends, and returns why.
func (c *Client) read(s *session) error {
	for {
		typ, data, err := s.conn.Read(context.Background())
		if err != nil {
			return err
		}
		s.touch()
		if typ != websocket.MessageText {
			if s.conn.Subprotocol() == "" {
				c.malformed(fmt.Errorf("binary frame of %d bytes", len(data)))
				continue
			}
			if data, err = wire.AppendJSON(nil, data); err != nil {
				c.malformed(err)
				continue
			}
		}
		c.frame(s, data)
	}
}

// frame takes one frame: an object, or with batch=1 an array of them.
func (c *Client) frame(s *session, data []byte) {
	if !bytes.HasPrefix(data, []byte("[")) {
		c.message(s, data)
		return
	}
	var batch []json.RawMessage
	if err := json.Unmarshal(data, &batch); err != nil {
		c.malformed(err)
		return
	}
	for _, m := range batch {
		c.message(s, m)
	}
}

// message decodes one object and passes it to whom it concerns.
func (c *Client) message(s *session, data []byte) {
	c.mu.Lock()
	c.stats.Messages++
	c.stats.Bytes += uint64(len(data))
	c.mu.Unlock()
	var h head
	if err := json.Unmarshal(data, &h); err != nil {
		c.malformed(err)
		return
	}
	switch h.Type {
	case "price":
		decode(c, data, func(p *Price) { c.update(p.key(), p.Seq, p.Slot, p.Snapshot, p) })
	case "trade":
		decode(c, data, func(t *Trade) { t.Commitment = committed(t.Commitment); c.update(t.key(), t.Seq, t.Slot, false, t) })
	case "candle":
		decode(c, data, func(k *Candle) { k.Commitment = committed(k.Commitment); c.update(k.key(), k.Seq, 0, k.Snapshot, k) })
	case "balance":
		decode(c, data, func(b *Balance) {
			b.Commitment = committed(b.Commitment)
			c.update(b.key(), b.Seq, b.Slot, b.Snapshot, b)
		})
	case "retract":
		decode(c, data, func(r *Retract) { r.Commitment = committed(r.Commitment); c.update(r.key(), r.Seq, 0, false, r) })
	case "gap":
		decode(c, data, c.gap)
	case "status":
		decode(c, data, func(st *Status) { c.slot(st.Slot); c.deliver(st) })
	case "subscribed":
		decode(c, data, func(ack *Subscribed) { c.subscribed(h.ID, ack) })
	case "unsubscribed", "pong":
		c.mu.Lock()
		c.answered(h.ID, answer{})
		c.mu.Unlock()
	case "error":
		decode(c, data, func(e *Error) { c.complaint(s, h.ID, e) })
	default:
		c.mu.Lock()
		c.stats.Unknown++
		c.mu.Unlock()
	}
}

// decode reads a message of a known type.
func decode[T any](c *Client, data []byte, then func(*T)) {
	v := new(T)
	if err := json.Unmarshal(data, v); err != nil {
		c.malformed(err)
		return
	}
	then(v)
}

// update delivers a numbered update, and before it the gap that its number shows.
// What has come before is not delivered again.
func (c *Client) update(key assetKey, seq, slot uint64, state bool, ev Event) {
	c.mu.Lock()
	gap, again := c.seqs.see(key, seq, state)
	c.stats.LastSlot = max(c.stats.LastSlot, slot)
	if again {
		c.stats.Duplicates++
	}
	c.mu.Unlock()
	if again {
		return
	}
	if gap != nil {
		c.deliver(gap)
	}
	c.deliver(ev)
}

// gap delivers a gap that the server tells of, unless it was told already.
func (c *Client) gap(g *Gap) {
	g.Commitment = committed(g.Commitment)
	c.mu.Lock()
	news := c.seqs.announced(g)
	c.mu.Unlock()
	if news {
		c.deliver(g)
	}
}

func (c *Client) slot(slot uint64) {
	c.mu.Lock()
	c.stats.LastSlot = max(c.stats.LastSlot, slot)
	c.mu.Unlock()
}

// subscribed takes an acknowledgement: it answers a request, and its epoch
// decides what the jumps since the last connection mean, and its seqs from where to
// count what nothing has been seen of.
func (c *Client) subscribed(id string, s *Subscribed) {
	c.mu.Lock()
	if r := c.pending[id]; r != nil {
		s.Renewal = r.renewal != nil
	}
	s.Commitment = committed(s.Commitment)
	c.answered(id, answer{ack: s})
	gaps := c.seqs.acknowledged(s.Epoch)
	for asset, seq := range s.Seqs {
		if key := (assetKey{newFeed(s.Channel, s.Interval, s.Commitment), asset}); c.wants(key) {
			c.seqs.positioned(key, seq)
		}
	}
	c.mu.Unlock()
	c.deliver(s)
	for i := range gaps {
		c.deliver(&gaps[i])
	}
}

// complaint takes an error: the answer to a request, or an event of its own. A
// renewal has nobody who waits for its answer, so that its refusal is an event.
func (c *Client) complaint(s *session, id string, e *Error) {
	limited := e.Code == string(wire.RateLimited)
	c.mu.Lock()
	var r *request
	if e.AssetID != "" || e.Wallet != "" {
		r = c.refused(id, AssetError{AssetID: e.AssetID, Wallet: e.Wallet, Code: e.Code})
	} else {
		r = c.answered(id, answer{err: &RequestError{Code: e.Code, Message: e.Message}})
	}
	c.mu.Unlock()
	if r == nil && limited {
		select {
		case s.limited <- struct{}{}:
		default:
		}
	}
	if r == nil || r.renewal != nil && !limited {
		c.deliver(e)
	}
}

func (c *Client) malformed(err error) {
	c.mu.Lock()
	c.stats.Malformed++
	c.mu.Unlock()
	c.opts.Logger.Debug("message dropped", "err", err)
}
