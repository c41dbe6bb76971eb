package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// bus keeps this instance's memory honest. It listens to what others
// invalidate, and it proves to itself that it hears: every beat it sends a
// message to itself through Redis. When one comes back, every invalidation that
// Redis took before has come too, as all messages pass one node in order. Each
// beat also leaves the instance's name in Redis, so that who is cut off with an
// invalidation in its hands is missed by the others: it does not beat until
// Redis has taken it.
//
// The memory is believed until sure, half an L1TTL after the last proof was
// sent. Beyond that the cache is in doubt and serves nothing that is older than
// L1TTL, from memory or from Redis. An instance that is cut off is missed half
// an L1TTL after its last beat. So nothing is served longer than L1TTL after it
// was invalidated anywhere, whatever breaks.
type bus struct {
	// static after construction
	c       *Cache
	t       *tier
	channel string
	every   time.Duration // from beat to beat
	within  time.Duration // half an L1TTL
	timeout time.Duration // of an exchange that no caller waits for

	sure atomic.Int64 // until then, as Cache.now counts

	down bool // owned by beats: it was logged that Redis cannot be reached

	mu      sync.Mutex       // guards the rest
	beat    uint64           // number of the last beat
	sentAt  int64            // when it was sent
	clean   bool             // Redis took it, and no other instance is missing
	heard   uint64           // the last beat that came back on the present subscription
	tracked bool             // there was a subscription before
	peers   map[string]int64 // the others, by id: until when all that they invalidated is in Redis
}

// longestBeat is how long an end of a doubt may be waited for with a long L1TTL.
const longestBeat = 5 * time.Second

func newBus(c *Cache) *bus {
	b := &bus{
		c: c, t: c.tier,
		channel: c.tier.channel(),
		every:   min(c.o.L1TTL/8, longestBeat),
		within:  c.o.L1TTL / 2,
		timeout: max(c.o.L2Timeout, time.Second),
		peers:   make(map[string]int64),
	}
	return b
}

// run listens and beats until ctx ends, and takes its leave.
func (b *bus) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.listen(ctx) })
	g.Go(func() error { return b.beats(ctx) })
	err := g.Wait()
	// The others need not miss who leaves with nothing in its hands.
	if b.c.outbox.waiting.Load() == 0 {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.timeout)
		defer cancel()
		if err := b.leave(ctx); err != nil {
			b.c.log.Info("the cache's bus could not take its leave: the others will miss this instance for a while", "error", err)
		}
	}
	return err
}

// leave tells the others that nothing is to be expected of this instance.
func (b *bus) leave(ctx context.Context) error {
	bye := message{kind: messageBye, from: b.t.id}
	return b.t.client.Eval(ctx, leaveScript, []string{b.t.peersKey()}, b.t.id, b.channel, bye.append(nil)).Err()
}

