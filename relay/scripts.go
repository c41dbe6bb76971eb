package relay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// How much of an asset's trades Redis keeps for edges that begin to follow it, or
// have missed something: the last logEntries, and of those the ones of the last
// logSeconds to 2*logSeconds, but logLeast in any case; all of them are forgotten
// stateSeconds after the last one, the numbers and the last price with them.
const (
	logEntries   = 4096
	logLeast     = 64
	logSeconds   = 120
	stateSeconds = 24 * 3600
)

// fenced is what the scripts answer to an ingest that leads no more, renumbered to
// one whose number has been given: Redis had forgotten the asset, and somebody began
// it anew.
const (
	fenced     = "fenced"
	renumbered = "behind"
)

// beginScript returns the number of an asset's last trade. Where Redis knows none it
// is to begin behind ARGV[1]: who subscribes before the first trade knows what follows.
//
//nolint:gochecknoglobals // a constant: go-redis hashes it once
var beginScript = redis.NewScript(`
redis.call('HSETNX', KEYS[1], 'seq', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('HGET', KEYS[1], 'seq')
`)

// loadScript makes this ingest the one that writes to an asset from now on, and
// returns the number of its last trade (ARGV[3] where there is none), its last price,
// and the names of the trades that are kept, the newest first.
//
//nolint:gochecknoglobals // a constant: go-redis hashes it once
var loadScript = redis.NewScript(`
local f = redis.call('HGET', KEYS[1], 'fence')
if f and tonumber(f) > tonumber(ARGV[1]) then return {'fenced'} end
redis.call('HSET', KEYS[1], 'fence', ARGV[1])
redis.call('HSETNX', KEYS[1], 'seq', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[2])
local out = {redis.call('HGET', KEYS[1], 'seq'), redis.call('HGET', KEYS[1], 'price') or ''}
for _, e in ipairs(redis.call('XREVRANGE', KEYS[2], '+', '-')) do
  out[#out + 1] = e[2][4]
end
return out
`)

// appendScript writes updates of one asset and publishes them, in one step: what is
// told has its place in the log. ARGV: fence, time in Unix seconds, then of each
// update its kind, seq, message and name. A trade's seq is the log's id, which must
// grow, so that none is written twice.
//
//nolint:gochecknoglobals // a constant: go-redis hashes it once
var appendScript = redis.NewScript(`
local f = redis.call('HGET', KEYS[1], 'fence')
if f and tonumber(f) > tonumber(ARGV[1]) then return 'fenced' end
local traded
for i = 3, #ARGV, 4 do
  local kind, seq, message = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if kind == 't' then
    if not traded and tonumber(redis.call('HGET', KEYS[1], 'seq') or '0') >= tonumber(seq) then return 'behind' end
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ` + strconv.Itoa(logEntries) + `, seq, 'm', message, 'n', ARGV[i + 3])
    redis.call('HSET', KEYS[1], 'seq', seq)
    traded = seq
  elseif kind == 'p' then
    redis.call('HSET', KEYS[1], 'price', message, 'priceSeq', seq)
  end
  redis.call('SPUBLISH', KEYS[3], message)
end
if traded then
  local now = tonumber(ARGV[2])
  local marks = redis.call('HMGET', KEYS[1], 'markAt', 'mark')
  if not marks[1] or now - tonumber(marks[1]) >= ` + strconv.Itoa(logSeconds) + ` then
    if marks[2] then
      local keep = math.min(tonumber(marks[2]), tonumber(traded) - ` + strconv.Itoa(logLeast) + `)
      if keep > 0 then redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', keep)) end
    end
    redis.call('HSET', KEYS[1], 'markAt', ARGV[2], 'mark', traded)
  end
  redis.call('EXPIRE', KEYS[2], ` + strconv.Itoa(stateSeconds) + `)
end
redis.call('EXPIRE', KEYS[1], ` + strconv.Itoa(stateSeconds) + `)
return 'ok'
`)

// scripted runs scripts in one pipeline. A node that does not know a script is
// given it.
type scripted struct {
	script *redis.Script
	keys   []string
	args   []any
}

// run returns each one's answer or error, in order.
func runScripts(ctx context.Context, r redis.UniversalClient, calls []scripted) []*redis.Cmd {
	pipe := r.Pipeline()
	answers := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		answers[i] = pipe.EvalSha(ctx, c.script.Hash(), c.keys, c.args...)
	}
	// Each command has its own error.
	_, _ = pipe.Exec(ctx)
	for i, c := range calls {
		if err := answers[i].Err(); err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
			answers[i] = c.script.Eval(ctx, r, c.keys, c.args...)
		}
	}
	return answers
}

// errFenced says that another ingest leads.
var errFenced = errors.New("relay: another ingest leads")

// loaded is what loadScript tells.
type loaded struct {
	seq   uint64
	price message // kind 0: none
	names []string
}

func parseLoaded(cmd *redis.Cmd) (l loaded, err error) {
	answer, err := cmd.StringSlice()
	if err != nil {
		return l, fmt.Errorf("relay: load: %w", err)
	}
	if len(answer) == 1 && answer[0] == fenced {
		return l, errFenced
	}
	if len(answer) < 2 {
		return l, errors.New("relay: load: an answer that is none")
	}
	if l.seq, err = strconv.ParseUint(answer[0], 10, 64); err != nil {
		return l, fmt.Errorf("relay: load: %w", err)
	}
	if answer[1] != "" {
		if l.price, err = parseMessage([]byte(answer[1])); err != nil {
			return l, fmt.Errorf("relay: load: %w", err)
		}
	}
	l.names = answer[2:]
	return l, nil
}
