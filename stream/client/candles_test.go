package client_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/client"
)

// Candles of several intervals come side by side, are renewed on a new server,
// and end one by one.
func TestCandles(t *testing.T) {
	l := newLive(t)
	c := dial(t, l, client.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	minutes, seconds := client.CandleChannel("1m"), client.CandleChannel("1s")
	m := mint(1).String()
	for _, ch := range []string{client.ChannelCandles, seconds} { // without an interval: minutes
		if err := c.Subscribe(ctx, ch, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, ch := range []string{client.ChannelCandles, minutes, seconds} {
		if got := c.Subscriptions(ch); !slices.Equal(got, []string{m}) {
			t.Errorf("subscriptions to %s: %v", ch, got)
		}
	}
	var refused *client.RequestError
	if err := c.Subscribe(ctx, client.CandleChannel("2m"), m); !errors.As(err, &refused) || refused.Code != "invalid_interval" {
		t.Errorf("an interval that is none: %v", err)
	}

	publish := func(i swapcast.Interval, start int64, trades uint64, final bool) {
		l.server.Load().PublishCandle(&swapcast.Candle{
			Mint: mint(1), Interval: i, Start: start, Open: 1, High: 4, Low: 0.5, Close: 2, VolumeUSD: 9, Trades: trades, Final: final,
		})
	}
	publish(swapcast.Interval1m, 60, 3, false)
	want := client.Candle{
		AssetID: m, Interval: "1m", Start: 60, Open: 1, High: 4, Low: 0.5, Close: 2, VolumeUSD: 9, Trades: 3, Seq: 1, Feed: "simulated",
		Commitment: client.CommitmentProcessed,
	}
	got := *next[*client.Candle](t, c)
	if got.TS == 0 {
		t.Error("no ts")
	}
	if got.TS = 0; got != want {
		t.Errorf("%+v, want %+v", got, want)
	}

	l.restart()
	told := map[string]bool{} // what ended meanwhile is lost
	for range 2 {
		g := next[*client.Gap](t, c)
		told[g.Interval] = g.Channel == client.ChannelCandles && g.AssetID == m && g.Reason == client.GapRestart && g.Missing() == 0
	}
	if !told["1m"] || !told["1s"] {
		t.Errorf("told %v", told)
	}
	await(t, "the renewals", func() bool { return l.server.Load().Stats().Subscriptions["candles"] == 2 })
	publish(swapcast.Interval1s, 100, 1, true)
	if k := next[*client.Candle](t, c); k.Interval != "1s" || !k.Final || k.Seq != 1 {
		t.Errorf("%+v", k)
	}
	if err := c.Unsubscribe(ctx, minutes, m); err != nil {
		t.Fatal(err)
	}
	if got := c.Subscriptions(client.ChannelCandles); len(got) != 0 {
		t.Errorf("still subscribed: %v", got)
	}
	publish(swapcast.Interval1m, 120, 1, false)
	publish(swapcast.Interval1s, 101, 1, false)
	if k := next[*client.Candle](t, c); k.Interval != "1s" || k.Start != 101 {
		t.Errorf("%+v", k)
	}
	if s := c.Stats(); s.Gaps != 2 || s.Unknown != 0 || s.Malformed != 0 {
		t.Errorf("%+v", s)
	}
}
