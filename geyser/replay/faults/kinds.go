package faults

import (
	"fmt"
	"strings"
)

// side is where a fault belongs.
type side uint8

const (
	sideChain  side = iota
	sideFeed        // an endpoint's feed, before its store
	sideServer      // an endpoint as a whole
	sideStream
)

func (s side) chain() bool { return s == sideChain }

// unit is what `rate` is the chance of.
type unit string

const (
	perSlot    unit = "slot"
	perTx      unit = "transaction"
	perMessage unit = "message"
	perAttempt unit = "attempt"
)

// spec is what there is to know of a kind.
type spec struct {
	kind Kind
	side side
	unit unit
	// needsWhen refuses an entry that is on all the time.
	needsWhen bool
	// lasting faults stay on for `for` or `for_slots`, without them for ever;
	// the others strike at one moment, and take neither unless spans is set.
	lasting bool
	spans   bool
	params  string // for people: its own parameters with their defaults
	help    string
	read    func(*reader, *Fault)
}

// specs lists every kind, in the order in which help tells of them.
//
//nolint:gochecknoglobals // a table
var specs = []spec{
	{
		kind: Fork, side: sideChain, unit: perSlot, needsWhen: true, read: readFork,
		params: "order: before|after, end: dead|aside, dead_error: TEXT, own: 0.5",
		help:   "two children of one parent: an extra slot with copies of the next slot's transactions and, as a share, transactions of its own; it dies or is left aside",
	},
	{
		kind: Dead, side: sideChain, unit: perSlot, needsWhen: true, read: readDead,
		params: "dead_error: TEXT",
		help:   "an extra slot that dies half-way; its transactions land again in the next",
	},
	{
		kind: Banks, side: sideChain, unit: perSlot, needsWhen: true, read: readFork,
		params: "order: before|after, end: dead|aside, dead_error: TEXT, own: 0.5",
		help:   "two banks in one slot, told apart by bank_id; one of them is confirmed. All slots of the chain have bank ids then",
	},
	{
		kind: SkipSlots, side: sideChain, unit: perSlot, needsWhen: true, read: readSkip,
		params: "slots: 1",
		help:   "the chain skips slots: they are there for nobody",
	},
	{
		kind: NonceTwice, side: sideChain, unit: perSlot, needsWhen: true, read: readNonce,
		params: "later: 1",
		help:   "a transaction is seen again, at the end of a slot that many slots later",
	},
	{
		kind: V1, side: sideChain, unit: perTx,
		help: "transactions without lookup tables come as v1 messages",
	},
	{
		kind: Lying, side: sideFeed, unit: perTx, spans: true, read: readLying,
		params: "how: altered|invented|left_out",
		help:   "a swap's amounts are changed, a swap is invented, or a transaction left out",
	},
	{
		kind: Reorder, side: sideFeed, unit: perSlot, spans: true, read: readReorder,
		params: "window: 8",
		help:   "a slot's transactions come out of order, within a window of so many",
	},
	{
		kind: BlockMetaEarly, side: sideFeed, unit: perSlot, spans: true, read: readEarly,
		params: "transactions: 3",
		help:   "a slot's block meta comes before that many last transactions of it",
	},
	{
		kind: Late, side: sideServer, unit: perSlot, lasting: true, read: readLate,
		params: "by: DURATION",
		help:   "everything that the endpoint streams comes that much later",
	},
	{
		kind: ForgetHistory, side: sideServer, unit: perSlot, needsWhen: true, read: readKeep,
		params: "keep_slots: 0",
		help:   "all stored slots but that many are dropped: from_slot before them is OUT_OF_RANGE",
	},
	{
		kind: Restart, side: sideServer, unit: perSlot, needsWhen: true, read: readRestart,
		params: "down: 1s, keep_slots: 0",
		help:   "streams end with UNAVAILABLE, calls are refused while it is down, then history begins anew",
	},
	{
		kind: RefuseFromSlot, side: sideServer, unit: perAttempt, lasting: true, read: readRefuse,
		params: "with: unsupported|out_of_range|failed",
		help:   `requests with from_slot are refused: "from_slot is not supported", OUT_OF_RANGE, or "failed to get replay response"`,
	},
	{
		kind: RefuseAuth, side: sideServer, unit: perAttempt, lasting: true,
		help: `calls are refused with UNAUTHENTICATED "No valid auth token"`,
	},
	{
		kind: ResourceExhausted, side: sideServer, unit: perAttempt, lasting: true, read: readExhausted,
		params: "message: max subscription limit exceeded",
		help:   "new streams are refused with RESOURCE_EXHAUSTED",
	},
	{
		kind: Cut, side: sideStream, unit: perSlot, needsWhen: true, read: readCut,
		params: "with: UNAVAILABLE|any gRPC status|OK|TCP, message: TEXT",
		help:   "the stream ends with a status, or its TCP connection breaks",
	},
	{
		kind: HalfOpen, side: sideStream, unit: perSlot, needsWhen: true, lasting: true, read: readHalfOpen,
		params: "keepalive: true",
		help:   "the stream stays open and nothing comes, no pings either; without keepalive, gRPC's own pings are not answered",
	},
	{
		kind: Lagged, side: sideStream, unit: perSlot, needsWhen: true,
		help: `the stream ends with INTERNAL "lagged to send an update"`,
	},
	{
		kind: SlowDown, side: sideStream, unit: perSlot, lasting: true, read: readSlow,
		params: "bytes_per_second: N or updates_per_second: N",
		help:   "no more than that is sent on each stream",
	},
	{
		kind: Duplicate, side: sideStream, unit: perMessage, spans: true,
		help: "messages are sent twice",
	},
	{
		kind: Corrupt, side: sideStream, unit: perMessage, needsWhen: true, read: readCorrupt,
		params: "how: garbage|truncated",
		help:   "a message that is no protobuf",
	},
	{
		kind: SilentFilter, side: sideStream, unit: perSlot, needsWhen: true, lasting: true, read: readSilent,
		params: "with: UNAVAILABLE, message: TEXT; for_slots is needed",
		help:   "no transactions for that many slots while slots and block metas go on, then the stream is cut",
	},
	{
		kind: WithholdSlots, side: sideStream, unit: perSlot, needsWhen: true, lasting: true, read: readWithhold,
		params: "slots: 1",
		help:   "the stream lacks slots that the chain has; a replay of them is whole",
	},
}

