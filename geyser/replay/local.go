package replay

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// Local is a Server within this process: clients reach it through memory, with
// the real gRPC protocol between them and no port taken.
type Local struct {
	*Server
	listener *bufconn.Listener
}

// localBuffer is the size of a connection's buffer each way.
const localBuffer = 1 << 20

// NewLocal is New for use in process.
func NewLocal(o Options) (*Local, error) {
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	return &Local{Server: s, listener: bufconn.Listen(localBuffer)}, nil
}

// Target is what a grpc client dials, together with DialOptions.
func (*Local) Target() string { return "passthrough:///swapcast-replay" }

// DialOptions lead a grpc client here instead of to the network.
func (l *Local) DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	}
}

// Run serves and plays, as Server.Run, and has closed every connection when it
// returns.
func (l *Local) Run(ctx context.Context) error {
	return l.Serve(ctx, l.listener)
}

// lastWords is how long a client may take to read what ended its stream.
const lastWords = 2 * time.Second

// Serve plays to the clients of lis, which it closes, until Run ends. It makes
// the grpc server itself; opts are added to it.
func (s *Server) Serve(ctx context.Context, lis net.Listener, opts ...grpc.ServerOption) error {
	if s.faults != nil {
		s.conns = newConns(lis)
		lis = s.conns
	}
	g := grpc.NewServer(opts...)
	s.Register(g)
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // waited for below
		err := g.Serve(lis)
		cancel()
		served <- err
	}()
	err := s.Run(ctx)
	// The handlers have returned, but their last words may not have left yet.
	hard := time.AfterFunc(lastWords, g.Stop)
	g.GracefulStop()
	hard.Stop()
	if serr := <-served; serr != nil && !errors.Is(serr, grpc.ErrServerStopped) {
		err = errors.Join(err, serr)
	}
	return err
}
