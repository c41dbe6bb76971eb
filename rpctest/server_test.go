package rpctest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/rpc"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/rpctest"
)

const firstSlot = 1000

// simulated plays slots of the built-in market, of which every tenth is left out
// as if it had been skipped, into a Recorder.
func simulated(t testing.TB, slots int, o rpctest.RecorderOptions) (*rpctest.Recorder, map[uint64][]*pb.SubscribeUpdateTransactionInfo, *sim.Truth) {
	t.Helper()
	market, err := sim.New(sim.Options{Seed: 5, TPS: 100, StartSlot: firstSlot, Truth: true, Launches: 120})
	if err != nil {
		t.Fatal(err)
	}
	chain := rpctest.NewRecorder(o)
	src := chain.Tap(market)
	truth := make(map[uint64][]*pb.SubscribeUpdateTransactionInfo)
	for {
		u, err := src.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if tx := u.GetTransaction(); tx != nil {
			truth[tx.GetSlot()] = append(truth[tx.GetSlot()], tx.GetTransaction())
		}
		if s := u.GetSlot(); s.GetStatus() == pb.SlotStatus_SLOT_FINALIZED && s.GetSlot() >= firstSlot+uint64(slots) {
			return chain, truth, market.Truth()
		}
	}
}

// TestSimulatedMarket asks for every block of a simulated chain through
// solana-go's client over a socket, and for some of everything else.
func TestSimulatedMarket(t *testing.T) {
	chain, truth, _ := simulated(t, 30, rpctest.RecorderOptions{})
	s := newServer(t, rpctest.Options{Store: chain})
	server := httptest.NewServer(s)
	defer server.Close()
	client := rpc.New(server.URL)
	defer client.Close()
	ctx := t.Context()

	newest, err := client.GetSlot(ctx, rpc.CommitmentConfirmed)
	if err != nil || newest < firstSlot+29 {
		t.Fatalf("slot %d, %v", newest, err)
	}
	blocks, err := client.GetBlocks(ctx, firstSlot, &newest, rpc.CommitmentConfirmed)
	if err != nil || len(blocks) < 25 {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	for _, slot := range blocks {
		b, err := client.GetBlockWithOpts(ctx, slot, &rpc.GetBlockOpts{
			Encoding: solana.EncodingBase64, Commitment: rpc.CommitmentConfirmed, MaxSupportedTransactionVersion: &rpc.MaxSupportedTransactionVersion1,
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Transactions) != len(truth[slot]) {
			t.Errorf("slot %d: %d transactions, want %d", slot, len(b.Transactions), len(truth[slot]))
		}
		for i := range b.Transactions {
			tx, err := b.Transactions[i].GetTransaction()
			if err != nil {
				t.Fatal(err)
			}
			if string(tx.Signatures[0][:]) != string(truth[slot][i].GetSignature()) {
				t.Fatalf("slot %d: transaction %d is another", slot, i)
			}
		}
	}
	sig := solana.Signature(truth[blocks[3]][2].GetSignature())
	tx, err := client.GetTransaction(ctx, sig, &rpc.GetTransactionOpts{Commitment: rpc.CommitmentConfirmed, MaxSupportedTransactionVersion: &rpc.MaxSupportedTransactionVersion1})
	if err != nil || tx.Slot != blocks[3] {
		t.Errorf("getTransaction: %+v, %v", tx, err)
	}
	if _, err := client.GetTransaction(ctx, solana.Signature{1}, &rpc.GetTransactionOpts{Commitment: rpc.CommitmentConfirmed}); !errors.Is(err, rpc.ErrNotFound) {
		t.Errorf("an unknown transaction: %v", err)
	}
	if health, err := client.GetHealth(ctx); health != "ok" || err != nil {
		t.Errorf("health %q, %v", health, err)
	}
	if _, err := client.GetVersion(ctx); err != nil {
		t.Error(err)
	}
	if _, err := client.GetGenesisHash(ctx); err != nil {
		t.Error(err)
	}
	if first, err := client.GetFirstAvailableBlock(ctx); err != nil || first != firstSlot {
		t.Errorf("first block %d, %v", first, err)
	}
	limited, err := client.GetBlocksWithLimit(ctx, blocks[2], 5, rpc.CommitmentConfirmed)
	if err != nil || !slices.Equal(*limited, rpc.BlocksResult(blocks[2:7])) {
		t.Errorf("getBlocksWithLimit: %v, %v", limited, err)
	}
}

// TestBalances holds what the node says of owners against what the market knows.
func TestBalances(t *testing.T) {
	chain, _, truth := simulated(t, 30, rpctest.RecorderOptions{})
	s := newServer(t, rpctest.Options{Store: chain})
	type holding struct{ owner, mint solana.PublicKey }
	tokens, lamports := make(map[holding]uint64), make(map[solana.PublicKey]uint64)
	confirmed := chain.Slot(swapcast.Confirmed)
	for _, b := range truth.Balances {
		if b.Slot > confirmed {
			break
		}
		if b.Native {
			lamports[b.Owner] = b.Post
		} else {
			tokens[holding{b.Owner, b.Mint}] = b.Post
		}
	}
	if len(tokens) < 50 || len(lamports) < 50 {
		t.Fatalf("only %d holdings and %d balances", len(tokens), len(lamports))
	}
	compared := 0
	for h, want := range tokens {
		result, fail := ask(t, s, "getTokenAccountsByOwner", fmt.Sprintf(`[%q,{"mint":%q},{"encoding":"base64","commitment":"processed"}]`, h.owner, h.mint))
		if fail != nil {
			t.Fatal(fail)
		}
		var rows struct {
			Value []struct {
				Account rpc.Account
			}
		}
		if err := json.Unmarshal(result, &rows); err != nil {
			t.Fatal(err)
		}
		var got uint64
		for _, row := range rows.Value {
			data := row.Account.Data.GetBinary()
			got += uint64(data[64]) | uint64(data[65])<<8 | uint64(data[66])<<16 | uint64(data[67])<<24 |
				uint64(data[68])<<32 | uint64(data[69])<<40 | uint64(data[70])<<48 | uint64(data[71])<<56
		}
		if len(rows.Value) > 1 {
			continue // a pool program's authority: the market tells of the accounts that a transaction touched
		}
		if compared++; got != want {
			t.Errorf("%s of %s: %d, want %d", h.mint, h.owner, got, want)
		}
	}
	if compared < 50 {
		t.Errorf("compared only %d holdings", compared)
	}
	for owner, want := range lamports {
		result, _ := ask(t, s, "getBalance", fmt.Sprintf(`[%q,{"commitment":"processed"}]`, owner))
		var got struct{ Value uint64 }
		if err := json.Unmarshal(result, &got); err != nil || got.Value != want {
			t.Errorf("%s: %d lamports, want %d", owner, got.Value, want)
		}
	}
}

// TestLearnedMints: a token that launches in the stream has a mint account with
// its name and supply.
func TestLearnedMints(t *testing.T) {
	chain, truth, _ := simulated(t, 30, rpctest.RecorderOptions{})
	var mint solana.PublicKey
	decoder, tx := geyser.NewDecoder(), swapcast.Transaction{}
	for slot, infos := range truth {
		for _, info := range infos {
			if err := decoder.Transaction(&pb.SubscribeUpdateTransaction{Slot: slot, Transaction: info}, &tx); err != nil {
				t.Fatal(err)
			}
			for _, ins := range tx.Instructions {
				if tx.Keys[ins.Program] == solana.Token2022ProgramID && len(ins.Data) > 0 && ins.Data[0] == 20 && !tx.Failed {
					mint = tx.Keys[ins.Accounts[0]]
				}
			}
		}
	}
	if mint.IsZero() {
		t.Fatal("nothing launched")
	}
	a, ok := chain.Account(mint)
	if !ok || a.Owner != solana.Token2022ProgramID || len(a.Data) < 250 {
		t.Fatalf("no mint account: %+v", a)
	}
	if !strings.Contains(string(a.Data), "https://example.com/") {
		t.Errorf("no metadata: %q", a.Data)
	}
	supply := uint64(a.Data[36]) | uint64(a.Data[37])<<8 | uint64(a.Data[38])<<16 | uint64(a.Data[39])<<24 | uint64(a.Data[40])<<32 |
		uint64(a.Data[41])<<40 | uint64(a.Data[42])<<48
	if supply != 1_000_000_000_000_000 {
		t.Errorf("supply %d", supply)
	}
}

// chainOf makes a chain of empty blocks with the given slots, all finalized, and
// a newest slot.
func chainOf(newest uint64, slots ...uint64) *rpctest.Recorder {
	chain := rpctest.NewRecorder(rpctest.RecorderOptions{})
	for _, slot := range slots {
		chain.Add(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_BlockMeta{BlockMeta: &pb.SubscribeUpdateBlockMeta{Slot: slot}}}, confirm(slot))
	}
	chain.Add(confirm(newest))
	return chain
}

// versioned makes a block of one transaction of the given version.
func versioned(slot uint64, version int) []*pb.SubscribeUpdate {
	m := &pb.Message{
		Header: &pb.MessageHeader{NumRequiredSignatures: 1}, AccountKeys: [][]byte{make([]byte, 32)},
		RecentBlockhash: make([]byte, 32), Versioned: version >= 0,
	}
	if version == 1 {
		price, limit := uint64(7), uint32(1_400_000)
		geyser.MarkV1(m, &solana.TransactionConfig{PriorityFee: &price, ComputeUnitLimit: &limit})
	}
	sig := make([]byte, 64)
	sig[0], sig[1] = byte(slot), byte(version)
	info := &pb.SubscribeUpdateTransactionInfo{
		Signature: sig, Transaction: &pb.Transaction{Signatures: [][]byte{sig}, Message: m},
		Meta: &pb.TransactionStatusMeta{PreBalances: []uint64{5}, PostBalances: []uint64{4}, ReturnDataNone: true},
	}
	return []*pb.SubscribeUpdate{
		{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: &pb.SubscribeUpdateTransaction{Slot: slot, Transaction: info}}},
		confirm(slot),
	}
}