// leaveScript forgets an instance. KEYS peers; ARGV id, channel, message.
const leaveScript = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`

// lost puts the cache in doubt.
func (b *bus) lost() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = 0
	b.sure.Store(0)
	b.c.metrics.doubt(true)
}

// prove ends the doubt if the last beat went out clean and came back. It is
// called with the lock held.
func (b *bus) prove() {
	if !b.clean || b.heard != b.beat {
		return
	}
	b.sure.Store(b.sentAt + int64(b.within))
	b.c.metrics.doubt(false)
}

// listen hears the others until ctx ends.
func (b *bus) listen(ctx context.Context) error {
	const firstPause, longestPause = 20 * time.Millisecond, time.Second
	told := false // the log has it
	for pause := firstPause; ; {
		heard, err := b.subscription(ctx)
		b.lost()
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end that was asked for
		}
		b.c.metrics.resubscribed()
		if heard || !told {
			told = true
			b.c.log.Warn("the cache's bus has no subscription and tries to subscribe", "error", err)
		}
		if heard {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// errSilent says that not even the own beats came.
var errSilent = errors.New("nothing was heard, not even this instance's own beats")

// subscription is one subscription from beginning to end. heard is whether it
// was there at all.
func (b *bus) subscription(ctx context.Context) (heard bool, err error) {
	sub := b.t.client.Subscribe(ctx, b.channel)
	closing := context.AfterFunc(ctx, func() { _ = sub.Close() }) // wakes Receive
	defer func() {
		closing()
		_ = sub.Close()
	}()
	// Beats come every L1TTL/8. A connection that is dead without saying so, or a
	// Redis that stands still, is known by their silence.
	silent := max(b.within, time.Second)
	for {
		got, err := sub.ReceiveTimeout(ctx, silent)
		if err != nil {
			if strings.Contains(err.Error(), "i/o timeout") {
				err = fmt.Errorf("%w for %v", errSilent, silent)
			}
			return heard, err
		}
		switch got := got.(type) {
		case *redis.Subscription:
			if heard = true; got.Kind != "subscribe" {
				continue
			}
			b.subscribed()
		case *redis.Message:
			b.hear(got.Payload)
		}
	}
}

// subscribed outdates everything that was in memory: what was invalidated while
// nobody listened is not known.
func (b *bus) subscribed() {
	b.mu.Lock()
	again := b.tracked
	b.tracked = true
	b.mu.Unlock()
	b.c.stamps.invalidateAll()
	if again {
		b.c.metrics.invalidated("resubscribed", 1)
		b.c.log.Info("the cache's bus is subscribed again: what is in memory counts as outdated")
	}
}

// hear takes one message.
func (b *bus) hear(payload string) {
	m, err := parseMessage([]byte(payload))
	own := m.from == b.t.id
	switch {
	case err != nil:
		// It may have meant anything.
		b.c.metrics.busMessage("unreadable")
		b.c.stamps.invalidateAll()
	case m.kind == messageBeat && own:
		b.mu.Lock()
		b.heard = m.beat
		b.prove()
		b.mu.Unlock()
	case own:
		b.c.metrics.busMessage("own") // done already
	case m.kind == messageBye:
		b.mu.Lock()
		delete(b.peers, m.from)
		b.mu.Unlock()
	case m.kind == messageTags:
		b.c.stamps.invalidate(m.tags)
		b.c.metrics.busMessage("tags")
		b.c.metrics.invalidated("bus", len(m.tags))
	case m.kind == messageAll:
		b.c.stamps.invalidateAll()
		b.c.metrics.busMessage("all")
		b.c.metrics.invalidated("bus", 1)
	}
}

// beats sends a beat, and before it whatever Redis did not take at first, until
// ctx ends.
func (b *bus) beats(ctx context.Context) error {
	ticker := time.NewTicker(b.every)
	defer ticker.Stop()
	for {
		err := b.c.outbox.deliver(ctx)
		if err == nil {
			err = b.sendBeat(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !b.down:
			b.down = true
			b.c.log.Warn("Redis cannot be reached: the cache works from memory, with nothing older than its L1 TTL", "error", err)
		case err == nil && b.down:
			b.down = false
			b.c.log.Info("Redis can be reached again")
		}
		b.c.metrics.doubt(b.c.now() >= b.sure.Load())
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// beatScript leaves a beat. A Redis node that is not the one it was, by its run
// id, may have gone back in time: to its last snapshot, or to what a replica
// had. Then everything is invalidated. The namespace's version is kept alive, as
// losing it would invalidate everything too. KEYS peers, runs, namespace's version;
// ARGV id, channel, beat, microseconds after which a silent instance is
// forgotten, channel's message for everything, life of a version in
// milliseconds, by how many microseconds this instance is behind with its
// invalidations, then names and run ids of the nodes. It answers with the time
// and with all instances and their beats.
const beatScript = luaNow + `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[4])
redis.call('ZADD', KEYS[1], now - ARGV[7], ARGV[1])
local known = redis.call('HLEN', KEYS[2]) > 0
local changed = false
for i = 8, #ARGV, 2 do
	local run = redis.call('HGET', KEYS[2], ARGV[i])
	if run ~= ARGV[i + 1] then
		if run or known then changed = true end
		redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
	end
