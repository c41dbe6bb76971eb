package geyser

import (
	"context"
	"crypto/tls"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// filterName names our filters in the request; servers echo it with each
// update. Hosts limit its length (128 bytes at most).
const filterName = "swapcast"

// maxMessage is the largest message that is taken. Blocks exceed gRPC's
// default of 4 MiB easily, and nothing that we ask for comes near this.
const maxMessage = 1 << 30

// subscribeRequest asks for the transactions of the programs, for every
// status of every slot and for block metas. One filter of each type: the
// sample config that most hosts start from allows no more.
func (o *Options) subscribeRequest() *pb.SubscribeRequest {
	no, yes := false, true
	processed := pb.CommitmentLevel_PROCESSED
	include := make([]string, 0, len(o.Programs))
	for _, p := range o.Programs {
		include = append(include, p.String())
	}
	transactions := &pb.SubscribeRequestFilterTransactions{Vote: &no, Failed: &no, AccountInclude: include}
	if o.Unfiltered {
		transactions = &pb.SubscribeRequestFilterTransactions{}
	}
	return &pb.SubscribeRequest{
		Transactions: map[string]*pb.SubscribeRequestFilterTransactions{filterName: transactions},
		Slots: map[string]*pb.SubscribeRequestFilterSlots{
			// Without filter_by_commitment all three commitments are reported,
			// with interslot_updates the stages before them too.
			filterName: {FilterByCommitment: &no, InterslotUpdates: &yes},
		},
		BlocksMeta: map[string]*pb.SubscribeRequestFilterBlocksMeta{filterName: {}},
		Commitment: &processed,
	}
}

// pingRequest changes no filter; it shows proxies that our side is alive.
func pingRequest(id int32) *pb.SubscribeRequest {
	return &pb.SubscribeRequest{Ping: &pb.SubscribeRequestPing{Id: id}}
}

// dialOptions are those of every connection.
func (o *Options) dialOptions() []grpc.DialOption {
	creds := insecure.NewCredentials()
	if o.TLS {
		creds = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	call := []grpc.CallOption{grpc.MaxCallRecvMsgSize(maxMessage)}
	if o.Compression == "" {
		call = append(call, experimental.AcceptCompressors())
	} else {
		// Some servers go by what they were told to accept, others answer in
		// the encoding of the request.
		call = append(call, experimental.AcceptCompressors(o.Compression), grpc.UseCompressor(o.Compression))
	}
	return append([]grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(call...),
		// Finds a peer that vanished without closing within half a minute,
		// whatever StaleAfter is.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 20 * time.Second, Timeout: 10 * time.Second, PermitWithoutStream: true,
		}),
		// Transactions are small and many: a wide window keeps a far server
		// sending at 100 ms of round trip.
		grpc.WithInitialWindowSize(8 << 20),
		grpc.WithInitialConnWindowSize(16 << 20),
		grpc.WithReadBufferSize(256 << 10),
	}, o.DialOptions...)
}

// withToken adds the token to the call's metadata.
func (o *Options) withToken(ctx context.Context) context.Context {
	if o.Token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "x-token", o.Token)
}
