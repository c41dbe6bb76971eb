package replay_test

import (
	"context"
	"net"
	"strings"
	"testing"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/swapcast/swapcast/geyser/replay"
)

func TestRequestsThatAreRefused(t *testing.T) {
	type (
		txf     = pb.SubscribeRequestFilterTransactions
		accf    = pb.SubscribeRequestFilterAccounts
		cond    = pb.SubscribeRequestFilterAccountsFilter
		request = pb.SubscribeRequest
	)
	tx := func(f *txf) *request { return &request{Transactions: map[string]*txf{"f": f}} }
	acc := func(c ...*cond) *request { return &request{Accounts: map[string]*accf{"f": {Filters: c}}} }
	memcmp := func(m *pb.SubscribeRequestFilterAccountsFilterMemcmp) *cond {
		return &cond{Filter: &pb.SubscribeRequestFilterAccountsFilter_Memcmp{Memcmp: m}}
	}
	size := &cond{Filter: &pb.SubscribeRequestFilterAccountsFilter_Datasize{Datasize: 1}}
	unknown := func(m proto.Message, num protowire.Number, r *request) *request {
		m.ProtoReflect().SetUnknown(protoreflect.RawFields(protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), 9)))
		return r
	}
	f, a, b, e := &txf{}, &accf{}, &pb.SubscribeRequestFilterBlocks{}, &pb.SubscribeRequestFilterEntry{}
	top, ping, slice := &request{}, &pb.SubscribeRequestPing{}, &pb.SubscribeRequestAccountsDataSlice{}
	long := strings.Repeat("x", 129)
	const bad, missing = codes.InvalidArgument, codes.Unimplemented
	for name, c := range map[string]struct {
		request *request
		code    codes.Code
		text    string
	}{
		"include that is no key":       {tx(&txf{AccountInclude: []string{"abc"}}), bad, "failed to create filter: pubkey \"abc\""},
		"include with a character":     {tx(&txf{AccountInclude: []string{strings.Repeat("0", 44)}}), bad, "failed to create filter"},
		"include that is empty":        {tx(&txf{AccountInclude: []string{""}}), bad, "failed to create filter"},
		"include that is huge":         {tx(&txf{AccountInclude: []string{strings.Repeat("1", 100_000)}}), bad, "wrong size"},
		"exclude that is no key":       {tx(&txf{AccountExclude: []string{"abc"}}), bad, "failed to create filter"},
		"required that is no key":      {tx(&txf{AccountRequired: []string{"abc"}}), bad, "failed to create filter"},
		"signature that is none":       {tx(&txf{Signature: ptr("abc")}), bad, "failed to create filter: signature"},
		"signature that is empty":      {tx(&txf{Signature: ptr("")}), bad, "failed to create filter: signature"},
		"status filter":                {&request{TransactionsStatus: map[string]*txf{"f": {AccountInclude: []string{"!"}}}}, bad, "failed to create filter"},
		"account that is no key":       {&request{Accounts: map[string]*accf{"f": {Account: []string{"!"}}}}, bad, "failed to create filter"},
		"owner that is no key":         {&request{Accounts: map[string]*accf{"f": {Owner: []string{"!"}}}}, bad, "failed to create filter"},
		"block account that is no key": {&request{Blocks: map[string]*pb.SubscribeRequestFilterBlocks{"f": {AccountInclude: []string{"!"}}}}, bad, "failed to create filter"},
		"five conditions":              {acc(size, size, size, size, size), bad, "max 4"},
		"datasize twice":               {acc(size, size), bad, "datasize used more than once"},
		"no condition":                 {acc(&cond{}), bad, "filter should be defined"},
		"memcmp of nothing":            {acc(memcmp(&pb.SubscribeRequestFilterAccountsFilterMemcmp{})), bad, "data for memcmp should be defined"},
		"memcmp of bad base58":         {acc(memcmp(&pb.SubscribeRequestFilterAccountsFilterMemcmp{Data: &pb.SubscribeRequestFilterAccountsFilterMemcmp_Base58{Base58: "0"}})), bad, "invalid base58"},
		"memcmp of bad base64":         {acc(memcmp(&pb.SubscribeRequestFilterAccountsFilterMemcmp{Data: &pb.SubscribeRequestFilterAccountsFilterMemcmp_Base64{Base64: "?"}})), bad, "invalid base64"},
		"memcmp of too much":           {acc(memcmp(&pb.SubscribeRequestFilterAccountsFilterMemcmp{Data: &pb.SubscribeRequestFilterAccountsFilterMemcmp_Bytes{Bytes: make([]byte, 129)}})), bad, "data too large"},
		"memcmp of too much base58":    {acc(memcmp(&pb.SubscribeRequestFilterAccountsFilterMemcmp{Data: &pb.SubscribeRequestFilterAccountsFilterMemcmp_Base58{Base58: strings.Repeat("1", 176)}})), bad, "data too large"},
		"memcmp of too much base64":    {acc(memcmp(&pb.SubscribeRequestFilterAccountsFilterMemcmp{Data: &pb.SubscribeRequestFilterAccountsFilterMemcmp_Base64{Base64: strings.Repeat("A", 173)}})), bad, "data too large"},
		"no token account":             {acc(&cond{Filter: &pb.SubscribeRequestFilterAccountsFilter_TokenAccountState{}}), bad, "only allowed to be true"},
		"no lamports comparison":       {acc(&cond{Filter: &pb.SubscribeRequestFilterAccountsFilter_Lamports{}}), bad, "cmp for lamports should be defined"},
		"slices out of order":          {&request{AccountsDataSlice: []*pb.SubscribeRequestAccountsDataSlice{{Offset: 5, Length: 1}, {Offset: 1, Length: 1}}}, bad, "out of order"},
		"slices overlap":               {&request{AccountsDataSlice: []*pb.SubscribeRequestAccountsDataSlice{{Offset: 1, Length: 5}, {Offset: 3, Length: 1}}}, bad, "overlapped"},
		"slice beyond all":             {&request{AccountsDataSlice: []*pb.SubscribeRequestAccountsDataSlice{{Offset: 1 << 63, Length: 1 << 63}}}, bad, "beyond"},
		"commitment":                   {&request{Commitment: ptr(pb.CommitmentLevel(7))}, bad, "failed to create CommitmentLevel from 7"},
		"name of transactions":         {&request{Transactions: map[string]*txf{long: {}}}, bad, "oversized filter name (max allowed size 128), found 129"},
		"name of slots":                {&request{Slots: map[string]*pb.SubscribeRequestFilterSlots{long: {}}}, bad, "oversized filter name"},
		"name of accounts":             {&request{Accounts: map[string]*accf{long: {}}}, bad, "oversized filter name"},
		"name of blocks":               {&request{Blocks: map[string]*pb.SubscribeRequestFilterBlocks{long: {}}}, bad, "oversized filter name"},
		"name of blocks_meta":          {&request{BlocksMeta: map[string]*pb.SubscribeRequestFilterBlocksMeta{long: {}}}, bad, "oversized filter name"},
		"name of entry":                {&request{Entry: map[string]*pb.SubscribeRequestFilterEntry{long: {}}}, bad, "oversized filter name"},
		"token mode that is none":      {unknown(f, 30, tx(f)), bad, "invalid token_accounts mode value 9"},
		"cuckoo of transactions":       {tx(proto.CloneOf(unknownIn(&txf{}, 7))), missing, `request.transactions["f"]: field 7 (cuckoo_account_include) is not supported`},
		"cuckoo of accounts":           {unknown(a, 6, &request{Accounts: map[string]*accf{"f": a}}), missing, "field 6 (cuckoo_accounts_filter)"},
		"cuckoo of blocks":             {unknown(b, 5, &request{Blocks: map[string]*pb.SubscribeRequestFilterBlocks{"f": b}}), missing, "field 5 (cuckoo_account_include)"},
		"unknown of entry":             {unknown(e, 4, &request{Entry: map[string]*pb.SubscribeRequestFilterEntry{"f": e}}), missing, "field 4"},
		"unknown of the request":       {unknown(top, 99, top), missing, "request: field 99 is not supported"},
		"unknown of a slice":           {unknown(slice, 3, &request{AccountsDataSlice: []*pb.SubscribeRequestAccountsDataSlice{slice}}), missing, "request.accounts_data_slice[0]: field 3"},
		"unknown of a ping":            {unknown(ping, 3, &request{Ping: ping}), missing, "request.ping: field 3"},
		"token mode elsewhere":         {unknownTop(30), missing, "field 30"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := serve(t, replay.Options{Source: newGated()})
			_, err := all(open(t, client, c.request))
			wantCode(t, err, c.code, c.text)
		})
	}
}