func specOf(k Kind) *spec {
	for i := range specs {
		if specs[i].kind == k {
			return &specs[i]
		}
	}
	return nil
}

// Kinds lists the names of all faults.
func Kinds() []Kind {
	out := make([]Kind, len(specs))
	for i := range specs {
		out[i] = specs[i].kind
	}
	return out
}

// Help tells a person how a script is written: what `swapcast geyser --help`
// shows.
func Help() string {
	var b strings.Builder
	b.WriteString(`--faults FILE is YAML:

  seed: 7                       # of everything that is random
  chain:                        # what happens to the chain, for all endpoints
    - fork: {every_slots: 40}
  endpoint:                     # what every endpoint does
    - duplicate: {rate: 0.01}
  endpoints:                    # what single ones do, by the order of --listen
    0:
      - cut: {every: 10s, with: TCP}
    1:
      - late: {by: 400ms}

When a fault strikes, at most one of: at: 10s and/or every: 5s; at_slot: N or
after_slots: N, and/or every_slots: N; rate: 0.01 (the chance for each slot, or
what is named below). How long: for: 2s or for_slots: N. How often at most:
times: N. Faults of a stream count from the stream's start, with scope: server
from the server's, for all streams at once. The chain's time is its source's.

`)
	for _, part := range []struct {
		title string
		sides []side
	}{
		{"chain:", []side{sideChain}},
		{"endpoint: and endpoints:", []side{sideFeed, sideServer}},
		{"endpoint: and endpoints:, for each stream or with scope: server", []side{sideStream}},
	} {
		fmt.Fprintf(&b, "%s\n", part.title)
		for i := range specs {
			s := &specs[i]
			for _, side := range part.sides {
				if s.side == side {
					writeHelp(&b, s)
				}
			}
		}
	}
	return b.String()
}

func writeHelp(b *strings.Builder, s *spec) {
	fmt.Fprintf(b, "  %s", s.kind)
	if s.params != "" {
		fmt.Fprintf(b, " {%s}", s.params)
	}
	b.WriteByte('\n')
	text := s.help
	if s.unit != perSlot {
		text += fmt.Sprintf("; rate is per %s", s.unit)
	}
	const width = 76
	for line := ""; text != ""; {
		word, rest, _ := strings.Cut(text, " ")
		line, text = line+" "+word, rest
		if next, _, _ := strings.Cut(rest, " "); rest == "" || len(line)+1+len(next) > width {
			fmt.Fprintf(b, "     %s\n", line)
			line = ""
		}
	}
}
