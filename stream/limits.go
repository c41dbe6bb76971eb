package stream

import (
	"net/netip"
	"sync"
	"time"
)

// bucket limits how often a client may do something: burst at once, rate a
// second for long. Owned by the connection's reader.
type bucket struct {
	// static after construction
	rate  float64 // 0: no limit
	burst float64
	most  float64 // of abuse

	tokens float64
	last   time.Duration
	// abuse counts what was refused, less the rate: a client that is a little
	// too fast never gets far, one that floods does.
	abuse float64
}

func newBucket(l *Limits) bucket {
	if l.MessagesPerSecond < 0 || l.MessageBurst == unlimited {
		return bucket{}
	}
	return bucket{
		rate: l.MessagesPerSecond, burst: float64(l.MessageBurst), most: float64(l.AbuseMessages),
		tokens: float64(l.MessageBurst),
	}
}

// take reports whether the client may, and whether it has asked too much for
// too long.
func (b *bucket) take(now time.Duration) (ok, abuse bool) {
	if b.rate == 0 {
		return true, false
	}
	earned := (now - b.last).Seconds() * b.rate
	b.last = now
	b.tokens = min(b.burst, b.tokens+earned)
	b.abuse = max(0, b.abuse-earned)
	if b.tokens >= 1 {
		b.tokens--
		return true, false
	}
	b.abuse++
	return false, b.abuse > b.most
}

// door counts the connections: in all, by address, by key.
type door struct {
	// static after construction
	limits *Limits

	mu sync.Mutex
	// guarded by mu
	open   bool // between the start of Run and its end
	total  int
	byAddr map[netip.Prefix]int
	byKey  map[string]int
}

// ticket is what a connection has been counted under.
type ticket struct {
	addr netip.Prefix // not valid: not counted
	key  string
}

// verdict is what the door says to a newcomer.
type verdict uint8

const (
	enter verdict = iota
	notOpen
	tooMany
	tooManyFromAddress
	tooManyOfKey // counted in all the same: it is let in to be told
)

func newDoor(l *Limits) *door {
	return &door{limits: l, byAddr: make(map[netip.Prefix]int), byKey: make(map[string]int)}
}

// admit counts a newcomer in. Unless the verdict is enter or tooManyOfKey, it
// was not counted and the ticket is void.
func (d *door) admit(addr netip.Addr, key *apiKey, counted func()) (ticket, verdict) {
	var t ticket
	if most := d.limits.ConnectionsPerAddress; most > 0 || (most == 0 && !addr.IsLoopback()) {
		t.addr = subnet(addr)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	most := d.limits.ConnectionsPerAddress
	if most == 0 {
		most = DefaultConnectionsPerAddress
	}
	switch {
	case !d.open:
		return ticket{}, notOpen
	case d.total >= d.limits.Connections:
		return ticket{}, tooMany
	case t.addr.IsValid() && d.byAddr[t.addr] >= most:
		return ticket{}, tooManyFromAddress
	}
	v := enter
	if key != nil {
		if key.connections > 0 && d.byKey[key.name] >= key.connections {
			v = tooManyOfKey
		} else {
			t.key = key.name
			d.byKey[key.name]++
		}
	}
	if t.addr.IsValid() {
		d.byAddr[t.addr]++
	}
	d.total++
	counted()
	return t, v
}

// leave counts a connection out.
func (d *door) leave(t ticket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total--
	if t.addr.IsValid() {
		if d.byAddr[t.addr]--; d.byAddr[t.addr] == 0 {
			delete(d.byAddr, t.addr)
		}
	}
	if t.key != "" {
		if d.byKey[t.key]--; d.byKey[t.key] == 0 {
			delete(d.byKey, t.key)
		}
	}
}

func (d *door) setOpen(open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = open
}

func (d *door) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.total
}

// subnet is what counts as one address: of IPv6 the 64 bits that one customer
// is given at least.
func subnet(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // not an address: not counted
	}
	return p
}
