package replay

import (
	"context"
	"encoding/json"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

//nolint:gochecknoglobals // constant error
var errNoBlock = status.Error(codes.Internal, "block is not available yet")

// unary checks the token and says in the header what is played.
func (s *Server) unary(ctx context.Context) error {
	if err := s.faults.admit(false); err != nil {
		return err
	}
	if err := s.authorize(ctx); err != nil {
		return err
	}
	s.compress(ctx)
	return grpc.SetHeader(ctx, metadata.Pairs(FeedHeader, s.feed()))
}

// Ping answers with the count that it was sent.
func (s *Server) Ping(ctx context.Context, r *pb.PingRequest) (*pb.PongResponse, error) {
	if err := s.unary(ctx); err != nil {
		return nil, err
	}
	return &pb.PongResponse{Count: r.GetCount()}, nil
}

// SubscribeReplayInfo tells the oldest slot that from_slot can ask for; none
// where from_slot is off or nothing has been played.
func (s *Server) SubscribeReplayInfo(ctx context.Context, _ *pb.SubscribeReplayInfoRequest) (*pb.SubscribeReplayInfoResponse, error) {
	if err := s.unary(ctx); err != nil {
		return nil, err
	}
	out := &pb.SubscribeReplayInfoResponse{}
	if s.opts.StoredSlots < 0 || s.faults.noReplay() {
		return out, nil
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if slot, ok := s.store.firstAvailable(); ok {
		out.FirstAvailable = &slot
	}
	return out, nil
}

// head calls answer with the newest slot and block of a commitment level.
func (s *Server) head(ctx context.Context, c pb.CommitmentLevel, answer func(*heads, level) bool) error {
	if err := s.unary(ctx); err != nil {
		return err
	}
	l, err := levelOf(c)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if !answer(&s.store.heads, l) {
		return errNoBlock
	}
	return nil
}

// GetSlot tells the newest slot of a commitment level.
func (s *Server) GetSlot(ctx context.Context, r *pb.GetSlotRequest) (*pb.GetSlotResponse, error) {
	out := &pb.GetSlotResponse{}
	err := s.head(ctx, r.GetCommitment(), func(h *heads, l level) bool {
		out.Slot = h.slot[l]
		return h.known[l]
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetBlockHeight tells the height of the newest block of a commitment level.
func (s *Server) GetBlockHeight(ctx context.Context, r *pb.GetBlockHeightRequest) (*pb.GetBlockHeightResponse, error) {
	out := &pb.GetBlockHeightResponse{}
	err := s.head(ctx, r.GetCommitment(), func(h *heads, l level) bool {
		b := h.newest[l]
		if b == nil || !b.hasHeight {
			return false
		}
		out.BlockHeight = b.height
		return true
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetLatestBlockhash tells the hash of the newest block of a commitment level.
func (s *Server) GetLatestBlockhash(ctx context.Context, r *pb.GetLatestBlockhashRequest) (*pb.GetLatestBlockhashResponse, error) {
	out := &pb.GetLatestBlockhashResponse{}
	err := s.head(ctx, r.GetCommitment(), func(h *heads, l level) bool {
		b := h.newest[l]
		if b == nil || !b.hasHeight {
			return false
		}
		out.Slot, out.Blockhash, out.LastValidBlockHeight = b.slot, b.hash, b.height+maxRecentBlockhashes
		return true
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// IsBlockhashValid tells whether the hash is one of the last blocks'.
func (s *Server) IsBlockhashValid(ctx context.Context, r *pb.IsBlockhashValidRequest) (*pb.IsBlockhashValidResponse, error) {
	out := &pb.IsBlockhashValidResponse{}
	err := s.head(ctx, r.GetCommitment(), func(h *heads, l level) bool {
		out.Slot, out.Valid = h.slot[l], h.valid(r.GetBlockhash(), l)
		return h.known[l]
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// versionInfo is the JSON of GetVersion, in the shape that the real server
// gives it; `extra.feed` is ours.
type versionInfo struct {
	Version struct {
		Package string `json:"package"`
		Version string `json:"version"`
		Proto   string `json:"proto"`
		Solana  string `json:"solana"`
		Git     string `json:"git"`
		Rustc   string `json:"rustc"`
		BuildTS string `json:"buildts"`
	} `json:"version"`
	Extra struct {
		Hostname *string `json:"hostname"`
		Feed     string  `json:"feed"`
	} `json:"extra"`
}

// protoVersion is the version of yellowstone-grpc-proto that the filters
// follow.
const protoVersion = "12.6.0"

// GetVersion tells in JSON what this server is. It does not pass for a
// validator's plugin: the package is "swapcast".
func (s *Server) GetVersion(ctx context.Context, _ *pb.GetVersionRequest) (*pb.GetVersionResponse, error) {
	if err := s.unary(ctx); err != nil {
		return nil, err
	}
	var v versionInfo
	v.Version.Package, v.Version.Version, v.Version.Proto = "swapcast", s.opts.Version, protoVersion
	v.Extra.Feed = s.feed()
	text, err := json.Marshal(v)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &pb.GetVersionResponse{Version: string(text)}, nil
}
