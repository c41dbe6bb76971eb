package stream

import "github.com/swapcast/swapcast"

// seqRange is a run of lost updates.
type seqRange struct{ from, to uint64 }

// item is one thing for a shard to do, in the order in which it came.
type item struct {
	what       itemKind
	channel    channel
	topic      *topic
	frame      *frame
	seq        uint64
	at         int64 // Unix nanoseconds when it was published
	receivedAt int64 // of its transaction, 0 unknown
	conn       *conn
	request    *request
	end        end          // of conn, for itemEnd
	call       func(*shard) // for itemCall; after itemLeave where there is one
	gap        *swapcast.Gap
	aside      bool // a candle older than the newest one
}

type itemKind uint8

const (
	itemUpdate   itemKind = iota // frame is the topic's next on channel
	itemJoin                     // conn begins
	itemLeave                    // conn has ended
	itemReply                    // frame answers conn
	itemRequest                  // conn subscribes or unsubscribes
	itemEnd                      // conn is to be closed, after what waits for it
	itemWritable                 // conn's socket takes data again
	itemDrain                    // every connection is told to go
	itemCut                      // every connection is cut
	itemKeys                     // connections whose key is gone are closed
	itemGap                      // every connection is told of gap
	itemCall                     // call looks at what the shard owns
)

// do queues something that must be done. It never blocks, and nothing is ever
// refused: what clients ask for is bounded by their message rates, and of all
// else a connection has a few items at a time.
func (s *shard) do(it item) {
	s.mu.Lock()
	s.queue = append(s.queue, it)
	s.mu.Unlock()
	s.nudge()
}

// update queues an update, if there is room; see Limits.ShardQueue.
func (s *shard) update(it item) {
	s.mu.Lock()
	full := s.updates >= s.srv.opts.Limits.ShardQueue
	switch {
	case !full:
		s.queue = append(s.queue, it)
		s.updates++
	case it.frame.kind.newestOnly():
		s.late[it.topic] = it
	default:
		lost, ok := s.lost[it.topic]
		if !ok {
			lost.from = it.seq
		}
		lost.to = it.seq
		s.lost[it.topic] = lost
		if it.channel == chanCandles {
			delete(s.late, it.topic) // it is older
		}
	}
	s.mu.Unlock()
	switch {
	case !full:
	case it.channel == chanTrades:
		s.srv.opts.Metrics.postpone() // the history has it
	default:
		s.srv.opts.Metrics.drop(it.channel.name(), "shard_full")
	}
	s.nudge()
}

func (s *shard) nudge() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake, or about to be
	}
}
