package client

import (
	"strings"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// CandleChannel is the channel of candles of an interval ("1s", "5s", "15s",
// "1m", "5m", "15m", "1h", "4h" or "1d") as Subscribe, Unsubscribe and
// Subscriptions take it.
func CandleChannel(interval string) string { return ChannelCandles + ":" + interval }

// Confirmed is a channel (ChannelTrades, or what CandleChannel returned) at the
// commitment "confirmed": what it tells is not taken back by a fork, and comes
// later. Without it a channel is "processed". Both may be subscribed to at once:
// each has subscriptions and numbers of its own.
func Confirmed(channel string) string { return channel + "@" + CommitmentConfirmed }

// Commitments of prices, trades, candles and balances.
const (
	CommitmentProcessed = "processed" // at once; retracted when the slot dies
	CommitmentConfirmed = "confirmed" // once the cluster has voted for it
)

// feedKey is what a subscription to some assets is about.
type feedKey struct {
	channel    string
	interval   string // of candles, else empty
	commitment string // empty: processed
}

// assetKey names one numbered sequence of updates: that of an asset, or a wallet.
type assetKey struct {
	feedKey
	asset string
}

// parseFeed reads a channel as the user names it.
func parseFeed(name string) feedKey {
	name, commitment, _ := strings.Cut(name, "@")
	channel, interval, _ := strings.Cut(name, ":")
	return newFeed(channel, interval, commitment)
}

// newFeed is the feed of a message or a request: what is left out there has its
// one spelling here.
func newFeed(channel, interval, commitment string) feedKey {
	if channel == ChannelCandles && interval == "" {
		interval = swapcast.DefaultInterval.String()
	}
	if commitment == CommitmentProcessed || channel == ChannelStatus {
		commitment = ""
	}
	return feedKey{channel, interval, commitment}
}

// name is the channel as the user names it.
func (f feedKey) name() string {
	name := f.channel
	if f.interval != "" {
		name += ":" + f.interval
	}
	if f.commitment != "" {
		name += "@" + f.commitment
	}
	return name
}

// committed is the commitment as events say it.
func committed(c string) string {
	if c == "" {
		return CommitmentProcessed
	}
	return c
}

// gap is a gap of a sequence, still without its numbers.
func (k assetKey) gap(reason string) Gap {
	g := Gap{Channel: k.channel, Interval: k.interval, Commitment: committed(k.commitment), Reason: reason}
	if k.channel == wire.ChannelBalances {
		g.Wallet = k.asset
	} else {
		g.AssetID = k.asset
	}
	return g
}

// key is the sequence that a gap is about.
func (g *Gap) key() assetKey {
	return assetKey{newFeed(g.Channel, g.Interval, g.Commitment), g.AssetID + g.Wallet} // one of them is empty
}
