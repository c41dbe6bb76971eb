package market

import "github.com/swapcast/swapcast"

// ring keeps the last trades of one mint. It grows by doubling up to its
// bound, so that a mint with three trades costs no more than that.
type ring struct {
	buf  []swapcast.Trade
	next int // place of the next trade once the ring is full
	full bool
}

// add keeps t and returns by how many the count of kept trades grew.
func (r *ring) add(t *swapcast.Trade, bound int) int {
	if !r.full && len(r.buf) < bound {
		r.buf = append(r.buf, *t)
		return 1
	}
	r.full = true
	r.buf[r.next] = *t
	r.next = (r.next + 1) % len(r.buf)
	return 0
}

// newest appends up to limit trades to dst, newest first.
func (r *ring) newest(dst []swapcast.Trade, limit int) []swapcast.Trade {
	n := len(r.buf)
	for i := 1; i <= min(limit, n); i++ {
		dst = append(dst, r.buf[((r.next-i)%n+n)%n])
	}
	return dst
}

// clear forgets all and returns how many that were.
func (r *ring) clear() int {
	n := len(r.buf)
	*r = ring{}
	return n
}
