// Package replay is a Yellowstone-compatible gRPC server that plays a Source: a
// recording, transactions from files, or the built-in market. It serves
// `swapcast geyser`, tests, and, within the process, `swapcast serve`. To a
// client it is a validator's Geyser plugin (rpcpool/yellowstone-grpc, proto
// 12.6.0), with these promises and limits.
//
// # What is honoured
//
// Subscribe takes every filter that the Go stubs know: transactions,
// transactions_status, slots, blocks, blocks_meta, entry, accounts with their
// conditions, accounts_data_slice, commitment, from_slot and ping; token_accounts
// of newer protos too. Names, keys and values that are wrong end the stream with
// INVALID_ARGUMENT "failed to create filter: ..."; fields that the stubs do not
// know (the cuckoo filters), and the header x-request-snapshot, with
// UNIMPLEMENTED. Nothing that a client asks is ignored, but for what follows
// from the source: filters for accounts match nothing where the source has no
// account updates, as recordings of transactions have none, and neither do
// filters by account where the source has a transaction's status only.
//
// A new request replaces all filters; of several that wait the newest wins. A
// request of a ping and nothing else is answered and changes nothing. Unlike the
// real server, which drops the filters of a request that has a ping as well,
// this one takes them. A client that closes its side keeps its stream.
//
// SubscribeReplayInfo, Ping, GetVersion, GetSlot, GetBlockHeight,
// GetLatestBlockhash and IsBlockhashValid answer from what has been played.
// GetVersion names the package "swapcast"; the response header x-swapcast-feed
// says "simulated" or "replay". SubscribeDeshred is not in the stubs: gRPC
// answers UNIMPLEMENTED. The standard health service is there.
//
// # Order and commitment
//
// PROCESSED gets updates in the order of the source. At CONFIRMED and FINALIZED a
// slot's data comes when its status does, before it, in the order in which it
// came; ancestors whose status is missing in the source come with it. Slot
// statuses go to all levels at once. A block is sent once it is complete: its
// meta, as many transactions as that says, and entries where the source has any.
// A block that never becomes complete is never sent, and counted
// (Stats.IncompleteBlocks). Each blocks filter gets a block of its own.
//
// created_at is when this server sent the update (see Options.KeepCreatedAt).
//
// # from_slot
//
// Every update lives in a log of its commitment level, and a stream is a
// position in that log. Asking for a slot moves the position back, so stored
// updates go over into live ones without a gap and without a duplicate; before
// the point where the request was taken, updates of lower slots are left out.
// A slot that has been let go gives OUT_OF_RANGE "broadcast from X is not
// available, last available: Y"; one that is yet to come gives INTERNAL "failed
// to get replay response", as the real server does; before the first update any
// slot is taken and the stream is live.
//
// # Slow clients and memory
//
// Being behind is a stream's only queue. One that is more than
// Options.QueueSize updates behind is cut with INTERNAL "lagged to send an
// update", whatever its socket is doing. A lossless player waits for it
// instead, at most Options.SlowWait while it takes nothing at all. Stored
// updates are bounded by slots and by bytes; if slots must go before they are
// finalized, streams that wait for them are cut rather than left with a hole.
//
// # The end
//
// When the source ends, streams stay open, pings go on and from_slot still
// works; with Options.EndWithSource they end with OK, which a client reads as
// end of stream. A source that fails ends them with DATA_LOSS once all before it
// has been sent. When Run is told to stop they end with UNAVAILABLE "server is
// shutting down try again later".
//
// # Faults on request
//
// Options.Faults has one server do wrong what providers do wrong; package faults
// reads the script, bends the chain and tells the truth. Those of a server (late,
// restart, refusals, forgotten history) strike by its own clock and slots; those
// of a stream (cut, half_open, duplicate, ...) by the stream's, as it is written,
// or for all streams at once by the server's. Timed ones strike within 2 ms, also
// where nothing is played; a stream that waits for its client's socket is struck
// once it goes on. Tee makes several servers endpoints of one chain.
//
// A half-open stream and a silent filter take from the log as if they had sent,
// so that a lossless player goes on; slow_down slows a lossless player too. late
// holds back what streams send, by the time at which it was played: statuses and
// data of the same moment stay together at PROCESSED, while data that waited for
// its commitment is not delayed again. Unary methods are not late.
//
// # Banks
//
// Where updates name a bank (bank_id of yellowstone-grpc 16), a slot's banks are
// blocks of their own, and at CONFIRMED and FINALIZED a slot is the bank that its
// status names, or those that have not died.
//
// # Loops
//
// Each pass moves slots, parents, block heights and block times on by the range
// that the first pass covered; later passes name no banks. Signatures and blockhashes come again unchanged:
// who tells transactions apart needs slot and signature.
//
// # Concurrency
//
// One goroutine plays (Run). Each stream has three: the handler that watches,
// one that reads requests, one that writes. The store's lock guards the logs,
// the slots and every stream's position; nothing is sent or encoded under it.
// An update is encoded once and its bytes are shared by all streams.
//
// # Size
//
// The package is larger than the house wants packages to be. Filters, blocks and
// the store all work on the encoded update and the facts beside it, which a
// package of their own would have to show to everybody; the files are the parts.
package replay
