package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"time"
)

// request is one way to ask for one key.
type request struct {
	settings
	key  string
	hash uint64 // of key

	load   func(ctx context.Context) (any, error) // *T
	decode func(raw []byte) (any, error)          // *T

	behind bool // refreshes an entry that is still served
}

// Get returns the value of key, from memory, from Redis, or from load, in that
// order. However many callers ask at once, and on however many instances, load
// is called once; each waits no longer than its own ctx, and leaving does not
// end the load. load gets a context with the values of its first caller's and
// the hard time-out as its deadline. What it returns is shared: nobody may
// change it, and its JSON encoding must be all that there is of it.
//
// The key is the caller's to make: Func makes keys from arguments. A key must
// be used with one type T, one set of options and one meaning of load.
//
// Errors are the loader's, ErrLoadTimeout, and ctx's; Redis never causes one.
func Get[T any](ctx context.Context, c *Cache, key string, load func(ctx context.Context) (T, error), opts ...Option) (T, error) {
	if c == nil {
		return load(ctx)
	}
	hash := maphash.String(c.seed, key)
	e := c.memory.at(hash)
	due, ok := c.hit(e, e != nil && e.key == key)
	if ok && !due {
		if v, err, ok := valueOf[T](e); ok {
			return v, err
		}
	}
	r := newRequest(c.settings(opts), key, hash, load)
	if due {
		return getDue[T](ctx, c, r, e)
	}
	return getSlow[T](ctx, c, r)
}

// newRequest makes the request for a key.
func newRequest[T any](s settings, key string, hash uint64, load func(ctx context.Context) (T, error)) *request {
	return &request{
		settings: s,
		key:      key,
		hash:     hash,
		load: func(ctx context.Context) (any, error) {
			v, err := load(ctx)
			return &v, err
		},
		decode: func(raw []byte) (any, error) {
			v := new(T)
			if err := json.Unmarshal(raw, v); err != nil {
				return nil, fmt.Errorf("cache: stored value of %s: %w", key, err)
			}
			return v, nil
		},
	}
}

// getDue serves what memory has and has it refreshed before its time.
func getDue[T any](ctx context.Context, c *Cache, r *request, e *entry) (T, error) {
	c.refresh(ctx, r)
	if v, err, ok := valueOf[T](e); ok {
		return v, err
	}
	return getSlow[T](ctx, c, r)
}

// getSlow is Get after memory had no answer.
func getSlow[T any](ctx context.Context, c *Cache, r *request) (T, error) {
	e, err := c.get(ctx, r)
	if err != nil {
		var zero T
		return zero, err
	}
	v, err, ok := valueOf[T](e)
	if !ok {
		return v, fmt.Errorf("cache: key %s is used with two types: it holds a %T", r.key, e.value)
	}
	return v, err
}

// valueOf returns what an entry answers with; false where it holds another type.
func valueOf[T any](e *entry) (v T, err error, ok bool) { //nolint:staticcheck // the error is the answer, ok says whether there is one
	if e.err != nil {
		return v, e.err, true
	}
	p, ok := e.value.(*T)
	if !ok {
		return v, nil, false
	}
	return *p, nil, true
}

// hit reports whether e, where it is of the key asked for, can be served as it
// is, and whether this caller should have it refreshed before its time.
func (c *Cache) hit(e *entry, same bool) (due, ok bool) {
	if same {
		if now := c.now(); now < e.fresh && c.valid(e, now) {
			c.metrics.l1(true)
			return now >= e.early && e.refreshing.CompareAndSwap(false, true), true
		}
	}
	c.metrics.l1(false)
	return false, false
}

// refresh has a value loaded anew behind the caller's back.
func (c *Cache) refresh(ctx context.Context, r *request) {
	r.behind = true
	c.join(ctx, r)
}

// usable reports whether e may be served to who cannot have a newer one.
func (c *Cache) usable(e *entry) bool {
	now := c.now()
	return now < e.grace && c.valid(e, now)
}

// get waits for a flight, no longer than ctx, and no longer than the soft
// time-out where there is an older value to serve.
func (c *Cache) get(ctx context.Context, r *request) (*entry, error) {
	old := c.memory.get(r.hash, r.key)
	if old != nil && !c.usable(old) {
		old = nil
	}
	c.note(r.l2 + r.grace)
	f, e := c.join(ctx, r)
	switch {
	case e != nil:
		return e, nil
	case f == nil:
		return direct(ctx, r)
	}
	offered := f.offered
	var soft <-chan time.Time
	for {
		if old != nil && soft == nil {
			if r.soft <= 0 {
				return c.graced(old), nil
			}
			timer := time.NewTimer(r.soft)
			defer timer.Stop()
			soft = timer.C
		}
		select {
		case <-f.done:
			switch {
			case f.err == nil:
				return f.result, nil
			case old != nil && !errors.Is(f.err, ErrNotFound) && c.usable(old):
				return c.graced(old), nil
			case c.stop.Err() != nil && errors.Is(f.err, context.Canceled):
				return direct(ctx, r) // the cache was closed, the caller was not
			}
			return nil, f.err
		case <-offered:
			offered = nil
			old = f.stale
		case <-soft:
			if c.usable(old) {
				return c.graced(old), nil
			}
			old, soft = nil, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("cache: waiting for %s: %w", r.key, ctx.Err())
		}
	}
}

// note remembers the longest life of a value: for so long it matters whether an
// instance is missing that may have wanted to invalidate it.
func (c *Cache) note(life time.Duration) {
	for {
		longest := c.life.Load()
		if int64(life) <= longest || c.life.CompareAndSwap(longest, int64(life)) {
			return
		}
	}
}

// graced counts that an older value is served.
func (c *Cache) graced(e *entry) *entry {
	c.metrics.request("l1", "stale")
	return e
}

// direct calls the loader for one caller alone.
func direct(ctx context.Context, r *request) (*entry, error) {
	value, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	return &entry{key: r.key, value: value}, nil
}
