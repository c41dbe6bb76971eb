// Package relay takes updates from the servers that follow the chain, ingests, to
// those that clients connect to, edges, over Redis (7.0 or later: one server,
// Sentinel's master, or a Cluster).
//
//	ingest: pipeline -> Publisher -> a lane for each bucket: number, encode once
//	  -> Redis: a log and the last state of each mint, and a channel of its own (sharded pub/sub)
//	    -> edge: a part for each bucket, subscribed to the mints that its clients watch
//	      -> stream.Server.Relay -> clients
//
// # What clients may rely on
//
// All edges are one server to a client that resumes: trades and retracts have the
// same epoch and seq everywhere. Each trade is told once at each commitment, or
// within a gap, whichever ingest or edge or Redis node ends in between, as long as
// not two of them do within the same seconds. Of prices the newest one comes after
// whatever happened; a jump of its seq says that some were passed over.
//
// # One numbering
//
// Several ingests may run, and all follow the chain. One of them holds a lease and
// publishes (Options.Lease, 3 s); the others keep what they would have told for as
// long as the leader may not have (Options.Hold, 15 s, and the leader's own
// backlog). Who takes over reads the log of each mint before it writes to it, and
// tells what is missing there: trades are known by slot, signature and index, so
// that neither the order in which two ingests saw them nor where the leader stopped
// matters. A leader whose feed fails makes way for a standby whose feed is well.
//
// Every lease has a fence, a number above all earlier ones, which a script on the
// node of each mint compares with the one that wrote to it last: an ingest that was
// asleep while another one took over cannot write any more, whatever it believes.
// So a leader goes on while the node of the lease does not answer: nobody can take it.
//
// Appending to the log, keeping the state and publishing are one script: a number
// that an edge has seen is in the log, and a subscriber that sees a jump finds what
// is between there. What is written is in memory of the queue until Redis has said
// so; after an error the log is read again, so that nothing is written twice.
//
// The epoch is made by whoever comes first and says since when it counts. A mint of
// which Redis knows nothing begins at the microseconds since then, above all numbers
// that were given before Redis forgot it. An edge may begin it before its first trade, so
// that a client that is there already sees no jump. While one ingest leads it remembers the
// numbers, so that a Redis that restarts empty costs its log and no number.
//
// # An edge
//
// Follow subscribes to a mint's channel, reads its state and log once Redis has
// confirmed it, and then lets the client's subscription begin; Linger after the last
// client has gone it unsubscribes. After a lost connection every confirmation makes
// it read what it missed. Every Sweep it compares its numbers with Redis's, so that
// the last message before a silence is not missed either. An edge that begins to
// follow a mint has the trades of the last 2 to 4 minutes, at most 4,096, and 64 of
// a quiet one, for clients that come with since.
//
// Candles and balances are published for what some edge's clients listen to: edges
// write that down, ingests read it twice a second, and tell the present state first.
// Each edge numbers them itself (see stream): after a change of edge, or while an
// edge had no connection, a final candle may be missed, of which the client is told
// by a gap in the first case; in the second it gets the newest state, and not the
// final ones between, which /v1/candles has.
//
// # Bounds
//
//	lane's queue       Options.Queue (8,192)  the oldest eighth dropped and counted; trades among them told as a gap of slots
//	gaps that wait     64                     the two oldest become one
//	part's messages    4,096                  Redis holds them, then cuts the connection; the log has them
//	wishes of clients  unbuffered             the client waits, 5 s, then is closed with 1013; what nobody waits for is forgotten after Linger
//	log of a mint      4,096 trades, 2 to 4 minutes  edges that come later begin behind
//	Redis              keys end a day after their last update; --maxmemory-policy volatile-lru suits
//
// swapcast_relay_* counts all of it.
//
// # What is lost when two things fail at once
//
// Redis is the only copy of the log. Where a node restarts empty while another
// ingest takes over, trades of the last seconds may come twice or be passed over, and
// the jump of their seq says so. Run it with appendonly, or with replicas.
//
// # Concurrency
//
// A goroutine for each of 32 buckets and one for what concerns the whole fleet, on
// either side; on an edge one more for each bucket that is listened to, which
// receives. A bucket is one hash slot of a Cluster, so that a node that does not
// answer delays its own buckets only. Run waits for all of them. Publish methods
// never block.
package relay
