package stream

import "github.com/swapcast/swapcast/stream/wire"

// channel is a kind of subscription that topics serve.
type channel uint8

const (
	chanPrices channel = iota
	chanTrades
	chanCandles
	chanBalances
	chanStatus
	channels
)

// A topic numbers and delivers each of its channels in a lane: that of an asset
// has two, any other one.
const (
	lanePrices = iota
	laneTrades
	lanes
)

// lane is the channel's in its topic.
func (c channel) lane() int {
	if c == chanTrades {
		return laneTrades
	}
	return lanePrices
}

// channelByName knows every channel of the protocol.
func channelByName(name string) (channel, bool) {
	switch name {
	case wire.ChannelPrices:
		return chanPrices, true
	case wire.ChannelTrades:
		return chanTrades, true
	case wire.ChannelCandles:
		return chanCandles, true
	case wire.ChannelBalances:
		return chanBalances, true
	case wire.ChannelStatus:
		return chanStatus, true
	default:
		return 0, false
	}
}

// name is the channel's name on the wire.
func (c channel) name() string {
	switch c {
	case chanTrades:
		return wire.ChannelTrades
	case chanCandles:
		return wire.ChannelCandles
	case chanBalances:
		return wire.ChannelBalances
	case chanStatus:
		return wire.ChannelStatus
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
	gaveWay uint32 // how many did to held, not told to the connection yet
	window  bool   // the connection has one
	listed  bool   // stands among its connection's held
	ended   bool   // nothing of it is to be sent any more
	// behind says that the client is being given what it lacks: what is published
	// meanwhile waits its turn. See refill.
	behind bool
	next   uint64   // of trades: no seq below it is delivered
	backed *backlog // of balances that is behind
}

// subKey finds a connection's subscription.
type subKey struct {
	topic   *topic
	channel channel
}
