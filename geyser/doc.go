// Package geyser takes the chain from a Yellowstone gRPC endpoint.
//
// A Subscriber keeps one endpoint's stream alive: it subscribes to the
// transactions that touch a list of programs (no votes, no failed ones), to
// slot statuses and to block metas, all at processed commitment; it answers
// the server's pings, notices a silent stream, and reconnects. Each update
// becomes an Event on a channel. A WireDecoder reads the bytes of a message into
// an Event; a Decoder does the same for a transaction that the generated code
// has decoded, as captures have it. Both stand alone, and give the same.
//
// # What is promised
//
// Order: events come in the order in which the server sent them. Between
// endpoints, and across a reconnect, there is no order and there may be a
// gap; gap_slots_total counts slots that were certainly missed.
//
// Loss: none while connected. Where the consumer is slow, Run waits for it and
// so gRPC's flow control holds the server back, until the server cuts the
// stream ("lagged"), which is counted under that reason. What passes during a
// cut is lost for now: there is no resume yet.
//
// Bounds: one update in hand and what out's buffer holds; a message above 1
// GiB ends the stream. Nothing grows with the length of the stream.
//
// Ending: Run returns nil when its context ends. It returns an error only
// where a new connection cannot help, see Reason.
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
