// Package stream is the WebSocket and its SSE twin: it fans prices, trades,
// candles, balances and the state of the feed out to clients.
//
//	PublishPrice -> topic (of a mint, its candles of an interval, a wallet, at one commitment: number, encode once)
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
// Processed and confirmed updates of one asset are two topics: each has its own
// subscriptions, numbers and history.
//
// # Nothing lost, nothing twice
//
// A client that names the epoch and the last seq that it has seen of an asset's
// trades is given those after it out of the history, piece by piece as its socket
// takes them, and then goes over to the live ones: each seq once, in order, or
// within the range of a gap message. That holds from shard to shard too: what a
// client has seen of a shard that was ahead, another one does not send again.
// Retracts are numbered among the trades, so that they are neither lost nor
// repeated either. A subscription's acknowledgement has the seq from which to
// resume before anything has been seen.
//
// Of prices, balances and the status the newest state is enough; it comes with
// every subscription. Of candles too, unless one ended while the client was away:
// that is a gap. While nobody listens to a mint's candles or to a wallet, nothing
// is numbered, and the numbers go on with a hole.
//
// Who comes from another run of the server is told so by a gap, and of trades is
// given all of this run that is kept: a run that went on where the other one ended
// may have told them before its clients were back.
//
// A gap of the server's own (PublishGap) goes to every subscription that it may
// concern, and later to who resumes from before it; who resumes from a seq that
// the history has forgotten is told all that are recorded, rather too many than
// too few.
//
// batch=1 lets updates share a frame as an array of at most 16 KiB, some 30 trades:
// it saves bytes of headers and events in the client, nothing else. Answers are
// always alone, and so is a message that is larger than that, as an object.
// What is told again after a since comes in such frames too.
//
// # Forms
//
// A message is encoded as JSON. A connection that asks for another form, MessagePack
// (wire.Subprotocol) or permessage-deflate or both, is sent that; it is made out of
// the JSON once, when the first connection wants it, and shared by all. That is why
// there is no compression with a context from one message to the next.
//
// # One of several
//
// Relay takes updates that another one has numbered and encoded, under an epoch of
// its own (Options.Epoch): then several servers are one to a client that resumes
// trades. Options.Follow is called for what a client wants before its subscription
// begins. Candles and balances each server numbers for itself, so that who comes
// from another one with since is told of a gap in them. The ids of server-sent events
// are of one run, but those of trades: these any of the servers understands. A client
// may have heard more at another server than this one has: it is given what is newer
// than that.
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
// lives until that socket has room again. It is one write(2) to the descriptor, past
// net and its poller: at one message a write, what surrounds the kernel's send is
// most of what a server can save.
//
// No write and no read sets a timer: deadlines and pings are a sweep of each
// shard once a second.
//
// # Bounds
//
// Every queue has one, and a rule for when it is met:
//
//	shard queue      Limits.ShardQueue     prices, candles, status newest-only; trades taken from the history later; final candles, balances dropped and told as a gap
//	shard requests   the clients' rates    rate_limited, then closed with 1008
//	prices, candles  Limits.QueuedPrices   newest of each subscription (at most Limits.Subscriptions)
//	trades waiting   Limits.QueuedTrades   closed with 4408
//	final candles    Limits.QueuedTrades   closed with 4408
//	balances         Limits.QueuedTrades   closed with 4408
//	server's gaps    one a subscription    the next ones wait as one that spans them
//	what a client that resumes lacks       128 messages a turn, while its socket takes them
//	history          Limits.HistoryTrades, HistoryTotal  the oldest forgotten, a gap for who comes for it
//	server's gaps kept for who resumes     64, then the oldest become one
//	wallets          Limits.Wallets, WatchedWallets  too_many_subscriptions
//	OnWallet         one entry a wallet    what cancels out while a call lasts is not told
//	answers waiting  Limits.QueuedReplies  closed with 4408
//	control frames   1 KB behind a write   pongs dropped
//	last prices      Limits.RetainedAssets the longest silent mint forgotten
//	open files       Limits.OpenFiles      newcomers refused with 503 out_of_files
//
// swapcast_ws_dropped_total, _deferred_total, _conflated_total and _closed_total
// count them.
//
// # Goroutines
//
// One for each shard, one for each connection (it reads), one for each
// socket that is full while it is, and one that calls OnWallet where that is set. Run waits for all of them. State belongs to
// one of them or to a named lock: each struct says which.
//
// # Adding a channel
//
// A channel is a constant in channels.go with its name and lane, a kind in frame.go
// that says what a slow client gets of it, and its encoder in wire.
//
// The package is larger than the house's budget because the write path, the
// registry and the limits share the connection; socket and frame know nothing
// of the rest and can move out if it grows.
package stream
