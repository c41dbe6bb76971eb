package stream

import "github.com/swapcast/swapcast/stream/wire"

// channel is a kind of subscription that topics serve.
type channel uint8

const (
	chanPrices channel = iota
	chanTrades
	chanCandles // of a topic for candles, which has this channel only
	channels
)

// channelSpec is what the server does about a channel by name. A channel that
// comes to be served changes its line here and, where it is kept by mint, gets
// a constant above.
type channelSpec struct {
	served  bool
	channel channel
	refusal string // of one that is not served
}

// channelByName knows every channel of the protocol.
func channelByName(name string) (channelSpec, bool) {
	switch name {
	case wire.ChannelPrices:
		return channelSpec{served: true, channel: chanPrices}, true
	case wire.ChannelTrades:
		return channelSpec{served: true, channel: chanTrades}, true
	case wire.ChannelCandles:
		return channelSpec{served: true, channel: chanCandles}, true
	case wire.ChannelBalances, wire.ChannelStatus:
		return channelSpec{refusal: "the channel " + name + " is not served by this version"}, true
	default:
		return channelSpec{}, false
	}
}

// name is the channel's name on the wire.
func (c channel) name() string {
	switch c {
	case chanTrades:
		return wire.ChannelTrades
	case chanCandles:
		return wire.ChannelCandles
	default:
		return wire.ChannelPrices
	}
}

// subscription is one client's interest in one channel of a topic. Owned by
// the connection's shard.
type subscription struct {
	conn    *conn
	topic   *topic
	channel channel
	index   int    // place in the topic's list
	slot    int    // place in the mailbox plus one while that conflates; 0: none
	held    *frame // price or candle that waits for the connection's window to end
	listed  bool   // stands among its connection's held
	ended   bool   // nothing of it is to be sent any more
}

// subKey finds a connection's subscription.
type subKey struct {
	topic   *topic
	channel channel
}
