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
	// The rest never comes out of a Subscriber.
	KindPing  // the server wants to know whether we are there
	KindPong  // the answer to our own ping
	KindOther // an update of a kind that nobody asked for
	KindNone  // a message without an update
)

// Event is one update of the chain.
type Event struct {
	Kind  Kind
	Tx    *swapcast.Transaction // KindTx; nil otherwise
	Slot  swapcast.SlotUpdate   // KindSlot
	Block swapcast.BlockMeta    // KindBlock

	Endpoint string // Options.Name of where it came from
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