// TestVersions: a transaction of a higher version than is supported fails its
// block, and only getTransaction of itself.
func TestVersions(t *testing.T) {
	for version := -1; version <= 1; version++ {
		chain := rpctest.NewRecorder(rpctest.RecorderOptions{})
		updates := versioned(50, version)
		chain.Add(updates...)
		s := newServer(t, rpctest.Options{Store: chain})
		want := updates[0].GetTransaction()
		for _, encoding := range []string{"base64", "json"} {
			for max := -1; max <= 1; max++ {
				param := ""
				if max >= 0 {
					param = fmt.Sprintf(`,"maxSupportedTransactionVersion":%d`, max)
				}
				result, fail := ask(t, s, "getBlock", fmt.Sprintf(`[50,{"encoding":%q%s}]`, encoding, param))
				if ok := version <= max; ok != (fail == nil) || !ok && fail.Code != -32015 {
					t.Errorf("version %d asked with %d: %+v", version, max, fail)
				} else if ok && max >= 0 {
					got := importAll(t, result)[0].GetTransaction()
					if got.Slot = want.GetSlot(); !proto.Equal(got, want) { // blocks do not say their slot
						t.Errorf("version %d in %s: got %v, want %v", version, encoding, got, want)
					}
				}
				sig := solana.Signature(want.GetTransaction().GetSignature())
				if _, fail := ask(t, s, "getTransaction", fmt.Sprintf(`[%q,{"encoding":%q%s}]`, sig, encoding, param)); (version <= max) != (fail == nil) {
					t.Errorf("getTransaction: version %d asked with %d: %+v", version, max, fail)
				}
			}
		}
	}
}

