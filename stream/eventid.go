package stream

import (
	"hash/fnv"
	"io"
	"strconv"
	"strings"
)

// eventIDs are the event ids of a stream of trades on a server whose numbers are
// those of others, too: EPOCH.ASSETS.SEQ.SEQ..., the seq that the client has seen
// last of each asset, in the order of its query. A position counts on one server
// alone; these say the same everywhere, as since does.
type eventIDs struct {
	// static after construction
	prefix string         // epoch and what the query asks for
	places map[*topic]int // by topic, the place of its seq

	// owned by the shard
	seen    []uint64 // of what has left
	filling []uint64 // of what is being gathered; scratch
}

// newEventIDs makes the ids of a query for topics. ASSETS tells queries apart: an id
// that came with other assets must not be read as being about these.
func newEventIDs(epoch string, topics []*topic) *eventIDs {
	e := &eventIDs{places: make(map[*topic]int, len(topics)), seen: make([]uint64, len(topics))}
	h := fnv.New32a()
	for i, t := range topics {
		e.places[t] = i
		_, _ = io.WriteString(h, t.commitment.String()+t.id)
	}
	e.prefix = epoch + "." + strconv.FormatUint(uint64(h.Sum32()), positionBase)
	return e
}

// parse reads an id. What is none of these tells of another run.
func (e *eventIDs) parse(id string) *since {
	other := &since{positioned: true}
	list, ours := strings.CutPrefix(id, e.prefix+".")
	fields := strings.Split(list, ".")
	if !ours || len(fields) != len(e.seen) {
		return other
	}
	epoch, _, _ := strings.Cut(id, ".")
	s := &since{epoch: epoch, seqs: make(map[string]uint64, len(fields))}
	for t, i := range e.places {
		seq, err := strconv.ParseUint(fields[i], positionBase, 64)
		if err != nil {
			return other
		}
		s.seqs[t.id] = seq
	}
	return s
}

// begin takes down where a client begins with each topic, and reports whether the
// acknowledgement has an id: it comes before the gaps, which who is cut in between
// has to be told again.
func (e *eventIDs) begin(granted []*topic, lacks []missed, resumed bool) bool {
	whole := true
	for i, t := range granted {
		e.seen[e.places[t]] = lacks[i].next - 1
		whole = whole && lacks[i].whole
	}
	return whole || !resumed
}

// append appends the id of the next event that is gathered.
func (e *eventIDs) append(dst []byte, f *frame) []byte {
	f.seenIn(e.places, e.filling)
	dst = append(dst, e.prefix...)
	for _, seq := range e.filling {
		dst = append(dst, '.')
		dst = strconv.AppendUint(dst, seq, positionBase)
	}
	return dst
}

// left takes down an event that has left.
func (e *eventIDs) left(f *frame) { f.seenIn(e.places, e.seen) }

// seenIn takes a trade down in a list of what was seen.
func (f *frame) seenIn(places map[*topic]int, seen []uint64) {
	if f.topic == nil {
		return
	}
	if i, ok := places[f.topic]; ok {
		seen[i] = max(seen[i], f.seq)
	}
}
