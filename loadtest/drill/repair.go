package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/swapcast/swapcast"
)

// repair is candles that ended while a client was away: it was told so, and asks
// the HTTP API, as the documentation says.
type repair struct {
	topic   topic
	session int
	before  int64 // where the first candle on that connection began, 0 none came
	asked   bool
	got     []message
}

// repairLimit is more candles than can have ended while a client was away.
const repairLimit = 300

// repair asks for what the gaps of this connection name.
func (b *book) repair(ctx context.Context) {
	for {
		r := b.nextRepair()
		if r == nil {
			return
		}
		got, err := b.fetch(ctx, r.topic)
		if err != nil && ctx.Err() == nil {
			b.problems.add("protocol", "%s: candles over HTTP: %v", b.name, err)
		}
		b.mu.Lock()
		r.got, r.asked = got, ctx.Err() == nil // a connection that ends leaves it to the next
		b.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
	}
}

func (b *book) nextRepair() *repair {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.repairs {
		if !r.asked {
			r.asked = true
			return r
		}
	}
	return nil
}

// fetch reads candles over HTTP, more of them than can have ended meanwhile.
func (b *book) fetch(ctx context.Context, t topic) ([]message, error) {
	url := fmt.Sprintf("%s/v1/candles/%s?interval=%s&limit=%d", b.http, t.id, t.interval, repairLimit)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", response.Status, body)
	}
	var answer struct {
		Candles []message `json:"candles"`
	}
	return answer.Candles, json.Unmarshal(body, &answer)
}

// settle puts what was fetched in place of what was told before. Called once, at
// the end, with mu held.
func (b *book) settle() {
	type series struct {
		mint     int32
		interval swapcast.Interval
	}
	told := make(map[series][]candleKey)
	for key := range b.candles {
		told[series{key.mint, key.interval}] = append(told[series{key.mint, key.interval}], key)
	}
	for _, r := range b.repairs {
		if len(r.got) == 0 {
			continue
		}
		interval, _ := swapcast.ParseInterval(r.topic.interval)
		mint, from := b.mint(r.topic.id), int64(0)
		if len(r.got) == repairLimit {
			from = r.got[0].T
		}
		until := r.before
		if until == 0 { // no candle came any more
			until = r.got[len(r.got)-1].T + interval.Seconds()
		}
		for _, key := range told[series{mint, interval}] {
			if was, ok := b.candles[key]; ok && key.start >= from && key.start < until && was.session < r.session {
				delete(b.candles, key) // it is among those that were fetched, if there was one
			}
		}
		for i := range r.got {
			m := &r.got[i]
			if m.T >= until || !m.Final || m.Trades == 0 {
				continue
			}
			key := candleKey{mint, interval, m.T}
			if _, ok := b.candles[key]; ok {
				continue
			}
			b.counts.repaired++
			b.candles[key] = toldCandle{candleFact{m.O, m.H, m.L, m.C, m.VolumeUSD, m.Trades}, true, r.session}
			told[series{mint, interval}] = append(told[series{mint, interval}], key)
		}
	}
}