end
redis.call('PEXPIRE', KEYS[3], ARGV[6])
if changed then
	local v = tonumber(redis.call('GET', KEYS[3]) or '') or 0
	redis.call('SET', KEYS[3], string.format('%.0f', math.max(now, v + 1)), 'PX', ARGV[6])
	redis.call('PUBLISH', ARGV[2], ARGV[5])
end
redis.call('PUBLISH', ARGV[2], ARGV[3])
local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
table.insert(all, 1, string.format('%.0f', now))
return all`

// sendBeat sends one beat and looks who else is there.
func (b *bus) sendBeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	b.mu.Lock()
	b.beat++
	b.clean = false
	b.sentAt = b.c.now()
	m := message{kind: messageBeat, from: b.t.id, beat: b.beat}
	b.mu.Unlock()
	runs, err := b.t.runs(ctx)
	if err != nil {
		return err
	}
	all := message{kind: messageAll, from: strings.Repeat("0", 2*idLength)} // nobody's own
	args := append([]any{
		b.t.id, b.channel, m.append(nil), b.forget().Microseconds(), all.append(nil),
		versionLife.Milliseconds(), b.c.outbox.behind().Microseconds(),
	}, runs...)
	keys := []string{b.t.peersKey(), b.t.runsKey(), b.t.allKey()}
	answer, err := b.t.client.Eval(ctx, beatScript, keys, args...).Slice()
	if err != nil {
		return fmt.Errorf("beat: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	missing, err := b.look(answer)
	b.clean = err == nil && missing == 0
	b.prove()
	b.c.metrics.seen(len(b.peers), missing)
	return err
}

// forget is after how long an instance that is silent matters no more: nothing
// that it could have wanted to invalidate is left.
func (b *bus) forget() time.Duration {
	return time.Duration(b.c.life.Load()) + b.c.o.L1TTL
}

// look notes who has beaten, and returns how many of the others are missing. It
// is called with the lock held.
func (b *bus) look(answer []any) (missing int, err error) {
	times := make([]float64, 0, len(answer)/2+1)
	for i := 0; i < len(answer); i += 2 {
		text, _ := answer[i].(string)
		at, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("beat: answer %v: %w", answer, err)
		}
		times = append(times, at)
	}
	if len(answer)%2 == 0 {
		return 0, fmt.Errorf("beat: answer of %d parts", len(answer))
	}
	now := b.c.now()
	for i, at := range times[1:] {
		if id, _ := answer[2*i+1].(string); id != b.t.id {
			// Redis may have forgotten a beat that was seen before.
			b.peers[id] = max(b.peers[id], now-int64((times[0]-at)*float64(time.Microsecond)))
		}
	}
	for id, last := range b.peers {
		switch silent := time.Duration(now - last); {
		case silent > b.forget():
			delete(b.peers, id)
		case silent > b.within-b.every:
			missing++
		}
	}
	return missing, nil
}

// runs returns name and run id of every node that holds keys. A single Redis
// and Sentinel's master have one name, whatever their address.
func (t *tier) runs(ctx context.Context) ([]any, error) {
	cluster, ok := t.client.(*redis.ClusterClient)
	if !ok {
		id, err := runID(ctx, t.client)
		return []any{"master", id}, err
	}
	var mu sync.Mutex
	var runs []any
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		id, err := runID(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		runs = append(runs, node.Options().Addr, id)
		return err
	})
	return runs, err
}

// runID asks a node for its run id, which is new whenever it starts.
func runID(ctx context.Context, node redis.Cmdable) (string, error) {
	info, err := node.Info(ctx, "server").Result()
	if err != nil {
		return "", fmt.Errorf("run id: %w", err)
	}
	for line := range strings.Lines(info) {
		if id, ok := strings.CutPrefix(line, "run_id:"); ok {
			return strings.TrimSpace(id), nil
		}
	}
	return "", errors.New("run id: INFO has none")
}
