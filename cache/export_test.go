package cache

// Sure reports whether the cache is out of doubt.
func (c *Cache) Sure() bool { return c.bus == nil || c.now() < c.bus.sure.Load() }

// Pending is how many invalidations wait for Redis.
func (c *Cache) Pending() int64 { return c.outbox.waiting.Load() }

// LeaseLife is what a holder that dies costs the others.
const LeaseLife = leaseLife

// Defer has an invalidation wait for Redis, as one that Redis did not take.
func (c *Cache) Defer(tags ...string) { c.outbox.keep(tags, false) }