func unknownIn[M proto.Message](m M, num protowire.Number) M {
	m.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), 9))
	return m
}

func unknownTop(num protowire.Number) *pb.SubscribeRequest {
	return unknownIn(&pb.SubscribeRequest{}, num)
}

func TestLongestNameIsTaken(t *testing.T) {
	name := strings.Repeat("n", replay.MaxFilterName)
	same(t, play(t, []*pb.SubscribeUpdate{blockMeta(5, 0)}, &pb.SubscribeRequest{
		BlocksMeta: map[string]*pb.SubscribeRequestFilterBlocksMeta{name: {}, "": {}},
	}), "meta 5 ,"+name)
}

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string                    { return "proto" }
func (rawCodec) Marshal(v any) ([]byte, error)   { return v.([]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error { *v.(*[]byte) = b; return nil }

var _ encoding.Codec = rawCodec{}

// Bytes that are no request end that stream and no other.
func TestGarbageRequests(t *testing.T) {
	l, c := serve(t, replay.Options{Source: newGated()})
	conn, err := grpc.NewClient(l.Target(), append(l.DialOptions(), grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	healthy := open(t, c, everything())
	settle(t, healthy)
	for name, b := range map[string]struct {
		bytes []byte
		code  codes.Code
	}{
		"no protobuf":            {[]byte("GET / HTTP/1.1\r\n\r\n"), codes.Internal},
		"length beyond the end":  {[]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}, codes.Internal},
		"invalid UTF-8 name":     {[]byte{0x1a, 0x04, 0x0a, 0x02, 0xff, 0xfe}, codes.Internal},
		"larger than is allowed": {make([]byte, 4<<20+1), codes.ResourceExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/geyser.Geyser/Subscribe")
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.SendMsg(b.bytes); err != nil {
				t.Fatal(err)
			}
			var got []byte
			wantCode(t, stream.RecvMsg(&got), b.code, "")
		})
	}
	settle(t, healthy)
}

func TestUnary(t *testing.T) {
	src := newGated()
	_, c := serve(t, replay.Options{Source: src, Simulated: true, Version: "v1.2.3"})
	ctx := t.Context()
	if r, err := c.Ping(ctx, &pb.PingRequest{Count: 7}); err != nil || r.GetCount() != 7 {
		t.Errorf("Ping: %v, %v", r, err)
	}
	var head metadata.MD
	v, err := c.GetVersion(ctx, &pb.GetVersionRequest{}, grpc.Header(&head))
	const want = `{"version":{"package":"swapcast","version":"v1.2.3","proto":"12.6.0","solana":"","git":"","rustc":"","buildts":""},"extra":{"hostname":null,"feed":"simulated"}}`
	if err != nil || v.GetVersion() != want {
		t.Errorf("GetVersion: %v, %v", v, err)
	}
	if feed := head.Get(replay.FeedHeader); len(feed) != 1 || feed[0] != "simulated" {
		t.Errorf("header: %v", head)
	}
	_, err = c.GetSlot(ctx, &pb.GetSlotRequest{})
	wantCode(t, err, codes.Internal, "block is not available yet")
	_, err = c.GetBlockHeight(ctx, &pb.GetBlockHeightRequest{})
	wantCode(t, err, codes.Internal, "block is not available yet")
	_, err = c.GetLatestBlockhash(ctx, &pb.GetLatestBlockhashRequest{})
	wantCode(t, err, codes.Internal, "block is not available yet")
	_, err = c.IsBlockhashValid(ctx, &pb.IsBlockhashValidRequest{})
	wantCode(t, err, codes.Internal, "block is not available yet")
	_, err = c.GetSlot(ctx, &pb.GetSlotRequest{Commitment: ptr(pb.CommitmentLevel(9))})
	wantCode(t, err, codes.InvalidArgument, "CommitmentLevel from 9")

	watch := open(t, c, everything())
	settle(t, watch)
	us := chain(100, 300, 0)
	src.put(us...)
	words(t, watch, len(us)-1)
	src.put(blockMeta(301, 0)) // its slot has not been processed
	words(t, watch, 2)
	for level, slot := range map[pb.CommitmentLevel]uint64{0: 300, 1: 298, 2: 295} {
		if r, err := c.GetSlot(ctx, &pb.GetSlotRequest{Commitment: &level}); err != nil || r.GetSlot() != slot {
			t.Errorf("GetSlot %v: %v, %v", level, r, err)
		}
		if r, err := c.GetBlockHeight(ctx, &pb.GetBlockHeightRequest{Commitment: &level}); err != nil || r.GetBlockHeight() != slot-10 {
			t.Errorf("GetBlockHeight %v: %v, %v", level, r, err)
		}
		if r, err := c.GetLatestBlockhash(ctx, &pb.GetLatestBlockhashRequest{Commitment: &level}); err != nil ||
			r.GetSlot() != slot || r.GetBlockhash() != key(slot).String() || r.GetLastValidBlockHeight() != slot-10+150 {
			t.Errorf("GetLatestBlockhash %v: %v, %v", level, r, err)
		}
		for n, want := range map[uint64]bool{slot: true, slot - 150: true, slot - 151: false, slot + 1: false, 9999: false} {
			r, err := c.IsBlockhashValid(ctx, &pb.IsBlockhashValidRequest{Blockhash: key(n).String(), Commitment: &level})
			if err != nil || r.GetValid() != want || r.GetSlot() != slot {
				t.Errorf("IsBlockhashValid of slot %d at %v: %v, %v, want %v", n, level, r, err, want)
			}
		}
	}
}

// A source without slot statuses still has a newest slot.
func TestSlotWithoutStatuses(t *testing.T) {
	src := newGated()
	_, c := serve(t, replay.Options{Source: src})
	watch := open(t, c, everything())
	settle(t, watch)
	src.put(txn(5, 0, key(1)), txn(7, 0, key(1)), txn(6, 0, key(1)))
	words(t, watch, 3)
	if r, err := c.GetSlot(t.Context(), &pb.GetSlotRequest{}); err != nil || r.GetSlot() != 7 {
		t.Errorf("GetSlot: %v, %v", r, err)
	}
}

func TestHealth(t *testing.T) {
	l, _ := serve(t, replay.Options{Source: newGated()})
	conn, err := grpc.NewClient(l.Target(), l.DialOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, service := range []string{"", "geyser.Geyser"} {
		r, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil || r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", service, r, err)
		}
	}
}

// wire counts the bytes that a client gets, packed and unpacked.
type wire struct {
	packed, plain int
	encoding      string
}

func (*wire) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*wire) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*wire) HandleConn(context.Context, stats.ConnStats)                       {}
func (w *wire) HandleRPC(_ context.Context, s stats.RPCStats) {
	switch s := s.(type) {
	case *stats.InPayload:
		w.packed, w.plain = w.packed+s.CompressedLength, w.plain+s.Length
	case *stats.InHeader:
		w.encoding = s.Compression
	}
}

