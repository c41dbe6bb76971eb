package cache

import (
	"time"
)

// settings are what options set for one call or one function.
type settings struct {
	l1, l2       time.Duration
	grace        time.Duration
	soft, hard   time.Duration
	early        float64
	negative     time.Duration
	maxBytes     int
	compressOver int
	version      int
	tags         []string
	label        string
}

// Option changes how one Get or Func caches.
type Option func(*settings)

// settings are the cache's own, changed by opts.
func (c *Cache) settings(opts []Option) settings {
	s := settings{
		l1:           c.o.L1TTL,
		l2:           c.o.L2TTL,
		hard:         30 * time.Second,
		maxBytes:     c.o.MaxEntryBytes,
		compressOver: c.o.CompressOver,
		label:        c.o.Namespace,
	}
	for _, opt := range opts {
		opt(&s)
	}
	if s.hard <= 0 {
		s.hard = 30 * time.Second
	}
	return s
}

// TTL sets for how long a value is served from memory before Redis is asked
// again, and for how long it is served at all. 0 leaves one as it is. Without
// Redis the first counts. Both are cut by the cache's jitter, at random.
func TTL(l1, l2 time.Duration) Option {
	return func(s *settings) {
		if l1 > 0 {
			s.l1 = l1
		}
		if l2 > 0 {
			s.l2 = l2
		}
		s.l2 = max(s.l2, s.l1)
	}
}

// Grace keeps a value for d beyond its TTL. Then it is served while one caller
// refreshes it (see Timeouts) and when the load fails; after a failure it is
// served for a second before the loader is asked again. What was invalidated is
// never served, and nothing is while the bus is in doubt. Default 0: no grace.
func Grace(d time.Duration) Option {
	return func(s *settings) { s.grace = d }
}

// Timeouts sets how long a caller waits for a load while an older value is in
// its grace (soft; 0, the default: not at all), and how long a load may take
// (hard; default 30 s). At the hard time-out the loader's context ends and its
// callers get ErrLoadTimeout or the older value. At the soft one the load goes on.
func Timeouts(soft, hard time.Duration) Option {
	return func(s *settings) { s.soft, s.hard = soft, hard }
}

// EarlyRefresh has a value loaded anew behind the callers' backs when it is
// asked for after that share of its TTL, such as 0.8: a key that is hot never
// makes anybody wait. Default 0: never.
func EarlyRefresh(share float64) Option {
	return func(s *settings) { s.early = share }
}

// Negative keeps for d that the loader found nothing: that it returned
// ErrNotFound. Get then answers with an error that wraps ErrNotFound. Other
// errors are never kept. Default 0: not kept.
func Negative(d time.Duration) Option {
	return func(s *settings) { s.negative = d }
}

// MaxEntryBytes sets the largest encoded value that is kept; a larger one is
// returned to its callers and forgotten.
func MaxEntryBytes(n int) Option {
	return func(s *settings) { s.maxBytes = n }
}

// CompressOver sets the encoded size in bytes from which a value is compressed
// for Redis; below 0: never.
func CompressOver(n int) Option {
	return func(s *settings) { s.compressOver = n }
}

// SchemaVersion is part of the key. Give a new one when the value's type
// changes its meaning: instances of two versions that share a Redis then do not
// read each other's values.
func SchemaVersion(n int) Option {
	return func(s *settings) { s.version = n }
}

// Tags names what the value was made from: InvalidateTag with any of them
// drops it. Tags must be the same at every call with that key. Keep them few:
// each is one more key read from Redis.
func Tags(tags ...string) Option {
	return func(s *settings) { s.tags = append(s.tags, tags...) }
}

// Label is the value of the label namespace of swapcast_cache_computes_total:
// a word of the program, never of its users. Default: the part of a Spec's name
// before its first colon; for Get the cache's Namespace.
func Label(label string) Option {
	return func(s *settings) { s.label = label }
}
