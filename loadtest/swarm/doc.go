// Package swarm is the load generator behind `swapcast load`: tens of thousands of
// WebSocket connections to a swapcast server from one machine, and an account of what
// came over them.
//
//	Runner (plan, limits, merging, progress) -> worker (one a process) -> loop (one a CPU) -> conn
//
// # What it promises
//
//   - Every message of every connection is read, timed and held to its seq: nothing is
//     sampled, but that one message in 1,024 is parsed as JSON as a whole.
//   - A second's figures are complete: a worker tells a second once all of its loops are
//     through with it, and Runner tells it once all workers have.
//   - Histograms are HDR histograms (three digits, 1 µs to 2 minutes); those of several
//     loops and processes are added, never averaged.
//
// # What its figures mean
//
// Latency is the wall clock now less the message's ts. ts is in whole milliseconds, cut
// and not rounded, so latencies read up to 1 ms too long, half of one in the mean.
// Generator and server must share a clock. Snapshots are not timed: their ts is old.
//
// A jump of seq is a skip where the scenario asked for it (window_ms, or a reader that is
// slow on purpose) and a gap where it did not. A server may conflate for anybody who
// reads too slowly, and counts that: as many missing updates as all servers conflated
// during the run are explained, the rest are not. Without --admin skips are taken to be
// the window's and no gap is explained.
//
// # Concurrency
//
// A loop's goroutine owns its connections, timers and tallies, and hands a second's tally
// over when the second is over. Nothing is locked. It waits in epoll, which is why the
// package runs on Linux alone; elsewhere a run says so.
//
// # Memory
//
// No goroutine, no buffer and no bufio belong to a connection: a record of some 200
// bytes, 16 bytes a subscription, and the beginning of a message while the rest of it is
// on its way. The kernel's socket buffers come on top.
//
// # Limits
//
// ws:// only, IPv4 only, no compression, no fragmented messages (swapcast sends none).
package swarm