func TestCompression(t *testing.T) {
	for name, c := range map[string]struct {
		server string
		client []grpc.CallOption
		want   string
	}{
		"none":                     {"", nil, ""},
		"answered as asked, gzip":  {"", []grpc.CallOption{grpc.UseCompressor(gzip.Name)}, "gzip"},
		"answered as asked, zstd":  {"", []grpc.CallOption{grpc.UseCompressor("zstd")}, "zstd"},
		"the server's choice gzip": {"gzip", nil, "gzip"},
		"the server's choice zstd": {"zstd", nil, "zstd"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want != "" && encoding.GetCompressor(c.want) == nil {
				t.Fatalf("%s is not registered", c.want)
			}
			l, err := replay.New(replay.Options{Source: &list{updates: chain(100, 120, 20)}, WaitForClient: true, EndWithSource: true, SendCompression: c.server})
			if err != nil {
				t.Fatal(err)
			}
			lis, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- l.Serve(t.Context(), lis) }()
			w := &wire{}
			conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithDefaultCallOptions(c.client...), grpc.WithStatsHandler(w))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			got, err := all(open(t, pb.NewGeyserClient(conn), everything()))
			if err != nil || len(got) != len(chain(100, 120, 20)) {
				t.Fatalf("%d updates, %v", len(got), err)
			}
			if w.encoding != c.want || (w.packed < w.plain) != (c.want != "") {
				t.Errorf("encoding %q, %d bytes for %d", w.encoding, w.packed, w.plain)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
