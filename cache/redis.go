package cache

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

// tier is Redis as the second tier: names of keys, commands and scripts. Each
// script touches keys of one hash slot, so all of it works on a cluster.
//
// A version says when a tag was last invalidated, by the clock of the Redis
// node that holds it, in microseconds, and always more than before. A value is
// good while the versions that it was stored with are the present ones, so one
// write invalidates any number of values, and a value whose load began before
// is invalid wherever and whenever it is stored. A tag without a version makes
// values invalid too: one that was evicted costs a load and is never wrong.
type tier struct {
	// static after construction
	client  redis.UniversalClient
	cluster bool
	prefix  string // of every key
	id      string // of this instance, new with each start
	breaker *gobreaker.CircuitBreaker[struct{}]
	metrics *Metrics
}

// newTier checks that the client keeps to what the cache promises.
func newTier(o Options) (*tier, error) {
	t := &tier{
		client:  o.Redis,
		prefix:  plain(o.Namespace) + ":" + strconv.Itoa(storedForm) + ":",
		id:      hex.EncodeToString(randomID()),
		metrics: o.Metrics,
	}
	switch client := o.Redis.(type) {
	case *redis.Client:
		if !client.Options().ContextTimeoutEnabled {
			return nil, errors.New("cache: the Redis client needs ContextTimeoutEnabled")
		}
	case *redis.ClusterClient:
		t.cluster = true
		if !client.Options().ContextTimeoutEnabled {
			return nil, errors.New("cache: the Redis client needs ContextTimeoutEnabled")
		}
		if client.Options().ReadOnly {
			return nil, errors.New("cache: the Redis client must not read from replicas: they are behind")
		}
	default:
		return nil, fmt.Errorf("cache: a %T cannot be the second tier: give a *redis.Client or *redis.ClusterClient", o.Redis)
	}
	t.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:          "redis",
		Timeout:       breakerOpen,
		ReadyToTrip:   func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= breakerTrips },
		OnStateChange: func(_ string, _, to gobreaker.State) { o.Metrics.breakerState(to) },
		IsSuccessful:  func(err error) bool { return err == nil || errors.Is(err, redis.Nil) },
	})
	return t, nil
}

const (
	breakerTrips = 5           // failures in a row that open the breaker
	breakerOpen  = time.Second // for how long
)

func randomID() []byte {
	id := make([]byte, idLength)
	_, _ = rand.Read(id) // never fails
	return id
}

