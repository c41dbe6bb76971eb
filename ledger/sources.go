package ledger

import (
	"math/bits"
	"slices"
	"time"
)

// maxStreams bounds the streams that run at once and the endpoints that are
// told apart, for masks of 64 bits.
const maxStreams = 64

// maxParts bounds the parts of one endpoint's keys, for the same masks.
const maxParts = 64

// endpoint is one server.
type endpoint struct {
	name      string
	number    int // bit in masks, the last one for all that are too many
	rpc       bool
	authority uint8
	parts     int // that its newest stream to begin told of, 0 before the first
	stats     EndpointStats
	metrics   *endpointMetrics
}

func (e *endpoint) bit() uint64 { return 1 << e.number }

// stream is one stream run.
type stream struct {
	src         Source
	endpoint    *endpoint
	bit         uint64 // 0 for one too many: it proves nothing
	began       bool
	from        uint64 // complete from this slot on, where began
	part, parts int    // which of the endpoint's keys it asks for, where began
	maxTx       uint64 // newest slot of which it brought a transaction
	maxConf     uint64 // newest slot that it confirmed
	slow        bool   // it was waited for in vain, and has not caught up since
}

// proves reports whether the stream's part of the slot is complete by it.
func (s *stream) proves(slot, confBy uint64) bool {
	return s.from <= slot && s.maxTx >= slot && confBy&s.bit != 0
}

// mayProve reports whether it still can be: the stream began at or before the
// slot, and has confirmed it or not gone past it.
func (s *stream) mayProve(slot, confBy uint64) bool {
	return s.from <= slot && (confBy&s.bit != 0 || s.maxConf <= slot)
}

// disorder is by how many slots CONFIRMED may come out of order.
const disorder = 8

// behind reports whether the stream has all of the slot and has yet to confirm
// it.
func (s *stream) behind(slot, confBy uint64) bool {
	return s.began && s.from <= slot && confBy&s.bit == 0 && s.maxConf < slot+disorder
}

// sources are all that is heard.
type sources struct {
	endpoints map[string]*endpoint
	list      []*endpoint
	running   []*stream // few: searched one by one
	taken     uint64    // bits of the streams that run

	last         Source // of the call before, and what it was
	lastEndpoint *endpoint
	lastStream   *stream
}

// of returns where src is, and its stream: nil for the filler.
func (x *sources) of(src Source, m *Metrics) (*endpoint, *stream) {
	if x.lastEndpoint != nil && x.last == src {
		return x.lastEndpoint, x.lastStream
	}
	e := x.endpoints[src.Endpoint]
	if e == nil {
		e = &endpoint{
			name: src.Endpoint, number: min(len(x.list), maxStreams-1),
			rpc: src.Authority == AuthorityRPC, metrics: m.endpoint(src.Endpoint),
		}
		e.stats.Endpoint = src.Endpoint
		x.endpoints[src.Endpoint] = e
		x.list = append(x.list, e)
	}
	e.authority = src.Authority
	var s *stream
	if !e.rpc {
		if s = x.find(e, src.Stream); s == nil {
			s = &stream{src: src, endpoint: e}
			if free := ^x.taken; free != 0 {
				s.bit = 1 << bits.TrailingZeros64(free)
				x.taken |= s.bit
			}
			x.running = append(x.running, s)
			e.stats.Streams++
		}
	}
	x.last, x.lastEndpoint, x.lastStream = src, e, s
	return e, s
}

func (x *sources) find(e *endpoint, number uint64) *stream {
	for _, s := range x.running {
		if s.endpoint == e && s.src.Stream == number {
			return s
		}
	}
	return nil
}

// end forgets a stream.
func (x *sources) end(s *stream) {
	x.running = slices.DeleteFunc(x.running, func(o *stream) bool { return o == s })
	x.taken &^= s.bit
	s.endpoint.stats.Streams--
	x.lastEndpoint, x.lastStream = nil, nil
}

// anyBegan reports whether a stream runs that has said where it began.
func (x *sources) anyBegan() bool {
	return slices.ContainsFunc(x.running, func(s *stream) bool { return s.began })
}

