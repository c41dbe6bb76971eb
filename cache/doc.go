// Package cache keeps what is dear to compute: in the memory of each instance,
// and in Redis where there is one, with a bus between the instances that keeps
// their memories honest. It knows nothing of what it keeps.
//
//	value := cache.Func(c, cache.Spec{
//		Name: "portfolio:{0}:value",    // makes the key
//		Tags: []string{"portfolio:{0}"}, // what it was made from
//	}, func(ctx context.Context, owner solana.PublicKey) (Portfolio, error) { ... })
//	...
//	err := c.InvalidateTag(ctx, "portfolio:"+owner.String())
//
// # Promises
//
// One load. However many callers ask for a key that nobody has, on however
// many instances, the loader is called once: within a process callers share a
// flight, between processes the holder of a lease in Redis loads and the others
// wait for its value. A caller that gives up disturbs nobody. A holder that
// dies costs the others its lease, 3 s; one that is only slow renews it. There
// may be a second load where Redis fails meanwhile, where a lease is lost (a
// fence then keeps the earlier holder's value from replacing the later one's),
// and where a load takes longer than its hard time-out.
//
// No stale value after an invalidation. When InvalidateTag returns nil, nobody
// who asks this instance or Redis gets what was made before; other instances
// drop it from memory when they hear of it, within a millisecond where nothing
// is wrong. A load that began before the invalidation gives its value to those
// who asked before, and its value is dead wherever it is stored: it carries the
// versions of its tags as they were when it began.
//
// Redis is never waited for longer than L2Timeout in all, and never causes an
// error. Behind the circuit breaker a dead Redis costs nothing. Then each
// process loads for itself: slower, not wrong. (Waiting for another process's
// load is not waiting for Redis; it ends with the hard time-out.)
//
// # How old a value can be
//
// A value is served for L2TTL from the end of its load at most (without Redis:
// L1TTL), cut by jitter, and beyond that within its Grace if asked for. How
// long after an invalidation elsewhere can the old value be served here?
//
//	all is well                        until the bus's message arrives
//	Redis restarted or failed over     L1TTL
//	Redis stands still, or is gone     L1TTL
//	this instance is cut off           L1TTL
//	the invalidating one is cut off    L1TTL; it delivers once it is back
//	the subscription was lost          L1TTL; once it is back, all that is in memory is outdated
//	Redis came back with old data      L1TTL, and all of that data is invalidated
//	the invalidating one crashed       L1TTL; it is missed until all that it knew of has expired
//
// The bound comes from proof, not from hope: every L1TTL/8, or 5 s, each instance
// sends a beat to itself through Redis. Its coming back proves that all messages
// before it came too, as one node passes them all in order. For half an L1TTL
// after a proof memory is believed; beyond that, and while another instance is
// missing that may hold invalidations, the cache is in doubt: it serves nothing
// that is older than L1TTL, from memory or from Redis, and nothing in its
// grace. An instance with undelivered invalidations does not beat, and is missed.
// One that ends properly takes its leave; one that crashed is missed until what
// is in Redis has expired, L2TTL plus the longest grace, during which Redis
// helps for values of up to L1TTL only. A cluster of which one node comes back
// with old data is noticed at the next beat.
//
// Not covered: replicas. Redis answers a write before its replicas have it, so a
// failover may lose an invalidation of the last moments; the new master's run id
// gives it away, and everything is invalidated at the next beat.
//
// No clock of an instance is compared with another's. Versions, fences and ages
// are by the clock of the Redis node that holds the key; a clock that is set
// back there costs loads.
//
// # In Redis
//
//	swapcast:1:{portfolio:7xK}:e:f0:portfolio:<0:7xK>:value   a value, in the slot of its first tag
//	....................................................:l:9a2   its lease, while somebody loads
//	swapcast:1:{portfolio:7xK}:t                               version of a tag
//	{swapcast:1:bus}:all                                       version of the namespace
//	{swapcast:1:bus}:peers, {swapcast:1:bus}:runs              beats of instances, run ids of nodes
//	{swapcast:1:bus}                                           channel of the bus
//
// A value is one string: versions, times, a checksum and the value in JSON,
// compressed by s2 where that is shorter. JSON because it needs no code for
// each type, can be read with redis-cli, and is no slower than MessagePack (one
// message of seven fields: encoding/json 830 ns, vmihailenco/msgpack v5
// 1,341 ns). What is not whole after a round trip through JSON must not be cached.
//
// A tag is one string, its version. Invalidating is writing one: no key is
// searched for. Versions expire a day after they were written, and may be
// evicted: a value whose tag has no version is invalid.
//
// The bus is a plain pub/sub channel, on a cluster too: publishing and
// subscribing happen at the node that holds the bus's keys.
//
// # Concurrency
//
// Everything may be called from everywhere at any time, before Run, without it
// and after its end. Without Run the cache is in doubt for good where there is
// Redis. Loaders run on goroutines of their own: one that panics fails its load.
// Run and Close wait for them. What a Get returns is shared: nobody may change it.
//
// Memory is bounded by MaxBytes of encoded values, undelivered invalidations by
// 65,536 tags (beyond that everything is invalidated, counted as overflow).
// Flights are bounded by who waits for them, and by hard time-outs.
package cache