// TestBlockErrors gives each of Agave's answers about a block that is not there.
func TestBlockErrors(t *testing.T) {
	chain := chainOf(20, 10, 11, 13, 20)
	for name, c := range map[string]struct {
		o    rpctest.Options
		slot int
		conf string
		code int
	}{
		"there":                {slot: 13},
		"skipped":              {slot: 12, code: -32007},
		"skipped, in archive":  {slot: 12, o: rpctest.Options{LongTermStorage: true}, code: -32009},
		"not yet":              {slot: 21, code: -32004},
		"not yet at this node": {slot: 20, o: rpctest.Options{Lag: 1}, code: -32004},
		"cleaned up":           {slot: 9, code: -32001},
		"at processed":         {slot: 13, conf: `,{"commitment":"processed"}`, code: -32602},
		"behind":               {slot: 13, conf: `,{"commitment":"confirmed","minContextSlot":21}`, code: -32016},
		"no such commitment":   {slot: 13, conf: `,{"commitment":"max"}`, code: -32602},
		"no such encoding":     {slot: 13, conf: `,{"encoding":"jsonParsed"}`, code: 0}, // an empty block has none to encode
		"no such details":      {slot: 13, conf: `,{"transactionDetails":"accounts"}`, code: -32602},
	} {
		c.o.Store = chain
		_, fail := ask(t, newServer(t, c.o), "getBlock", fmt.Sprintf(`[%d%s]`, c.slot, c.conf))
		if (c.code == 0) != (fail == nil) || fail != nil && fail.Code != c.code {
			t.Errorf("%s: %+v, want %d", name, fail, c.code)
		}
	}
	s := newServer(t, rpctest.Options{Store: chain, Lag: 1})
	if result, _ := ask(t, s, "getBlocks", `[9,30]`); string(result) != "[10,11,13]" {
		t.Errorf("getBlocks of a node that is one slot behind: %s", result)
	}
	if _, fail := ask(t, s, "getBlocks", `[0,500001]`); fail != nil {
		t.Errorf("beyond the newest, a range is cut: %+v", fail)
	}
	s.SetLag(200)
	if _, fail := ask(t, s, "getHealth", `[]`); fail == nil || fail.Code != -32005 {
		t.Errorf("health of a node that is far behind: %+v", fail)
	}
}

