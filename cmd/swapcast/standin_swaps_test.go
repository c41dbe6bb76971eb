package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote/quotetest"
)

// postJSON makes one POST and reads the answer.
func postJSON(t *testing.T, url, body, key string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	status, answer, err := fetch(request)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

// TestServeSwapsWithStandIns: with the built-in market a quote becomes a transaction
// that is checked, simulated and said to be made up; both of a quote that was chosen
// before and of the best one now; and one that is not honest is held back.
func TestServeSwapsWithStandIns(t *testing.T) {
	s := serveForTest(t, "--source", "market:?seed=5&tps=200")
	base := "http://" + s.public.Addr().String()
	user := solana.PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))).PublicKey()
	askQuote(t, base)
	url := base + "/v1/quote?inputMint=" + swapcast.NativeMintAddress + "&outputMint=" + swapcast.USDC().String() + "&amount=100000000&slippageBps=80"
	var chosen struct {
		Source, Feed, OutAmount string
		QuoteResponse           json.RawMessage
	}
	for deadline := time.Now().Add(60 * time.Second); chosen.Source != "jupiter" && chosen.Source != "dflow"; time.Sleep(50 * time.Millisecond) {
		if err := json.Unmarshal([]byte(getBody(t, url, http.StatusOK)), &chosen); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal(chosen)
		}
	}
	for what, body := range map[string]string{
		"chosen": `{"userPublicKey":"` + user.String() + `","source":"` + chosen.Source + `","quoteResponse":` + string(chosen.QuoteResponse) + `}`,
		"best":   `{"userPublicKey":"` + user.String() + `","quote":{"inputMint":"` + swapcast.NativeMintAddress + `","outputMint":"` + swapcast.USDC().String() + `","amount":100000000,"slippageBps":80}}`,
	} {
		status, answer := postJSON(t, base+"/v1/swap", body, "")
		var got struct {
			Feed, SwapTransaction string
			Quote                 struct{ OutAmount string }
			Simulation            *struct {
				OK                  bool
				InAmount, OutAmount string
			}
		}
		if err := json.Unmarshal(answer, &got); err != nil || status != http.StatusOK || got.Feed != "simulated" || got.Simulation == nil {
			t.Fatalf("%s: %d %v %s", what, status, err, answer)
		}
		if !got.Simulation.OK || got.Simulation.InAmount != "100000000" || got.Simulation.OutAmount != got.Quote.OutAmount || what == "chosen" && got.Quote.OutAmount != chosen.OutAmount {
			t.Errorf("%s: %s", what, answer)
		}
		raw, err := base64.StdEncoding.DecodeString(got.SwapTransaction)
		if err != nil {
			t.Fatal(err)
		}
		if tx, err := solana.TransactionFromBytes(raw); err != nil || tx.Message.AccountKeys[0] != user {
			t.Errorf("%s: %v", what, err)
		}
	}
	source := map[string]*quotetest.Service{"jupiter": s.quotes.standIns.services.Jupiter, "dflow": s.quotes.standIns.services.DFlow}[chosen.Source]
	source.Set(quotetest.Drain)
	body := `{"userPublicKey":"` + user.String() + `","source":"` + chosen.Source + `","quoteResponse":` + string(chosen.QuoteResponse) + `}`
	if status, answer := postJSON(t, base+"/v1/swap", body, ""); status != http.StatusBadGateway || !strings.Contains(string(answer), "swap_refused") {
		t.Errorf("%d %s", status, answer)
	}
	if text := getBody(t, "http://"+s.admin.Addr().String()+"/metrics", http.StatusOK); !strings.Contains(text, `swapcast_swap_refused_total{code="instruction",source="`+chosen.Source+`"} 1`) || !strings.Contains(text, `swapcast_swap_simulations_total{outcome="ok"} 2`) {
		t.Error("the metrics say nothing of the swaps")
	}
	if status, answer := postJSON(t, base+"/v1/transactions", "{}", ""); status != http.StatusNotImplemented {
		t.Errorf("forwarded on a simulated chain: %d %s", status, answer)
	}
}

// TestSwapsWantAKey: a server with API keys asks for one before it makes or forwards a
// transaction, as /ws does, and not for a quote. A chain that nothing is known of yet
// is not called the real one.
func TestSwapsWantAKey(t *testing.T) {
	hash := sha256.Sum256([]byte("open sesame"))
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("somebody "+hex.EncodeToString(hash[:])+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	market := &quotetest.Fixed{Tokens: map[solana.PublicKey]quotetest.Token{swapcast.NativeMint(): {USD: 150, Decimals: 9}, swapcast.USDC(): {USD: 1, Decimals: 6}}}
	market.Head.Store(1_000)
	stand, err := openStandIns(t.Context(), "test", "127.0.0.1:0", market)
	if err != nil {
		t.Fatal(err)
	}
	runForTest(t, stand.serve)
	s := serveForTest(t, "--source", "grpc://127.0.0.1:1", "--api-keys-file", file, "--jupiter-url", stand.url+"/jupiter", "--dflow-url", "off", "--pyth-url", "off")
	base := "http://" + s.public.Addr().String()
	if got := askQuote(t, base); got.Feed != "unknown" || got.Source != "jupiter" {
		t.Errorf("%+v", got)
	}
	body := `{"userPublicKey":"` + solana.PublicKey{9}.String() + `","quote":{"inputMint":"` + swapcast.NativeMintAddress + `","outputMint":"` + swapcast.USDC().String() + `","amount":"5000000"}}`
	for key, want := range map[string]int{"": http.StatusUnauthorized, "open barley": http.StatusUnauthorized, "open sesame": http.StatusOK} {
		if status, answer := postJSON(t, base+"/v1/swap", body, key); status != want || status == http.StatusOK && !strings.Contains(string(answer), `"notSimulated":"this server has no --rpc-url"`) {
			t.Errorf("%q: %d %s", key, status, answer)
		}
	}
	getBody(t, base+"/v1/transactions/"+solana.Signature{1}.String(), http.StatusUnauthorized)
	if status, _ := postJSON(t, base+"/v1/transactions", "{}", ""); status != http.StatusUnauthorized {
		t.Errorf("/v1/transactions: %d", status)
	}
}
