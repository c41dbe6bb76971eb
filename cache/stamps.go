package cache

import (
	"hash/maphash"
	"sync/atomic"
)

// stripes is how many counters stand for all tags. Two tags that share one are
// invalidated together in memory, which costs a read of Redis and is never
// wrong. With 1,000 invalidations in the life of an entry that meets 1.5 % of
// the entries. 512 KiB.
const stripes = 1 << 16

// stamps counts invalidations. What was begun under a mark is good while the
// mark is current, so an invalidation is one addition, however many entries it
// concerns, and there is no moment at which something outdated could be stored:
// it is outdated by its mark wherever it arrives.
type stamps struct {
	seed  maphash.Seed
	epoch atomic.Uint64 // of everything
	tags  [stripes]atomic.Uint64
}

func newStamps() *stamps {
	return &stamps{seed: maphash.MakeSeed()}
}

// mark is the state of an entry's tags at one moment.
type mark struct {
	epoch uint64
	tags  []stamp
}

type stamp struct {
	stripe uint32
	count  uint64
}

// take marks the present moment for these tags.
func (s *stamps) take(tags []string) mark {
	m := mark{epoch: s.epoch.Load()}
	if len(tags) > 0 {
		m.tags = make([]stamp, len(tags))
		for i, tag := range tags {
			stripe := s.stripe(tag)
			m.tags[i] = stamp{stripe: stripe, count: s.tags[stripe].Load()}
		}
	}
	return m
}

// current reports whether nothing of it was invalidated since.
func (s *stamps) current(m *mark) bool {
	if m.epoch != s.epoch.Load() {
		return false
	}
	for i := range m.tags {
		if s.tags[m.tags[i].stripe].Load() != m.tags[i].count {
			return false
		}
	}
	return true
}

// invalidate outdates whatever was begun before with one of the tags.
func (s *stamps) invalidate(tags []string) {
	for _, tag := range tags {
		s.tags[s.stripe(tag)].Add(1)
	}
}

// invalidateAll outdates whatever was begun before.
func (s *stamps) invalidateAll() {
	s.epoch.Add(1)
}

func (s *stamps) stripe(tag string) uint32 {
	return uint32(maphash.String(s.seed, tag) % stripes) //nolint:gosec // below stripes
}
