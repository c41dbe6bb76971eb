// Command edges is the drill of several machines, on loopback: two ingests and three
// edges of one Yellowstone server, a Redis Cluster of three masters, nginx with the
// configuration of deploy/nginx, and clients (the Go SDK) through it. One part after
// the other is killed under load.
//
// What the clients were told is held against what a server of its own (role all, the
// same source) told a client that nobody disturbs: a trade is known by commitment,
// mint, slot, signature and index. For each kill the table has
//
//	unseen   trades that a client was not told, after all repair, over all clients
//	twice    trades that a client was told more than once
//	gaps     gap events that clients were given
//	recover  seconds from the kill until no client was more than a second behind any more
//	quiet    the longest that any client was more than a second behind in one piece
//	moved    connections that ended
//
// It needs redis-server, redis-cli and nginx, and bin/swapcast:
//
//	make drill-edges
package main