// TestBounds: old blocks go, with what is known of their transactions.
func TestBounds(t *testing.T) {
	chain := rpctest.NewRecorder(rpctest.RecorderOptions{MaxBlocks: 3})
	for slot := uint64(60); slot < 70; slot++ {
		chain.Add(versioned(slot, -1)...)
	}
	if first := chain.FirstBlock(); first != 67 {
		t.Errorf("first block %d, want 67", first)
	}
	old, young := solana.Signature{0: 62, 1: 0xff}, solana.Signature{0: 68, 1: 0xff}
	if _, ok := chain.Transaction(old); ok {
		t.Error("a transaction outlived its block")
	}
	if at, ok := chain.Transaction(young); !ok || at.Slot != 68 {
		t.Error("a kept transaction is not found")
	}
	chain.Add(versioned(61, -1)...)
	if chain.FirstBlock() != 67 {
		t.Error("a slot that was let go came back")
	}
	small := rpctest.NewRecorder(rpctest.RecorderOptions{MaxBytes: 1})
	for slot := uint64(60); slot < 70; slot++ {
		small.Add(versioned(slot, -1)...)
	}
	if first := small.FirstBlock(); first != 69 {
		t.Errorf("bounded by bytes: first block %d, want 69", first)
	}
}

// TestForks: a slot that died is skipped, unless another version was confirmed.
func TestForks(t *testing.T) {
	banked := rpctest.NewRecorder(rpctest.RecorderOptions{})
	for bank, version := range map[uint64]int{8: -1, 9: 0} {
		update := versioned(80, version)[0]
		geyser.SetBank(update, bank)
		banked.Add(update)
	}
	sure := confirm(80)
	geyser.SetBank(sure, 9)
	banked.Add(sure)
	late := versioned(80, 1)[0]
	geyser.SetBank(late, 8)
	banked.Add(late) // of the bank that lost
	if b := banked.Block(80); b == nil || len(b.Infos) != 1 || b.Infos[0].GetSignature()[1] != 0 {
		t.Errorf("two banks in a slot: %+v", b)
	}
	if _, ok := banked.Transaction(solana.Signature{0: 80, 1: 0xff}); ok {
		t.Error("a transaction of the other bank is found")
	}

	chain := rpctest.NewRecorder(rpctest.RecorderOptions{})
	dead := &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{Slot: 71, Status: pb.SlotStatus_SLOT_DEAD}}}
	chain.Add(versioned(70, -1)...)
	chain.Add(versioned(71, -1)[0], dead)
	chain.Add(versioned(72, -1)[0])
	chain.Add(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{Slot: 72, Status: pb.SlotStatus_SLOT_DEAD}}})
	chain.Add(versioned(72, 0)...)
	chain.Add(confirm(73))
	s := newServer(t, rpctest.Options{Store: chain})
	if _, fail := ask(t, s, "getBlock", `[71]`); fail == nil || fail.Code != -32007 {
		t.Errorf("a dead slot: %+v", fail)
	}
	if b := chain.Block(72); b == nil || len(b.Infos) != 1 || b.Infos[0].GetSignature()[1] != 0 {
		t.Errorf("the version that lives: %+v", b)
	}
	if _, ok := chain.Transaction(solana.Signature{0: 71, 1: 0xff}); ok {
		t.Error("a transaction of a dead slot is found")
	}
}

