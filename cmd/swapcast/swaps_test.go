package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/swap"
)

// TestSentTransactionIsFollowed: a forwarded transaction is asked for by its payer,
// seen when the stream brings it, taken back with a slot that dies, confirmed with
// its slot, and expired where it never came.
func TestSentTransactionIsFollowed(t *testing.T) {
	r := newPipelineRig(t)
	src := rigSource("a", 1)
	payer := solana.PublicKey{7, 31: 7}
	landed, lost := solana.Signature{1}, solana.Signature{2}
	for _, sig := range []solana.Signature{landed, lost} {
		r.swaps.sent.Track(swap.State{Signature: sig, Payer: payer, LastValidBlockHeight: 500})
	}
	if f := r.filter(); len(f.Wallets) == 0 || f.Wallets[0] != payer {
		t.Errorf("asked for %v", f.Wallets)
	}
	expect := func(sig solana.Signature, want swap.Stage) {
		t.Helper()
		if s, _ := r.swaps.sent.Get(sig); s.Stage != want {
			t.Errorf("%s, want %s", s.Stage, want)
		}
	}
	r.p.handle(&geyser.Event{Kind: geyser.KindStreamStart, Endpoint: "a", Stream: 1, From: 10, ReceivedAt: r.now})
	see := func(slot uint64) {
		r.p.handle(&geyser.Event{Kind: geyser.KindTx, Endpoint: "a", Stream: 1, ReceivedAt: r.now, Tx: &swapcast.Transaction{Signature: landed, Slot: slot, InnerKnown: true, Keys: []solana.PublicKey{payer}}})
	}
	see(10)
	expect(landed, swap.StageProcessed)
	r.p.handle(&geyser.Event{Kind: geyser.KindSlot, Endpoint: "a", Stream: 1, ReceivedAt: r.now, Slot: swapcast.SlotUpdate{Slot: 10, Parent: 9, Status: swapcast.SlotDead}})
	expect(landed, swap.StageSent)
	see(11)
	r.status(src, 11, swapcast.SlotConfirmed)
	r.pass(60e9)
	expect(landed, swap.StageConfirmed)
	r.p.handle(&geyser.Event{Kind: geyser.KindBlock, Endpoint: "a", Stream: 1, ReceivedAt: r.now, Block: swapcast.BlockMeta{Slot: 12, ParentSlot: 11, BlockHeight: 600}})
	expect(lost, swap.StageExpired)
	if f := r.filter(); len(f.Wallets) != 0 {
		t.Errorf("still asked for %v", f.Wallets)
	}
}

// signedTransfer is a transaction that its payer has signed.
func signedTransfer(t *testing.T) (raw []byte, sig solana.Signature) {
	t.Helper()
	key := solana.PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	memo := solana.NewInstruction(solana.MemoProgramID, []*solana.AccountMeta{{PublicKey: key.PublicKey(), IsSigner: true}}, []byte("hello"))
	tx, err := solana.NewTransaction([]solana.Instruction{memo}, solana.Hash{5}, solana.TransactionPayer(key.PublicKey()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Sign(func(solana.PublicKey) *solana.PrivateKey { return &key }); err != nil {
		t.Fatal(err)
	}
	if raw, err = tx.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	return raw, tx.Signatures[0]
}

// TestSendTransaction forwards a signed transaction to an RPC node, says what the node
// refuses, and lets no private key further than the door.
func TestSendTransaction(t *testing.T) {
	raw, sig := signedTransfer(t)
	var refuse atomic.Bool
	var sent atomic.Value
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			ID     any
			Method string
			Params []any
		}
		_ = json.NewDecoder(r.Body).Decode(&q)
		reply := map[string]any{"jsonrpc": "2.0", "id": q.ID}
		switch {
		case q.Method == "getLatestBlockhash":
			reply["result"] = map[string]any{"context": map[string]any{"slot": 1}, "value": map[string]any{"blockhash": solana.Hash{1}.String(), "lastValidBlockHeight": 400}}
		case q.Method == "sendTransaction" && refuse.Load():
			reply["error"] = map[string]any{"code": -32002, "message": "Transaction simulation failed: Blockhash not found"}
		case q.Method == "sendTransaction":
			sent.Store(q.Params[0])
			reply["result"] = sig.String()
		default:
			reply["error"] = map[string]any{"code": -32601, "message": "Method not found"}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(reply)
	}))
	defer node.Close()
	s := serveForTest(t, "--source", "grpc://127.0.0.1:1", "--rpc-url", node.URL, "--rpc-rate", "1000")
	base := "http://" + s.public.Addr().String()
	post := func(path, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		status, answer, err := fetch(request)
		if err != nil {
			t.Fatal(err)
		}
		return status, string(answer)
	}
	body := fmt.Sprintf(`{"transaction":%q,"lastValidBlockHeight":9000}`, base64.StdEncoding.EncodeToString(raw))

	refuse.Store(true)
	if status, answer := post("/v1/transactions", body); status != http.StatusBadGateway || !strings.Contains(answer, "not_sent") || !strings.Contains(answer, "Blockhash not found") {
		t.Errorf("refused: %d %s", status, answer)
	}
	getBody(t, base+"/v1/transactions/"+sig.String(), http.StatusNotFound)

	refuse.Store(false)
	status, answer := post("/v1/transactions", body)
	if status != http.StatusAccepted || !strings.Contains(answer, `"status":"sent"`) || !strings.Contains(answer, sig.String()) || !strings.Contains(answer, `"lastValidBlockHeight":400`) {
		t.Errorf("%d %s", status, answer)
	}
	if sent.Load() != base64.StdEncoding.EncodeToString(raw) {
		t.Errorf("the node got %v", sent.Load())
	}
	if got := getBody(t, base+"/v1/transactions/"+sig.String(), http.StatusOK); !strings.Contains(got, `"status":"sent"`) {
		t.Error(got)
	}
	key := solana.PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if status, answer := post("/v1/transactions", `{"transaction":"`+key.String()+`"}`); status != http.StatusBadRequest || !strings.Contains(answer, "private_key") || strings.Contains(answer, key.String()) {
		t.Errorf("a private key: %d %s", status, answer)
	}
	// Nobody makes swaps here: no source has a key.
	if status, _ := post("/v1/swap", `{}`); status != http.StatusNotImplemented {
		t.Errorf("/v1/swap: %d", status)
	}
}
