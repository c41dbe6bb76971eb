package cache

import (
	"fmt"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// entry is one value in memory. It is not changed once it is stored, but for
// refreshing.
type entry struct {
	key   string
	value any   // *T; nil where err is set
	err   error // ErrNotFound, wrapped: what a negative entry answers with
	size  int   // of the encoded value, in bytes

	// Times as Cache.now counts them.
	loaded int64 // no later than the beginning of the load that made the value
	early  int64 // from then on a hit refreshes it behind the caller
	fresh  int64 // until then it is served
	grace  int64 // until then it is served where nothing newer can be had in time

	mark mark // what had been invalidated when the load or the read from Redis began

	refreshing atomic.Bool // somebody refreshes it before its time
}

// overhead is what an entry costs besides its value: struct, key, otter's node
// and hash table, as measured by TestMemoryIsBounded, rounded up.
const overhead = 384

// memory is the first tier: entries by the hash of their key, bounded by bytes.
// Two keys of one hash displace each other; the key is compared on each hit.
// Entries expire by their own times and not by otter's, which would keep a
// goroutine and read the clock once more for each hit.
type memory struct {
	entries *otter.Cache[uint64, *entry]
}

func newMemory(maxBytes int64) (*memory, error) {
	entries, err := otter.New(&otter.Options[uint64, *entry]{
		MaximumWeight: uint64(maxBytes), //nolint:gosec // checked by withDefaults
		Weigher: func(_ uint64, e *entry) uint32 {
			return uint32(min(e.size+len(e.key)+overhead, 1<<31)) //nolint:gosec // bounded in the line itself
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cache: memory: %w", err)
	}
	return &memory{entries: entries}, nil
}

// at returns the entry of a hash, whatever its state and its key, or nil.
func (m *memory) at(hash uint64) *entry {
	e, _ := m.entries.GetIfPresent(hash)
	return e
}

// get returns the entry of a key, whatever its state, or nil.
func (m *memory) get(hash uint64, key string) *entry {
	if e := m.at(hash); e != nil && e.key == key {
		return e
	}
	return nil
}

// put stores an entry.
func (m *memory) put(hash uint64, e *entry) {
	m.entries.Set(hash, e)
}

// sweep drops what can never be served again.
func (m *memory) sweep(c *Cache) {
	now := c.now()
	for hash, e := range m.entries.All() {
		if now >= max(e.fresh, e.grace) || !c.stamps.current(&e.mark) {
			m.entries.Invalidate(hash)
		}
	}
}

// valid reports whether nothing is known that speaks against serving e, its
// times apart, and in doubt, whether it is young enough.
func (c *Cache) valid(e *entry, now int64) bool {
	if !c.stamps.current(&e.mark) {
		return false
	}
	return c.bus == nil || now < c.bus.sure.Load() || now-e.loaded <= int64(c.o.L1TTL)
}
