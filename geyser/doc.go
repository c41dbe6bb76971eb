// Package geyser takes the chain from a Yellowstone gRPC endpoint.
//
// A Subscriber keeps one endpoint's stream alive: it subscribes to the
// transactions that touch a list of programs and wallets, to slot statuses and
// to block metas, all at processed commitment; it answers the server's pings,
// notices a silent stream, and reconnects. Each update becomes an Event on a
// channel, which several subscribers may share. A WireDecoder reads the bytes of
// a message into an Event; a Decoder does the same for a transaction that the
// generated code has decoded, as captures have it. Both stand alone, and give the
// same.
//
// # What is promised
//
// Order: events of one stream (Event.Stream) come in the order in which the
// server sent them. Between streams there is none: a replay goes through slots
// that were there before, and nothing is de-duplicated here.
//
// Loss: none within a stream. KindStreamStart says from which slot on a stream
// is complete, and KindStreamEnd that it is no more: in between, a slot at or
// above that is complete on the stream when the stream says CONFIRMED of it,
// provided that the filter of transactions works, which only a transaction
// shows. What lies between the last slot that was complete and the next
// KindStreamStart is missing, and known to be. Where the consumer is slow, Run
// waits for it and so gRPC's flow control holds the server back, until the server
// cuts the stream ("lagged"): an error in the log, and resumed like any other cut.
//
// Bounds: one update in hand for each stream and what out's buffer holds; a
// message above 1 GiB ends the stream. Nothing grows with the length of the
// stream.
//
// Ending: Run returns nil when its context ends. It returns an error only
// where a new connection cannot help, see Reason.
//
// # How a stream resumes
//
// Options.Resume tells the slot up to which everything is proved. The next
// stream asks for what follows, some slots early, raised to what the server still
// has (SubscribeReplayInfo). What is answered decides the next try:
//
//	OUT_OF_RANGE, last available: Y      from Y; then some slots above, as Y moves on; then live
//	from_slot is not supported           live, for good
//	failed to get replay response        once more; then live, until a stream has brought data
//	silence, or an end without data      the same
//	from_slot taken and nothing replayed the stream counts as live
//
// A live stream is promised from the first slot whose beginning it can have
// seen; where it turns out that a fork's slot had begun before, the promise is
// moved up.
//
// # How often it tries
//
// Reconnects are spaced by full jitter up to a cap, and an endpoint that brings
// nothing several times in a row is left alone for a while by a breaker, which
// then lets single tries through: a dead endpoint is tried some 2,000 times a day.
// Other subscribers do not notice. See Reason for what is tried slowly at once,
// and Reconnect for opening streams anew without a gap. Rest leaves an endpoint
// alone while another one does its work, which TakesOver tells.
//
// # Filters
//
// SetFilter changes what is asked for on the live stream, in one request that
// replaces the one before. Keys that do not fit into what the provider allows
// are split over several streams of the endpoint, each with its own number and
// promise (KindPartStart); the limits are options, or learned from
// the server's refusal. Programs are dealt over the streams in turn, so the list
// should begin with the busiest: a stream proves slots with its transactions. A
// stream for wallets alone asks for the first program as well, which comes twice
// then. A key stays with its stream; one that has no keys left ends after five
// minutes, since opening another one may cost slots. Where a narrower limit moves
// keys to a stream that runs, all streams of the endpoint end, are told to have
// ended, and begin anew with promises of their own. A wallet that the server does not allow is left out and
// counted (Status.Uncovered, swapcast_geyser_uncovered_keys); a program that it does not allow is an error.
//
// What a wallet is sent does not name the wallet, only a token account of its.
// Servers of plugin 15.1 or newer match owners. For others the associated token
// accounts of a few mints are watched, and what comes to other accounts is
// missed: see TokenAccounts. Where one filter must serve for programs and
// wallets, the fees of a wallet's failed transactions are missed too.
//
// # Concurrency
//
// Run's goroutine keeps one goroutine for each part of the keys, and that one
// for each stream, beside which one sends and one watches for silence. All
// have ended when Run returns. Subscribers share nothing but the counter of
// streams and, where they are given the same ones, Metrics.
//
// # Memory
//
// Events come from a pool: a consumer calls Release when it is done with one
// and copies what it keeps. Byte slices and strings of a transaction point
// into the message, which belongs to the event: they are never written to
// until Release, and hold the next message after it.
//
// # Where the time goes
//
// A transaction of mainnet is 2.6 KB in the mean. These are processor times of
// one core of a shared AMD EPYC, for a transaction of the corpus block of slot
// 361774429, with the objects allocated:
//
//	                                         time         objects
//	bytes to view, generated code, Decoder   8 to 11 us   103
//	bytes to view, WireDecoder               2.5 us       0
//	of it, walking over the fields           1.6 us
//	       is it UTF-8 (logs mostly)         0.4 us
//	       base58 of token owners and mints  0.3 us
//	       the other checks and the view     0.2 us
//	from a server's Send to our consumer     7.8 us       8
//
// The last line holds both ends of gRPC, in one process and over a pipe, with
// messages that were encoded beforehand; with the generated code it was 14 to
// 16 us and 111. What is left of it is gRPC's transport, most of it copying,
// and half of its objects are the server's. The figures come out of
//
//	go test ./geyser -run xxx -bench 'Decode|Subscriber' -count 4
//	go test ./geyser -run xxx -bench WireDecode -cpuprofile cpu.out
//	go tool pprof -top geyser.test cpu.out
//
// Packages below this one keep streams in files (capture), serve them
// (replay) and make them up (sim).
package geyser