// eachPart reports whether, of every part of the endpoint's keys, there is a
// stream of which holds is true. Streams that speak of another division than the
// newest do not count: their keys may be others'.
func (x *sources) eachPart(e *endpoint, holds func(*stream) bool) bool {
	var have uint64
	for _, s := range x.running {
		if s.endpoint == e && s.began && s.parts == e.parts && holds(s) {
			have |= 1 << s.part
		}
	}
	return e.parts > 0 && bits.OnesCount64(have) == e.parts
}

// proved reports whether the endpoint's streams have brought all of the slot.
func (x *sources) proved(e *endpoint, slot, confBy uint64) bool {
	return x.eachPart(e, func(s *stream) bool { return s.proves(slot, confBy) })
}

// vouches reports whether the endpoint can say of a transaction that the slot
// does not hold it: each part has confirmed the slot, and one at least has shown
// that it brings transactions. Of the part that would hold it nothing may be
// shown yet: it is reason to ask, no proof.
func (x *sources) vouches(e *endpoint, slot, confBy uint64) bool {
	shown := false
	return x.eachPart(e, func(s *stream) bool {
		said := s.from <= slot && confBy&s.bit != 0
		shown = shown || said && s.maxTx >= slot
		return said
	}) && shown
}

// whole returns from which slot on the endpoint's streams bring all that is
// asked for, and whether they do: there is one of each part.
func (x *sources) whole(e *endpoint) (from uint64, ok bool) {
	var first [maxParts]uint64 // by part, 0 for none; a slot's number is never 0
	if !x.eachPart(e, func(s *stream) bool {
		if f := max(s.from, 1); first[s.part] == 0 || f < first[s.part] {
			first[s.part] = f
		}
		return true
	}) {
		return 0, false
	}
	return slices.Max(first[:e.parts]), true
}

// anyWhole reports whether there is an endpoint whose streams bring all.
func (x *sources) anyWhole() bool {
	return slices.ContainsFunc(x.list, func(e *endpoint) bool { _, ok := x.whole(e); return ok })
}

// hope reports whether running streams of an endpoint may still prove the slot.
func (x *sources) hope(slot, confBy uint64) bool {
	return slices.ContainsFunc(x.list, func(e *endpoint) bool {
		return x.eachPart(e, func(s *stream) bool { return s.mayProve(slot, confBy) })
	})
}

// outstanding reports whether the endpoint (nil: any) has yet to say what becomes
// of its version of the slot.
func (x *sources) outstanding(e *endpoint, slot, confBy uint64) bool {
	for _, s := range x.running {
		if (e == nil || s.endpoint == e) && s.behind(slot, confBy) {
			return true
		}
	}
	return false
}

// confirmers returns the endpoints of streams, both by bit.
func (x *sources) confirmers(confBy uint64) (endpoints uint64) {
	for _, s := range x.running {
		if confBy&s.bit != 0 {
			endpoints |= s.endpoint.bit()
		}
	}
	return endpoints
}

// lagging marks the streams that have yet to confirm the slot as not worth
// waiting for.
func (x *sources) lagging(slot, confBy uint64) {
	for _, s := range x.running {
		if s.behind(slot, confBy) {
			s.slow = true
		}
	}
}

// prompt reports whether a stream that keeps up has yet to confirm the slot.
func (x *sources) prompt(slot, confBy uint64) bool {
	return slices.ContainsFunc(x.running, func(s *stream) bool { return !s.slow && s.behind(slot, confBy) })
}

// raced notes who brought a transaction first and by how much others were
// behind.
func (l *Ledger) raced(e *entry, ep *endpoint, at int64) {
	if e.from&ep.bit() != 0 {
		return
	}
	first := e.from == 0
	e.from |= ep.bit()
	if ep.rpc {
		return
	}
	if first {
		e.firstAt = at
		ep.stats.First++
		ep.metrics.firstOne()
		return
	}
	if e.firstAt == 0 {
		return // RPC was first: no race
	}
	d := time.Duration(max(at-e.firstAt, 0))
	ep.stats.Behind++
	if ep.stats.BehindMean == 0 {
		ep.stats.BehindMean = d
	} else {
		ep.stats.BehindMean += (d - ep.stats.BehindMean) / 64
	}
	ep.metrics.late(d)
}

// disagreed counts a word of the endpoint that was not believed.
func (l *Ledger) disagreed(ep *endpoint, reason disagreement) {
	ep.stats.Disagreements++
	ep.metrics.disagree(reason)
}
