// Package geyser takes the chain from a Yellowstone gRPC endpoint.
//
// A Subscriber keeps one endpoint's stream alive: it subscribes to the
// transactions that touch a list of programs (no votes, no failed ones), to
// slot statuses and to block metas, all at processed commitment; it answers
// the server's pings, notices a silent stream, and reconnects. Each update
// becomes an Event on a channel. A Decoder turns one transaction update into a
// swapcast.Transaction; it stands alone, for captures need it too.
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
// and copies what it keeps. Byte slices and strings of a transaction alias
// the message that they came with and are never written to.
//
// Packages below this one keep streams in files (capture), serve them
// (replay) and make them up (sim).
package geyser