// plain escapes what has a meaning in Redis keys or confuses who reads them.
func plain(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c == '{' || c == '}' || c == '%' || c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02x", c)
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// Keys. What is between braces decides the hash slot: a value is where its
// first tag is, so that the usual value of one tag is read from one node.

func (t *tier) keyOf(r *request) string {
	slot := r.key
	if len(r.tags) > 0 {
		slot = r.tags[0]
	}
	return t.prefix + "{" + plain(slot) + "}:e:" + plain(r.key)
}

func (t *tier) tagKey(tag string) string { return t.prefix + "{" + plain(tag) + "}:t" }

// The keys of the bus are in one slot.

func (t *tier) allKey() string   { return "{" + t.prefix + "bus}:all" }   // the namespace's version
func (t *tier) peersKey() string { return "{" + t.prefix + "bus}:peers" } // sorted set: instances by last beat
func (t *tier) runsKey() string  { return "{" + t.prefix + "bus}:runs" }  // hash: run ids of Redis nodes
func (t *tier) channel() string  { return "{" + t.prefix + "bus}" }

// call runs one exchange with Redis under the breaker.
func (t *tier) call(ctx context.Context, timeout time.Duration, f func(ctx context.Context) error) error {
	if timeout <= 0 {
		return context.DeadlineExceeded
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := t.breaker.Execute(func() (struct{}, error) { return struct{}{}, f(ctx) })
	return err
}

// outcome names what came of an exchange that failed.
func outcome(err error) string {
	switch {
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		return "breaker_open"
	case errors.Is(err, context.DeadlineExceeded), strings.Contains(err.Error(), "i/o timeout"):
		return "timeout"
	}
	return "error"
}

// reading is what Redis has for a key.
type reading struct {
	raw      []byte        // nil: nothing
	left     time.Duration // how long Redis still keeps it
	versions []uint64      // of the tags in order, then the namespace's; 0 where there is none
}

// missing reports whether a version is missing, without which nothing can be stored.
func (g *reading) missing() bool {
	return slices.Contains(g.versions, 0)
}

// read reads a key's value and the versions of its tags, on a cluster from
// several nodes. All of them are read after the call began, and that is what
// makes a value good for its caller that has just these versions.
func (t *tier) read(ctx context.Context, timeout time.Duration, r *request, key string) (reading, error) {
	names := make([]string, 0, len(r.tags)+2)
	names = append(names, key)
	for _, tag := range r.tags {
		names = append(names, t.tagKey(tag))
	}
	names = append(names, t.allKey())
	values := make([]any, len(names))
	var left *redis.DurationCmd
	err := t.call(ctx, timeout, func(ctx context.Context) error {
		pipe := t.client.Pipeline()
		// Before the value is read: where another replaces it in between, the time left
		// is that of the older one, which errs on the safe side.
		left = pipe.PTTL(ctx, key)
		if t.cluster {
			gets := make([]*redis.StringCmd, len(names))
			for i, name := range names {
				gets[i] = pipe.Get(ctx, name)
			}
			if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
			for i, get := range gets {
				switch text, err := get.Result(); {
				case err == nil:
					values[i] = text
				case !errors.Is(err, redis.Nil):
					return err
				}
			}
			return left.Err()
		}
		all := pipe.MGet(ctx, names...)
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
		values = all.Val()
		return nil
	})
	if err != nil {
		return reading{}, err
	}
	g := reading{left: left.Val(), versions: make([]uint64, len(names)-1)}
	if text, ok := values[0].(string); ok {
		g.raw = []byte(text)
	}
	for i, value := range values[1:] {
		if text, ok := value.(string); ok {
			// What is no number is no version: it counts as missing.
			g.versions[i], _ = strconv.ParseUint(text, 10, 64)
		}
	}
	return g, nil
}

// versionLife is how long a version is kept after it was written. Losing one
// costs a load.
const versionLife = 24 * time.Hour

// luaNow is the node's clock in microseconds.
const luaNow = `local t = redis.call('TIME') local now = t[1] * 1000000 + t[2] `

// initScript gives a tag its first version where it has none. KEYS tag; ARGV
// life in milliseconds.
const initScript = luaNow + `
local v = tonumber(redis.call('GET', KEYS[1]) or '')
if not v or v <= 0 then
	redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', ARGV[1])
end
return 1`

// bumpScript gives tags a new version, greater than the last. KEYS tags; ARGV
// life in milliseconds, then channel and message where it should tell the bus.
const bumpScript = luaNow + `
for _, key in ipairs(KEYS) do
	local v = tonumber(redis.call('GET', key) or '') or 0
	redis.call('SET', key, string.format('%.0f', math.max(now, v + 1)), 'PX', ARGV[1])
end
if ARGV[2] then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return 1`

// publishScript tells the bus, from the node that its subscribers are on, which
// keeps messages in order. KEYS any key of the bus; ARGV channel, message.
const publishScript = `redis.call('PUBLISH', ARGV[1], ARGV[2]) return 1`

// start gives the tags of r versions where they have none.
func (t *tier) start(ctx context.Context, timeout time.Duration, r *request, g *reading) error {
	return t.call(ctx, timeout, func(ctx context.Context) error {
		pipe := t.client.Pipeline()
		for i, v := range g.versions {
			if v != 0 {
				continue
			}
			key := t.allKey()
			if i < len(r.tags) {
				key = t.tagKey(r.tags[i])
			}
			pipe.Eval(ctx, initScript, []string{key}, versionLife.Milliseconds())
		}
		_, err := pipe.Exec(ctx)
		return err
	})
}

// bump invalidates tags, or everything, and tells the bus. It goes past the
// breaker where urgent: who has to be told sooner or later keeps trying.
func (t *tier) bump(ctx context.Context, timeout time.Duration, tags []string, all bool, urgent bool) error {
	keys := make([]string, 0, len(tags)+1)
	for _, tag := range tags {
		keys = append(keys, t.tagKey(tag))
	}
	if all {
		keys = append(keys, t.allKey())
	}
	message := message{kind: messageTags, from: t.id, tags: tags}
	if all {
		message.kind, message.tags = messageAll, nil
	}
	text := message.append(nil)
	exchange := func(ctx context.Context) error {
		if !t.cluster {
			return t.client.Eval(ctx, bumpScript, keys, versionLife.Milliseconds(), t.channel(), text).Err()
		}
		pipe := t.client.Pipeline()
		for _, key := range keys {
			pipe.Eval(ctx, bumpScript, []string{key}, versionLife.Milliseconds())
		}
		_, err := pipe.Exec(ctx)
		// Those whose versions were written must be heard of, and the others do no harm.
		publish := t.client.Eval(ctx, publishScript, []string{t.allKey()}, t.channel(), text).Err()
		return errors.Join(err, publish)
	}
	if urgent {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return exchange(ctx)
	}
	return t.call(ctx, timeout, exchange)
}

// lease is the right to load a key while others wait.
type lease struct {
	t     *tier
	key   string // of the value
	lock  string
	token string
	reading

	fence   uint64
	granted bool
}

// leaseLife is for how long a lease holds without being renewed: what a holder
// that dies costs the others. renewEvery leaves room for two that get lost.
const (
	leaseLife  = 3 * time.Second
	renewEvery = leaseLife / 3
)

// What lockScript answers where it gives no lease.
const (
	lockBusy    = 0
	lockChanged = -1
)

// lockScript gives a lease where nobody has it, and where the value is still
// the one that the caller has seen: who comes after a holder is done must read
// again and not load again. KEYS lock, value; ARGV token, lease in
// milliseconds, fence of the value that was seen.
const lockScript = luaNow + `
if redis.call('GETRANGE', KEYS[2], 2, 9) ~= ARGV[3] then return -1 end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return now`

// renewScript prolongs a lease that is still held. KEYS lock; ARGV token, lease.
const renewScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`

// releaseScript gives a lease back. KEYS lock; ARGV token.
const releaseScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`

// storeScript stores a value, unless a later holder has stored one, and gives
// the lease back. The life of the value counts from its fence, by the clock of
// the node, so that neither a slow network nor a paused Redis makes it younger.
// KEYS value, lock; ARGV token, value, life in milliseconds, fence.
const storeScript = luaNow + `
local mine = tonumber(ARGV[4])
local there = redis.call('GETRANGE', KEYS[1], 2, 9)
local stored = 0
if #there == 8 then there = struct.unpack('>I8', there) else there = 0 end
if there <= mine or there > now then
	local left = math.floor(ARGV[3] - (now - mine) / 1000)
	if left > 0 then
		redis.call('SET', KEYS[1], ARGV[2], 'PX', left)
		stored = 1
	end
end
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return stored`

// acquire asks for the lease of a key. The lock's name has the versions in it:
// who came after an invalidation does not wait for who came before.
func (t *tier) acquire(ctx context.Context, timeout time.Duration, key string, g reading) (*lease, int64, error) {
	h := fnv.New64a()
	for _, v := range g.versions {
		fmt.Fprintf(h, "%d,", v)
	}
	l := &lease{
		t: t, key: key, reading: g,
		lock:  fmt.Sprintf("%s:l:%x", key, h.Sum64()),
		token: t.id + hex.EncodeToString(randomID()),
	}
	seen := g.raw[min(fenceAt, len(g.raw)):min(fenceEnd, len(g.raw))]
	var answer int64
	err := t.call(ctx, timeout, func(ctx context.Context) (err error) {
		answer, err = t.client.Eval(ctx, lockScript, []string{l.lock, key}, l.token, leaseLife.Milliseconds(), seen).Int64()
		return err
	})
	if err != nil {
		return l, 0, err // it may have been given all the same
	}
	if answer > 0 {
		l.fence, l.granted = uint64(answer), true
	}
	return l, answer, nil
}

// renew prolongs the lease; false where it is lost.
func (l *lease) renew(ctx context.Context, timeout time.Duration) (bool, error) {
	var held int64
	err := l.t.call(ctx, timeout, func(ctx context.Context) (err error) {
		held, err = l.t.client.Eval(ctx, renewScript, []string{l.lock}, l.token, leaseLife.Milliseconds()).Int64()
		return err
	})
	return held == 1, err
}

// release gives the lease back without a value.
func (l *lease) release(ctx context.Context, timeout time.Duration) error {
	return l.t.call(ctx, timeout, func(ctx context.Context) error {
		return l.t.client.Eval(ctx, releaseScript, []string{l.lock}, l.token).Err()
	})
}

// store stores a value and gives the lease back; false where a later holder's
// value is there, or this one's time is over.
func (l *lease) store(ctx context.Context, timeout time.Duration, s *stored, compressOver int) (bool, error) {
	s.fence, s.versions = l.fence, l.versions
	raw := s.append(nil, compressOver)
	var done int64
	err := l.t.call(ctx, timeout, func(ctx context.Context) (err error) {
		done, err = l.t.client.Eval(ctx, storeScript, []string{l.key, l.lock},
			l.token, raw, int64(millis(s.life)), l.fence).Int64()
		return err
	})
	return done == 1, err
}
