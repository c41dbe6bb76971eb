// Package stream is the WebSocket: it fans prices, trades and candles out to
// clients.
//
//	PublishPrice -> topic (one a mint, or a mint's candles of an interval: number, encode once)
//	  -> shard (one goroutine each: subscribers, mailboxes)
//	    -> socket (one non-blocking write) -> client
//
// # What clients may rely on
//
// The first message after a price subscription is the snapshot. Updates of one
// asset come in the order in which they were published, with a seq that grows
// by one; order between assets, and between prices and trades, is not
// promised, though it is usually kept. Answers come in the order of the
// requests. Without a window, a client that reads gets every update; one whose
// socket stays full gets the newest price of each asset once more than
// Limits.QueuedPrices wait, and is closed with 4408 once more than
// Limits.QueuedTrades trades do. With a window, a price leaves when the window
// ends, at most one of each asset; trades and answers do not wait for it.
//
// A candle is whole in each message, and treated as a price is: a slow client, or
// one with a window, gets its newest state. One that is final, because the next
// interval has begun or CloseCandles said that this one is over, waits for no
// window, gives way to nothing, and is kept as a trade is. A subscription to
// candles begins with the newest one, if there is any; an interval without a
// trade has no message.
//
// batch=1 lets updates share a frame as an array: it saves bytes of headers
// and events in the client, nothing else.
//
// # How it writes
//
// coder/websocket does the handshake, reads, and answers control frames; data
// frames are ours, and both meet in socket, where they share one short lock
// and write whole frames only. It relies on that library (v1.8.15) writing
// each control frame in one Write, which the tests would show otherwise. A
// shard takes up all that is queued, fills mailboxes, and then writes to each
// client once. It adds no delay when idle, and under load the writes grow. A
// write never blocks: what a socket does not take goes to a goroutine that
// lives until that socket has room again.
//
// No write and no read sets a timer: deadlines and pings are a sweep of each
// shard once a second.
//
// # Bounds
//
// Every queue has one, and a rule for when it is met:
//
//	shard queue      Limits.ShardQueue     prices, candles newest-only; trades, final candles dropped and told as a gap
//	shard requests   the clients' rates    rate_limited, then closed with 1008
//	prices, candles  Limits.QueuedPrices   newest of each subscription (at most Limits.Subscriptions)
//	trades waiting   Limits.QueuedTrades   closed with 4408
//	final candles    Limits.QueuedTrades   closed with 4408
//	answers waiting  Limits.QueuedReplies  closed with 4408
//	control frames   1 KB behind a write   pongs dropped
//	last prices      Limits.RetainedAssets the longest silent mint forgotten
//
// swapcast_ws_dropped_total, _conflated_total and _closed_total count them.
//
// # Goroutines
//
// One for each shard, one for each connection (it reads), and one for each
// socket that is full while it is. Run waits for all of them. State belongs to
// one of them or to a named lock: each struct says which.
//
// # Adding a channel
//
// channelByName knows the names. One that is kept by mint, as prices and
// trades are, is a constant there and its encoder in wire; hubs, mailboxes and
// shards do not change.
//
// The package is larger than the house's budget because the write path, the
// registry and the limits share the connection; socket and frame know nothing
// of the rest and can move out if it grows.
package stream
