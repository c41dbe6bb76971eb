package relay

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// subscriber is one connection to Redis that listens to channels of one hash slot.
// It is made with the first channel. Where it is lost, go-redis makes it again, and
// Redis confirms each channel anew: that is when what was missed is read.
//
// It is owned by the goroutine of its part; a goroutine of its own receives.
type subscriber struct {
	// static after construction
	e        *Edge
	incoming chan any // *redis.Message, *redis.Subscription, broken

	// owned by the part's goroutine
	pubsub    *redis.PubSub // nil: there is no channel
	stop      context.CancelFunc
	receiving sync.WaitGroup
}

// broken says that a connection is of no use any more.
type broken struct{}

// incomingSize is how many messages wait for a part. Beyond that Redis holds them,
// cuts the connection in the end, and the log has them.
const incomingSize = 4096

// silence is after how long without a message a connection is tried, and after how
// long once more it is given up.
const silence = 3 * time.Second

func newSubscriber(e *Edge) subscriber {
	return subscriber{e: e, incoming: make(chan any, incomingSize)}
}

// subscribe asks for a channel. An error is not final: go-redis asks again when it
// has a connection.
func (s *subscriber) subscribe(ctx context.Context, channel string) error {
	if s.pubsub != nil {
		return s.pubsub.SSubscribe(ctx, channel)
	}
	s.pubsub = s.e.opts.Redis.SSubscribe(ctx, channel)
	receiving, stop := context.WithCancel(ctx)
	s.stop = stop
	pubsub := s.pubsub
	s.receiving.Go(func() { s.receive(receiving, pubsub) })
	return nil
}

// unsubscribe ends a channel.
func (s *subscriber) unsubscribe(ctx context.Context, channel string) error {
	if s.pubsub == nil {
		return nil
	}
	return s.pubsub.SUnsubscribe(ctx, channel)
}

// close gives the connection up.
func (s *subscriber) close() {
	if s.pubsub == nil {
		return
	}
	s.stop()
	// It is given up whatever it says.
	_ = s.pubsub.Close()
	s.receiving.Wait()
	s.pubsub = nil
}

// receive passes on what comes, until ctx ends.
func (s *subscriber) receive(ctx context.Context, pubsub *redis.PubSub) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	tried := false
	for ctx.Err() == nil {
		in, err := pubsub.ReceiveTimeout(ctx, silence)
		if err == nil {
			tried = false
			if _, pong := in.(*redis.Pong); !pong && !s.pass(ctx, in) {
				return
			}
			continue
		}
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			if tried {
				s.pass(ctx, broken{})
				return
			}
			tried = true
			if pubsub.Ping(ctx) == nil {
				continue
			}
		}
		s.e.opts.Metrics.failed("receive")
		pause.Reset(retryAfter)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

func (s *subscriber) pass(ctx context.Context, in any) bool {
	select {
	case s.incoming <- in:
		return true
	case <-ctx.Done():
		return false
	}
}

// reload has a Cluster's map read again: what did not answer may have moved.
func (e *Edge) reload(ctx context.Context) {
	if cluster, ok := e.opts.Redis.(*redis.ClusterClient); ok {
		cluster.ReloadState(ctx)
	}
}