// TestAddresses pages through both methods and wants the same as the ground
// truth says.
func TestAddresses(t *testing.T) {
	chain, truth, _ := simulated(t, 20, rpctest.RecorderOptions{})
	paid := make(map[solana.PublicKey]int)
	var wallet solana.PublicKey // the busiest
	for _, infos := range truth {
		for _, info := range infos {
			payer := solana.PublicKey(info.GetTransaction().GetMessage().GetAccountKeys()[0])
			if paid[payer]++; paid[payer] > paid[wallet] && !info.GetIsVote() {
				wallet = payer
			}
		}
	}
	var want, failedToo []string
	for slot := uint64(firstSlot); slot <= firstSlot+20; slot++ {
		for _, info := range truth[slot] {
			if slices.ContainsFunc(info.GetTransaction().GetMessage().GetAccountKeys(), func(k []byte) bool { return string(k) == string(wallet[:]) }) {
				failedToo = append(failedToo, solana.Signature(info.GetSignature()).String())
				if info.GetMeta().GetErr() == nil {
					want = append(want, solana.Signature(info.GetSignature()).String())
				}
			}
		}
	}
	if len(want) < 3 {
		t.Fatalf("the wallet did only %d things", len(want))
	}
	s := newServer(t, rpctest.Options{Store: chain, TransactionsForAddress: true})
	last := firstSlot + 20
	var got []string
	token := ""
	for range 100 {
		page := ""
		if token != "" {
			page = fmt.Sprintf(`,"paginationToken":%q`, token)
		}
		result, fail := ask(t, s, "getTransactionsForAddress", fmt.Sprintf(
			`[%q,{"sortOrder":"asc","limit":2,"transactionDetails":"full","encoding":"base64","maxSupportedTransactionVersion":1,"commitment":"confirmed","filters":{"status":"succeeded","slot":{"gte":%d,"lte":%d}}%s}]`,
			wallet, firstSlot, last, page))
		if fail != nil {
			t.Fatal(fail)
		}
		var rows struct {
			Data            []json.RawMessage
			PaginationToken *string
		}
		if err := json.Unmarshal(result, &rows); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows.Data {
			u := importAll(t, row)[0].GetTransaction()
			got = append(got, solana.Signature(u.GetTransaction().GetSignature()).String())
		}
		if rows.PaginationToken == nil {
			break
		}
		token = *rows.PaginationToken
	}
	if !slices.Equal(got, want) {
		t.Errorf("getTransactionsForAddress: %v, want %v", got, want)
	}
	got = nil
	for before := ""; ; {
		page := ""
		if before != "" {
			page = fmt.Sprintf(`,"before":%q`, before)
		}
		result, fail := ask(t, s, "getSignaturesForAddress", fmt.Sprintf(`[%q,{"limit":2,"commitment":"confirmed"%s}]`, wallet, page))
		if fail != nil {
			t.Fatal(fail)
		}
		var rows []struct {
			Signature string
			Slot      uint64
		}
		if err := json.Unmarshal(result, &rows); err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			if before = row.Signature; row.Slot <= uint64(last) {
				got = append(got, row.Signature)
			}
		}
	}
	slices.Reverse(got)
	if !slices.Equal(got, failedToo) {
		t.Errorf("getSignaturesForAddress: %v, want %v", got, failedToo)
	}
	off := newServer(t, rpctest.Options{Store: chain})
	if _, fail := ask(t, off, "getTransactionsForAddress", fmt.Sprintf(`[%q]`, wallet)); fail == nil || fail.Code != -32601 {
		t.Errorf("switched off: %+v", fail)
	}
}

