// Package client is the Go SDK of the swapcast WebSocket: it dials, subscribes,
// stays connected, and says when something was lost.
//
//	c, err := client.New("ws://127.0.0.1:8080/ws", client.Options{})
//	go c.Run(ctx)
//	err = c.Subscribe(ctx, client.ChannelPrices, mint)
//	for ev := range c.Events() { ... }
//
// # What it promises
//
// Events of one (channel, commitment, asset) are delivered in the order in which
// the server sent them. Of trades, and of the retracts that are counted among
// them, each comes once, however often the connection breaks, or a [Gap] in its
// place says that it does not: after a reconnect the client names the server's
// run and the last number it has seen ("since"), the server gives what it still
// keeps, and what comes twice is dropped (Stats.Duplicates). [Subscribed] says by
// Recovered whether anything is missing.
//
// Whatever is known to be missing is announced by a Gap, once: what the server
// says it cannot give, a jump of seq, an outage that the server's numbering
// survived, an overflow of the client's own buffer. A restart of the server is
// told by one Gap for each asset of prices, trades and candles ([GapRestart], of
// unknown length: it ends with the next event of that asset); the trades of the
// new run are then asked for from its first. Slots that the server itself never
// learned of are a Gap with FromSlot and ToSlot.
//
// With [Options.Window] set, jumps in prices are what was asked for and give no
// Gap. Candles give one only for a final one that may be missing: each is whole,
// and states in between may be skipped. Balances begin with all that the wallet
// holds, after a reconnect too, so that an outage gives no Gap where the server
// knows that. [CandleChannel] names the channels of candles, [Confirmed] those of
// the higher commitment.
//
// What was processed can be taken back: of trades a [Retract] says which, a price
// with Corrects or a balance with Corrects takes the place of the one before, and
// a final candle may come again.
//
// Subscriptions outlive connections: after a reconnect the client subscribes
// again to everything it was subscribed to, and the resulting snapshots and
// acknowledgements are delivered like the first ones.
//
// # Connections
//
// Reconnects wait with full jitter: a uniform random time up to a bound that
// doubles from Options.MinBackoff to Options.MaxBackoff, and starts over only
// once a connection has lasted. A close with code 1001 that carries a hint is
// obeyed instead, and 4408 (too slow) is like a lost network. Codes 4401 (bad
// key), 4400 (bad requests), 1008 (policy) and 1009 (too big), and the
// handshake answers 400, 401 and 403, end Run: the same requests would be
// refused again.
//
// A connection on which nothing is heard is asked for a pong, and given up
// after Options.SilentAfter. A server that is up but whose feed is silent
// answers pings, so a quiet market is not mistaken for a dead connection;
// subscribe to [ChannelStatus] to hear of the feed itself.
//
// # Queues
//
// There is one: the event buffer, of Options.Buffer events. When the reader of
// Events falls behind by more, the oldest event is dropped, counted in
// Stats.Overflowed, and announced by a Gap with reason "client_overflow" before
// the next event of its asset that is left, or once nothing else is left. Events
// without a number (Status, Connected and the like) are counted only. With Options.OnEvent there is no buffer: a slow
// handler holds up the reading, and the server then conflates prices and, past
// its bound for trades, closes with 4408.
//
// # Concurrency
//
// All methods may be called from any goroutine. Run may be called once. Every
// goroutine that the package starts has ended when Run returns (or, for a
// client made by [Dial], when Close does).
package client
