package geyser

import (
	"sync"

	"github.com/swapcast/swapcast"
)

// Kind says which part of an Event is set.
type Kind uint8

// The kinds of events.
const (
	KindTx Kind = iota
	KindSlot
	KindBlock
	// KindStreamStart says from where on a stream is complete: of Event.From
	// and every later slot it brings, or has brought, all that its filters ask
	// for, until its KindStreamEnd. It comes when that is known: some updates of
	// the stream may precede it. The same stream may say it again, and the last
	// word counts: with a higher From where it learns that a slot had begun before
	// it did, which is told before the update that shows it.
	KindStreamStart
	// KindPartStart is the same of a stream that asks for a part of the keys only:
	// Event.Part of Event.Parts, where the provider's limits split them. A slot is
	// complete once it is on a stream of each part; a consumer that does not put
	// parts together passes it over, and nothing of the endpoint counts as proved.
	KindPartStart
	// KindStreamEnd comes after the last event of a stream that brought any.
	KindStreamEnd
	// The next four come from a source other than a stream (backfill).
	KindFilled  // all of slot Event.Slot.Slot was delivered before this
	KindSkipped // the chain has no block in slot Event.Slot.Slot
	KindLost    // slots Event.From to Event.To, both included, cannot be had: Event.Reason
	KindAbsent  // there is no transaction Event.Ref in its slot
	// The rest comes out of a WireDecoder only.
	KindPing  // the server wants to know whether we are there
	KindPong  // the answer to our own ping
	KindOther // an update of a kind that nobody asked for
	KindNone  // a message without an update
)

// Event is one update of the chain.
type Event struct {
	Kind  Kind
	Tx    *swapcast.Transaction // KindTx; nil otherwise
	Slot  swapcast.SlotUpdate   // KindSlot; KindFilled and KindSkipped: its Slot
	Block swapcast.BlockMeta    // KindBlock

	Endpoint string // Options.Name of where it came from
	// Stream numbers the stream that it came on: unique in the process, higher
	// for one that was opened later; 0 for what came on none.
	Stream uint64
	// From and To are slots: KindStreamStart and KindPartStart (From), KindLost.
	From, To uint64
	Reason   string // KindStreamEnd, KindLost: a stable code
	// Part and Parts tell, with KindStreamStart and KindPartStart, which part of
	// the endpoint's keys the stream asks for: 0 of 1 as long as they fit into one.
	Part, Parts int
	Ref         swapcast.TxRef // KindAbsent
	// Feed is the kind of data that the endpoint says it serves: a server that
	// plays a recording or a made-up market says so in its response header, and
	// a live chain says nothing.
	Feed swapcast.Feed
	// ReceivedAt is when the message left gRPC, CreatedAt when the server says
	// that it made it (0 unknown); Unix nanoseconds.
	ReceivedAt int64
	CreatedAt  int64

	tx   swapcast.Transaction // what Tx points at
	logs []string             // what tx.Logs is where a WireDecoder read it
	buf  []byte               // the message, which tx and logs alias
	home *sync.Pool
}

// keptMessage is the largest message whose memory an event keeps for the next
// one. A transaction's is a few kilobytes; the rest is for the collector.
const keptMessage = 64 << 10

// Release gives the event back for reuse. Neither it nor anything that it
// points at may be touched afterwards, and it may be called once. On an event
// that came from elsewhere it does nothing.
func (e *Event) Release() {
	if e.home == nil {
		return
	}
	home := e.home
	resetTransaction(&e.tx)
	buf := e.buf[:0]
	if cap(buf) > keptMessage {
		buf = nil
	}
	*e = Event{tx: e.tx, logs: emptied(e.logs), buf: buf, home: home}
	home.Put(e)
}