// TestRequests: batches, and requests that are none.
func TestRequests(t *testing.T) {
	s := newServer(t, rpctest.Options{Store: chainOf(20, 10)})
	got := strings.TrimSpace(string(post(t, s, `[{"jsonrpc":"2.0","id":1,"method":"getSlot"},{"jsonrpc":"2.0","id":"b","method":"nope"}]`)))
	want := `[{"jsonrpc":"2.0","result":20,"id":1},{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"b"}]`
	if got != want {
		t.Errorf("batch: %s", got)
	}
	for _, body := range []string{"", "[]", "{", "x", `"text"`, "[" + strings.Repeat(`{"id":1},`, 100) + `{"id":1}]`} {
		if got := string(post(t, s, body)); !strings.Contains(got, "-32700") {
			t.Errorf("%.20s: %s", body, got)
		}
	}
	for method, params := range map[string]string{
		"getBlock": `["x"]`, "getBlocks": `[]`, "getTransaction": `["not a signature"]`, "getBalance": `["x"]`, "getAccountInfo": `[]`,
		"getMultipleAccounts": `["x"]`, "getTokenAccountsByOwner": `["So11111111111111111111111111111111111111112",{}]`,
		"getSignaturesForAddress": `["So11111111111111111111111111111111111111112",{"limit":1001}]`,
	} {
		if _, fail := ask(t, s, method, params); fail == nil || fail.Code != -32602 {
			t.Errorf("%s %s: %+v", method, params, fail)
		}
	}
	keys := strings.Repeat(`"So11111111111111111111111111111111111111112",`, 100)
	if _, fail := ask(t, s, "getMultipleAccounts", "[["+strings.TrimSuffix(keys, ",")+"]]"); fail != nil {
		t.Errorf("100 accounts: %+v", fail)
	}
	if _, fail := ask(t, s, "getMultipleAccounts", "[["+keys+`"So11111111111111111111111111111111111111112"]]`); fail == nil || fail.Code != -32602 {
		t.Errorf("101 accounts: %+v", fail)
	}
	if n := s.Requests("getMultipleAccounts"); n != 3 {
		t.Errorf("counted %d requests, want 3", n)
	}
}

// TestScript: faults hit the requests that they name, as often as they say.
func TestScript(t *testing.T) {
	s := newServer(t, rpctest.Options{Store: chainOf(20, 10, 11)})
	s.Script(
		rpctest.Fault{Method: "getBlock", Slot: 11, Code: -32004, Message: "not yet", Times: 2},
		rpctest.Fault{Method: "getSlot", Skip: 1, Null: true},
	)
	for i, want := range []string{"not yet", "not yet", ""} {
		if _, fail := ask(t, s, "getBlock", "[11]"); fail == nil && want != "" || fail != nil && fail.Message != want {
			t.Errorf("request %d: %+v", i, fail)
		}
		if _, fail := ask(t, s, "getBlock", "[10]"); fail != nil {
			t.Errorf("another slot is hit: %+v", fail)
		}
	}
	for i, want := range []string{"20", "null", "20"} {
		if got, _ := ask(t, s, "getSlot", "[]"); string(got) != want {
			t.Errorf("getSlot %d: %s", i, got)
		}
	}
	s.Script(rpctest.Fault{Times: -1, Null: true})
	s.ClearScript()
	if got, _ := ask(t, s, "getSlot", "[]"); string(got) != "20" {
		t.Errorf("a fault outlived its script: %s", got)
	}
}

// TestConcurrent asks while the chain grows; it is for the race detector.
func TestConcurrent(t *testing.T) {
	market, err := sim.New(sim.Options{Seed: 1, TPS: 50, StartSlot: firstSlot})
	if err != nil {
		t.Fatal(err)
	}
	chain := rpctest.NewRecorder(rpctest.RecorderOptions{MaxBlocks: 5})
	s := newServer(t, rpctest.Options{Store: chain})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		src := chain.Tap(market)
		for ctx.Err() == nil {
			if _, err := src.Next(ctx); err != nil {
				return
			}
		}
	}()
	for range 50 {
		var slot uint64
		result, _ := ask(t, s, "getSlot", `[{"commitment":"confirmed"}]`)
		if err := json.Unmarshal(result, &slot); err != nil {
			t.Error(err)
		}
		ask(t, s, "getBlock", fmt.Sprintf(`[%d,{"commitment":"confirmed","maxSupportedTransactionVersion":1}]`, slot))
		chain.Mentioning(swapcast.USDC())
	}
	cancel()
	<-done
}
