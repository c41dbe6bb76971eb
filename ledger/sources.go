package ledger

import (
	"math/bits"
	"slices"
	"time"
)

// maxStreams bounds the streams that run at once and the endpoints that are
// told apart, for masks of 64 bits.
const maxStreams = 64

// endpoint is one server.
type endpoint struct {
	name      string
	number    int // bit in masks, the last one for all that are too many
	rpc       bool
	authority uint8
	stats     EndpointStats
	metrics   *endpointMetrics
}

func (e *endpoint) bit() uint64 { return 1 << e.number }

// stream is one stream run.
type stream struct {
	src      Source
	endpoint *endpoint
	bit      uint64 // 0 for one too many: it proves nothing
	began    bool
	from     uint64   // complete from this slot on, where began
	maxTx    uint64   // newest slot of which it brought a transaction
	maxConf  uint64   // newest slot that it confirmed
	waiting  []uint64 // slots that it confirmed and has not proved
	slow     bool     // it was waited for in vain, and has not caught up since
	part     int      // which share of the endpoint's keys it asks for, of so many
	parts    int      // 0 and 1: it asks for all
}

// proves reports whether a slot that the stream confirmed is complete by it.
func (s *stream) proves(slot uint64) bool {
	return s.began && s.from <= slot && s.maxTx >= slot
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

// hope reports whether a running stream may still prove the slot: it began at or
// before it, and has confirmed it or not gone past it.
func (x *sources) hope(slot, confBy uint64) bool {
	may := func(s *stream) bool {
		return s.began && s.from <= slot && (confBy&s.bit != 0 || s.maxConf <= slot)
	}
	return slices.ContainsFunc(x.running, func(s *stream) bool { return x.shares(s, may) })
}

// complete reports whether a slot that the stream confirmed is complete by it
// and, where it asks for a share of the keys, by the streams of the others.
func (x *sources) complete(s *stream, slot, confBy uint64) bool {
	return x.shares(s, func(o *stream) bool { return o.proves(slot) && confBy&o.bit != 0 })
}

// shares reports whether something is so of a stream and, where it asks for a
// share of its endpoint's keys, of a stream of each other share.
func (x *sources) shares(s *stream, so func(*stream) bool) bool {
	if !so(s) {
		return false
	}
	for part := range max(s.parts, 1) {
		if part != s.part && !slices.ContainsFunc(x.running, func(o *stream) bool {
			return o.endpoint == s.endpoint && o.part == part && o.parts == s.parts && so(o)
		}) {
			return false
		}
	}
	return true
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
