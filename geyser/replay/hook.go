package replay

import (
	"context"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
)

// Stream names one Subscribe stream to a Sink.
type Stream struct {
	// Context ends with the stream: a Sink that waits must watch it.
	Context context.Context //nolint:containedctx // it is the stream's lifetime, handed over at its start
	// ID counts the server's streams from 1.
	ID uint64
	// Peer is the client's address as grpc gives it.
	Peer string
}

// Message is one message on its way to a client.
type Message struct {
	Slot    uint64
	Filters []string // names that matched; reused after Send returns
	// Body is the encoded SubscribeUpdate without its filters. It is shared
	// with other streams: a Sink that alters it makes its own copy.
	Body []byte

	kind kind
}

// Sink is the one interface through which everything leaves on a stream. The
// server's own sink ends at the socket; Options.Wrap may put another before
// it, which can delay, drop, repeat, reorder or alter messages and answer or
// end streams as it likes.
//
// Request is called from the goroutine that reads the client's requests, Send
// from the one that writes, End from the handler: End may come while a Send is
// still held up.
type Sink interface {
	// Request sees each request before it is looked at. An error ends the
	// stream with it.
	Request(*pb.SubscribeRequest) error
	// Send passes one message on. An error ends the stream with it.
	Send(*Message) error
	// End is called once with the reason why the stream ends (nil: OK) and
	// returns the error that the client is given.
	End(error) error
}

// socketSink is the last Sink.
type socketSink struct {
	stream pb.Geyser_SubscribeServer
	out    pb.SubscribeUpdate // reused: SendMsg encodes before it returns
}

func (*socketSink) Request(*pb.SubscribeRequest) error { return nil }

func (*socketSink) End(err error) error { return err }

// Send lets the standard codec write the filters and copy the shared body
// behind them: bytes that are set as unknown fields are encoded as they are.
// So one encoding serves every subscriber with any *grpc.Server.
func (s *socketSink) Send(m *Message) error {
	s.out.Filters = m.Filters
	s.out.ProtoReflect().SetUnknown(m.Body)
	return s.stream.Send(&s.out)
}
