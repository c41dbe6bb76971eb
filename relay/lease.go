package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// Leader is the ingest that publishes, as it says of itself with every renewal.
type Leader struct {
	ID        string        `json:"id"`
	HTTP      string        `json:"http"` // base URL of its HTTP API
	Feed      swapcast.Feed `json:"feed"` // kind of data
	Status    wire.Status   `json:"status"`
	BacklogMS int64         `json:"backlogMs"` // age of the oldest update that it has yet to publish
}

// renewScript takes the lease where nobody has it, or renews the own one. It
// returns the fence and the one before, or "0" and what the holder says of itself. A
// fence is above all earlier ones even where Redis has forgotten them: it is a time in
// microseconds. ARGV: id, milliseconds, info, own fence; "1" of who has seen another
// one lead a moment ago: where Redis has forgotten that one, it goes first; and "1" of
// who is not healthy: a standby that is goes first.
//
//nolint:gochecknoglobals // a constant: go-redis hashes it once
var renewScript = redis.NewScript(`
local holder = redis.call('HGET', KEYS[1], 'id')
if holder and holder ~= ARGV[1] then
  return {'0', redis.call('HGET', KEYS[1], 'info')}
end
local before = redis.call('GET', KEYS[2]) or '0'
local fence
if holder and ARGV[4] ~= '0' then
  fence = redis.call('HGET', KEYS[1], 'fence')
elseif before == '0' and ARGV[5] == '1' then
  return {'0', ''}
elseif ARGV[6] == '1' and (redis.call('GET', KEYS[3]) or ARGV[1]) ~= ARGV[1] then
  return {'0', ''}
else
  local t = redis.call('TIME')
  local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
  fence = string.format('%.0f', math.max(now, tonumber(before) + 1))
  redis.call('SET', KEYS[2], fence)
end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'fence', fence, 'info', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {fence, before}
`)

// releaseScript gives the own lease up; with a second key only where that is there.
//
//nolint:gochecknoglobals // a constant: go-redis hashes it once
var releaseScript = redis.NewScript(`
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

// held is who has the lease.
type held struct {
	fence, before uint64  // the own ones; 0: another one has it, or may take it first
	other         *Leader // who has it; nil: nobody yet
}

// renew takes or renews the lease.
func (p *Publisher) renew(ctx context.Context, fence uint64, seen bool) (h held, err error) {
	info, err := json.Marshal(p.self())
	if err != nil {
		return h, fmt.Errorf("relay: lease: %w", err)
	}
	after := "0"
	if seen && fence == 0 {
		after = "1"
	}
	ill := "0"
	if p.status.Load().Feed != wire.FeedHealthy {
		ill = "1"
	}
	keys := []string{p.names.fleet("lease"), p.names.fleet("fence"), p.names.fleet("standby")}
	answer, err := renewScript.Run(ctx, p.opts.Redis, keys, p.id, p.opts.Lease.Milliseconds(), info, strconv.FormatUint(fence, 10), after, ill).StringSlice()
	if err != nil {
		return h, fmt.Errorf("relay: lease: %w", err)
	}
	if len(answer) != 2 {
		return h, errors.New("relay: lease: an answer that is none")
	}
	if h.fence, err = strconv.ParseUint(answer[0], 10, 64); err != nil {
		return h, fmt.Errorf("relay: lease: %w", err)
	}
	switch {
	case h.fence != 0:
		h.before, err = strconv.ParseUint(answer[1], 10, 64)
	case answer[1] != "":
		h.other = new(Leader)
		err = json.Unmarshal([]byte(answer[1]), h.other)
	}
	if err != nil {
		return h, fmt.Errorf("relay: lease: %w", err)
	}
	return h, nil
}

// stand says that there is an ingest whose feed is healthy and that does not lead.
func (p *Publisher) stand(ctx context.Context) error {
	if err := p.opts.Redis.Set(ctx, p.names.fleet("standby"), p.id, p.opts.Lease).Err(); err != nil {
		return fmt.Errorf("relay: standby: %w", err)
	}
	return nil
}

// yield gives the lease up to such an ingest, and reports whether there was one.
func (p *Publisher) yield(ctx context.Context) (given bool, err error) {
	keys := []string{p.names.fleet("lease"), p.names.fleet("standby")}
	n, err := releaseScript.Run(ctx, p.opts.Redis, keys, p.id).Int()
	if err != nil {
		return false, fmt.Errorf("relay: lease: %w", err)
	}
	return n > 0, nil
}

// release gives the lease up, so that another one need not wait for its end.
func (p *Publisher) release(ctx context.Context) error {
	if err := releaseScript.Run(ctx, p.opts.Redis, []string{p.names.fleet("lease")}, p.id).Err(); err != nil {
		return fmt.Errorf("relay: lease: %w", err)
	}
	return nil
}

// leader reads who leads; false where nobody does.
func leader(ctx context.Context, r redis.UniversalClient, n names) (Leader, bool, error) {
	text, err := r.HGet(ctx, n.fleet("lease"), "info").Result()
	switch {
	case errors.Is(err, redis.Nil):
		return Leader{}, false, nil
	case err != nil:
		return Leader{}, false, fmt.Errorf("relay: lease: %w", err)
	}
	var l Leader
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return Leader{}, false, fmt.Errorf("relay: lease: %w", err)
	}
	return l, true, nil
}

// Epoch returns the name of the fleet's numbering, which is made where there is
// none yet. It tells since when it counts: see numbering.
func Epoch(ctx context.Context, r redis.UniversalClient, prefix string, now time.Time) (string, error) {
	key := names{prefix}.fleet("epoch")
	// What is there stays: whoever comes first names it.
	if err := r.SetNX(ctx, key, newEpoch(now), 0).Err(); err != nil {
		return "", fmt.Errorf("relay: epoch: %w", err)
	}
	epoch, err := r.Get(ctx, key).Result()
	if err != nil {
		return "", fmt.Errorf("relay: epoch: %w", err)
	}
	if _, err := epochBegan(epoch); err != nil {
		return "", err
	}
	return epoch, nil
}

// An epoch is the microsecond in which it began, in base 36.
func newEpoch(now time.Time) string { return strconv.FormatInt(now.UnixMicro(), 36) }

func epochBegan(epoch string) (time.Time, error) {
	micros, err := strconv.ParseInt(epoch, 36, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("relay: epoch %q: %w", epoch, err)
	}
	return time.UnixMicro(micros), nil
}

// floor is the number behind which something begins of which Redis knows none: the
// microseconds since the epoch began. No asset has a million updates a second, so
// that it is above all that were given before Redis forgot them; a client sees a
// jump, never a number twice.
func floor(began, now time.Time) uint64 {
	return uint64(max(1, now.Sub(began).Microseconds()))
}
