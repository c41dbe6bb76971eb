package geyser

import (
	"context"
	"crypto/tls"
	"slices"
	"strconv"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// filterName and walletsName begin the names of our filters in the request;
// servers echo them with each update. Hosts limit their length (128 bytes at
// most).
const (
	filterName  = "swapcast"
	walletsName = "swapcast-wallets"
)

// maxMessage is the largest message that is taken. Blocks exceed gRPC's
// default of 4 MiB easily, and nothing that we ask for comes near this.
const maxMessage = 1 << 30

// subscribeRequest asks for the transactions of a share, for every status of
// every slot and for block metas. It replaces what was asked before on the
// stream. As few filters of each type as possible: the sample config that most
// hosts start from allows one. It is nil where the keys have been divided anew
// since: the stream is about to be ended then.
func (p *plan) subscribeRequest(part int, division uint64) *pb.SubscribeRequest {
	no, yes := false, true
	processed := pb.CommitmentLevel_PROCESSED
	p.mu.Lock()
	defer p.mu.Unlock()
	if division != p.division {
		return nil
	}
	var s share
	if part < len(p.shares) { // else it is about to be ended
		s = p.shares[part]
	}
	return &pb.SubscribeRequest{
		Transactions: p.filters(s),
		Slots: map[string]*pb.SubscribeRequestFilterSlots{
			// Without filter_by_commitment all three commitments are reported,
			// with interslot_updates the stages before them too.
			filterName: {FilterByCommitment: &no, InterslotUpdates: &yes},
		},
		BlocksMeta: map[string]*pb.SubscribeRequestFilterBlocksMeta{filterName: {}},
		Commitment: &processed,
	}
}

// filters are a share's transaction filters: none for a share without keys,
// which an empty list would turn into all there is. Needs mu.
func (p *plan) filters(s share) map[string]*pb.SubscribeRequestFilterTransactions {
	no := false
	switch {
	case p.unfiltered:
		return map[string]*pb.SubscribeRequestFilterTransactions{filterName: {}}
	case p.filter.Firehose:
		return map[string]*pb.SubscribeRequestFilterTransactions{filterName: {Vote: &no}}
	case !p.selects():
		return map[string]*pb.SubscribeRequestFilterTransactions{filterName: {Vote: &no, Failed: &no}}
	}
	out := make(map[string]*pb.SubscribeRequestFilterTransactions)
	if p.maxFilters == 1 && len(s.programs) > 0 && len(s.watched) > 0 {
		// One for both. Failed transactions would be mostly those of programs, and
		// far more than the others; so the fees of a wallet's are missed.
		f := &pb.SubscribeRequestFilterTransactions{Vote: &no, Failed: &no, AccountInclude: texts(s.programs, s.watched)}
		if p.byOwner() {
			matchOwners(f)
		}
		out[filterName] = f
		return out
	}
	for i, keys := range p.lists(s.programs) {
		out[numbered(filterName, i)] = &pb.SubscribeRequestFilterTransactions{Vote: &no, Failed: &no, AccountInclude: texts(keys)}
	}
	for i, keys := range p.lists(s.watched) {
		f := &pb.SubscribeRequestFilterTransactions{Vote: &no, AccountInclude: texts(keys)}
		if p.byOwner() {
			matchOwners(f)
		}
		out[numbered(walletsName, i)] = f
	}
	return out
}

// lists cuts keys into lists of the length that a filter may have. Needs mu.
func (p *plan) lists(keys []solana.PublicKey) [][]solana.PublicKey {
	if p.maxKeys == 0 {
		if len(keys) == 0 {
			return nil
		}
		return [][]solana.PublicKey{keys}
	}
	return slices.Collect(slices.Chunk(keys, p.maxKeys))
}

func numbered(name string, i int) string {
	if i == 0 {
		return name
	}
	return name + "-" + strconv.Itoa(i+1)
}

func texts(lists ...[]solana.PublicKey) (out []string) {
	for _, keys := range lists {
		for _, k := range keys {
			out = append(out, k.String())
		}
	}
	return out
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
