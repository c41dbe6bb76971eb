package api_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/swap"
)

// testKey is a key pair that guards nothing.
func testKey() solana.PrivateKey {
	return solana.PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
}

// signed is a transaction with all signatures, and its form without any.
func signed(t *testing.T) (raw, unsigned []byte, sig solana.Signature) {
	t.Helper()
	key := testKey()
	memo := solana.NewInstruction(solana.MemoProgramID, []*solana.AccountMeta{{PublicKey: key.PublicKey(), IsSigner: true}}, []byte("x"))
	tx, err := solana.NewTransaction([]solana.Instruction{memo}, solana.Hash{5}, solana.TransactionPayer(key.PublicKey()))
	if err != nil {
		t.Fatal(err)
	}
	tx.Signatures = make([]solana.Signature, 1)
	if unsigned, err = tx.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	tx.Signatures = nil
	if _, err := tx.Sign(func(solana.PublicKey) *solana.PrivateKey { return &key }); err != nil {
		t.Fatal(err)
	}
	if raw, err = tx.MarshalBinary(); err != nil {
		t.Fatal(err)
	}
	return raw, unsigned, tx.Signatures[0]
}

// swapWorld is the API with a quote engine that asks stand-ins, and with a builder
// and a node that answer as the fields say.
type swapWorld struct {
	handler http.Handler
	err     error
	made    api.Swap
	sendErr error
	state   swap.State
	calls   int
	locked  bool // a key is asked for
}

func newSwapWorld(t *testing.T) *swapWorld {
	t.Helper()
	w := &swapWorld{}
	o := options()
	quotes := newQuoteWorld(t, nil)
	o.Quote = quotes.quote
	o.Authorized = func(r *http.Request) bool { return !w.locked || r.Header.Get("Authorization") == "Bearer k" }
	o.Swap = func(ctx context.Context, wish api.Wish) (*api.Swap, error) {
		w.calls++
		if w.err != nil {
			return nil, w.err
		}
		var answer *quote.Answer
		var err error
		if wish.Quote != nil {
			answer, err = quotes.chosen(wish.Source, wish.Quote)
		} else {
			answer, err = o.Quote(ctx, wish.Request)
		}
		if err != nil {
			return nil, err
		}
		made := w.made
		made.Answer = answer
		made.Built = &swap.Built{
			Source: "jupiter", Quote: answer.Quote, Raw: []byte{1, 2, 3}, LastValidBlockHeight: 279632475,
			Checked: &swap.Checked{Units: 300_000, Fee: 305_000, Findings: []swap.Finding{{Code: "fee_payer", Checked: true, Detail: "the user pays the fee"}}},
		}
		return &made, nil
	}
	o.Send = func(_ context.Context, raw []byte, s swap.State) (swap.State, error) {
		w.calls++
		s.Stage, s.SentAt = swap.StageSent, time.UnixMilli(1764000000123)
		w.state = s
		return s, w.sendErr
	}
	o.Transaction = func(sig solana.Signature) (swap.State, bool) { return w.state, w.state.Signature == sig }
	w.handler = api.New(o)
	return w
}

// post sends JSON and returns status, problem code and body.
func post(t *testing.T, h http.Handler, target, body string) (status int, code string, text []byte) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	var p struct{ Code string }
	if err := json.Unmarshal(recorder.Body.Bytes(), &p); err != nil {
		t.Fatalf("%s: %v in %s", target, err, recorder.Body)
	}
	return recorder.Code, p.Code, recorder.Body.Bytes()
}

func swapRequest(amount string) string {
	return `{"userPublicKey":"` + key(9).String() + `","quote":{"inputMint":"` + swapcast.NativeMintAddress + `","outputMint":"` + swapcast.USDC().String() + `","amount":` + amount + `,"slippageBps":100}}`
}

func TestSwap(t *testing.T) {
	w := newSwapWorld(t)
	w.made.Simulation = &swap.Simulation{OK: true, Known: true, InAmount: 100_000_000, OutAmount: 14_990_000, Units: 120_000, Slot: 7}
	for _, amount := range []string{`"100000000"`, `100000000`} {
		status, _, body := post(t, w.handler, "/v1/swap", swapRequest(amount))
		var got struct {
			Quote                quoteAnswer
			Source               string
			SwapTransaction      string
			LastValidBlockHeight uint64
			MaxFeeLamports       uint64
			Checks               []struct{ Code string }
			Simulation           struct {
				OK        bool
				OutAmount string
			}
		}
		if err := json.Unmarshal(body, &got); err != nil || status != http.StatusOK {
			t.Fatalf("%d %v %s", status, err, body)
		}
		if got.Quote.InAmount != "100000000" || got.Quote.SlippageBps != 100 || got.Quote.Feed != "simulated" || got.SwapTransaction != "AQID" ||
			got.LastValidBlockHeight != 279632475 || got.MaxFeeLamports != 305_000 || len(got.Checks) != 1 || !got.Simulation.OK || got.Simulation.OutAmount != "14990000" {
			t.Errorf("%s", body)
		}
	}
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{&swap.Refusal{Code: "signers", Detail: "2 must sign"}, http.StatusBadGateway, api.CodeSwapRefused},
		{&swap.SourceError{Source: "jupiter", Reason: "no connection"}, http.StatusBadGateway, api.CodeNoSwap},
		{swap.ErrNoBuilder, http.StatusBadGateway, api.CodeNoSwap},
		{&quote.NoQuoteError{NoRoute: true}, http.StatusNotFound, api.CodeNoRoute},
	} {
		w.err = c.err
		if status, code, body := post(t, w.handler, "/v1/swap", swapRequest("5")); status != c.status || code != c.code {
			t.Errorf("%v: %d %s", c.err, status, body)
		}
	}
}

func chosenRequest(source, raw string) string {
	return `{"userPublicKey":"` + key(9).String() + `","source":"` + source + `","quoteResponse":` + raw + `}`
}

// TestChosenQuote takes the quote of GET /v1/quote back as it came, with whatever
// fields its source put there, and refuses one that somebody bent.
func TestChosenQuote(t *testing.T) {
	w := newSwapWorld(t)
	var first struct {
		OutAmount     string
		QuoteResponse json.RawMessage
	}
	get(t, w.handler, quoteTarget("&slippageBps=70"), &first)
	if !strings.Contains(string(first.QuoteResponse), `"timeTaken"`) {
		t.Fatalf("%s", first.QuoteResponse)
	}
	status, _, body := post(t, w.handler, "/v1/swap", chosenRequest("jupiter", string(first.QuoteResponse)))
	var got struct {
		Feed  string
		Quote struct {
			quoteAnswer
			QuoteResponse json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d %v %s", status, err, body)
	}
	if got.Feed != "simulated" || got.Quote.Feed != "simulated" || got.Quote.OutAmount != first.OutAmount || got.Quote.SlippageBps != 70 || len(got.Quote.Sources) != 1 || got.Quote.QuoteResponse != nil {
		t.Errorf("%s", body)
	}
	bent := strings.Replace(string(first.QuoteResponse), `"otherAmountThreshold":"1`, `"otherAmountThreshold":"9`, 1)
	if status, code, body := post(t, w.handler, "/v1/swap", chosenRequest("", bent)); status != http.StatusUnprocessableEntity || code != api.CodeQuoteRefused {
		t.Errorf("%d %s", status, body)
	}
	if status, code, body := post(t, w.handler, "/v1/swap", chosenRequest("dflow", string(first.QuoteResponse))); status != http.StatusUnprocessableEntity || code != api.CodeQuoteRefused {
		t.Errorf("Jupiter's quote as DFlow's: %d %s", status, body)
	}
	w.err = swap.ErrNoBuilder
	if _, code, body := post(t, w.handler, "/v1/swap", chosenRequest("dflow", "{}")); code != api.CodeNoSwap || !strings.Contains(string(body), "asks no transactions") {
		t.Errorf("%s", body)
	}
}

// TestSwapKeys: where the server asks for keys, these paths do.
func TestSwapKeys(t *testing.T) {
	w := newSwapWorld(t)
	w.locked = true
	raw, _, sig := signed(t)
	for _, c := range []struct{ method, target, body string }{
		{http.MethodPost, "/v1/swap", swapRequest("5000000")},
		{http.MethodPost, "/v1/transactions", `{"transaction":"` + base64.StdEncoding.EncodeToString(raw) + `"}`},
		{http.MethodGet, "/v1/transactions/" + sig.String(), ""},
	} {
		for key, want := range map[string]bool{"": false, "Bearer x": false, "Bearer k": true} {
			calls := w.calls
			w.state.Signature = sig
			request := httptest.NewRequestWithContext(t.Context(), c.method, c.target, strings.NewReader(c.body))
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", key)
			recorder := httptest.NewRecorder()
			w.handler.ServeHTTP(recorder, request)
			if refused := recorder.Code == http.StatusUnauthorized && strings.Contains(recorder.Body.String(), api.CodeBadKey) && recorder.Header().Get("WWW-Authenticate") == "Bearer"; refused == want {
				t.Errorf("%s with %q: %d %s", c.target, key, recorder.Code, recorder.Body)
			}
			if !want && w.calls != calls {
				t.Errorf("%s was served without a key", c.target)
			}
		}
	}
	if response, _ := do(t, w.handler, http.MethodGet, quoteTarget("")); response.StatusCode != http.StatusOK {
		t.Errorf("a quote: %d", response.StatusCode)
	}
}

func TestTransactions(t *testing.T) {
	w := newSwapWorld(t)
	raw, unsigned, sig := signed(t)
	text := base64.StdEncoding.EncodeToString(raw)
	status, _, body := post(t, w.handler, "/v1/transactions", `{"transaction":"`+text+`","lastValidBlockHeight":"9"}`)
	if status != http.StatusAccepted || !strings.Contains(string(body), `"signature":"`+sig.String()+`","status":"sent","failed":null,"slot":null,"lastValidBlockHeight":9,"sentAt":1764000000123`) {
		t.Errorf("%d %s", status, body)
	}
	if w.state.Payer != testKey().PublicKey() {
		t.Errorf("payer %s", w.state.Payer)
	}
	w.state.Stage, w.state.Slot, w.state.Failed = swap.StageConfirmed, 77, true
	var got struct {
		Status string
		Failed *bool
		Slot   *uint64
	}
	if get(t, w.handler, "/v1/transactions/"+sig.String(), &got); got.Status != "confirmed" || got.Failed == nil || !*got.Failed || *got.Slot != 77 {
		t.Errorf("%+v", got)
	}
	checkProblem(t, w.handler, http.MethodGet, "/v1/transactions/"+solana.Signature{9}.String(), http.StatusNotFound, api.CodeUnknownTransaction, "signature")
	checkProblem(t, w.handler, http.MethodGet, "/v1/transactions/nope", http.StatusBadRequest, api.CodeBadParameter, "signature")
	checkProblem(t, w.handler, http.MethodGet, "/v1/transactions/"+testKey().String(), http.StatusBadRequest, api.CodeBadParameter, "signature")

	forged := append([]byte(nil), raw...)
	forged[5]++
	for _, bad := range []string{"", "AAAA", "%%", base64.StdEncoding.EncodeToString(unsigned), base64.StdEncoding.EncodeToString(forged), strings.Repeat("A", 3000)} {
		if status, code, body := post(t, w.handler, "/v1/transactions", `{"transaction":"`+bad+`"}`); status != http.StatusBadRequest || code != api.CodeBadTransaction {
			t.Errorf("%.20s: %d %s", bad, status, body)
		}
	}
	for err, want := range map[error]string{&api.NotSentError{Reason: "refused"}: api.CodeNotSent, api.ErrTooMany: api.CodeNotReady, errors.New("x"): api.CodeNotSent} {
		w.sendErr = err
		if _, code, body := post(t, w.handler, "/v1/transactions", `{"transaction":"`+text+`"}`); code != want {
			t.Errorf("%v: %s", err, body)
		}
	}
}

// No body with a private key is looked at any further, and none of it comes back.
func TestPrivateKeysAreRefused(t *testing.T) {
	w := newSwapWorld(t)
	secret := testKey().String()
	var list []string
	for _, b := range testKey() {
		list = append(list, string(rune('0'+b/100))+string(rune('0'+b/10%10))+string(rune('0'+b%10)))
	}
	for i := range list {
		list[i] = strings.TrimLeft(list[i], "0")
		if list[i] == "" {
			list[i] = "0"
		}
	}
	for _, body := range []string{
		secret, `{"transaction":"` + secret + `"}`, `{"userPublicKey":"` + secret + `","quote":{}}`, "[" + strings.Join(list, ",") + "]",
		`{"x":"abandon ability able about above absent absorb abstract absurd abuse access accident"}`, `{"privateKey":"x"}`,
	} {
		for _, target := range []string{"/v1/swap", "/v1/transactions"} {
			status, code, answer := post(t, w.handler, target, body)
			if status != http.StatusBadRequest || code != api.CodePrivateKey || strings.Contains(string(answer), secret[:20]) || strings.Contains(string(answer), "abandon") {
				t.Errorf("%s %.30s: %d %s", target, body, status, answer)
			}
		}
	}
	if w.calls != 0 {
		t.Errorf("%d calls", w.calls)
	}
}

func TestPostBodies(t *testing.T) {
	w := newSwapWorld(t)
	for body, want := range map[string]struct {
		code  string
		param string
	}{
		"":                          {api.CodeBadBody, ""},
		"[]":                        {api.CodeBadBody, ""},
		`{"userPublicKey":5}`:       {api.CodeBadBody, ""},
		"{}":                        {api.CodeInvalidWallet, "userPublicKey"},
		swapRequest(`"x"`):          {api.CodeBadParameter, "quote.amount"},
		swapRequest(`0`):            {api.CodeBadParameter, "quote.amount"},
		swapRequest(`null`):         {api.CodeBadParameter, "quote.amount"},
		chosenRequest("", `{}`):     {api.CodeBadParameter, "quoteResponse"},
		chosenRequest("", `5`):      {api.CodeBadParameter, "quoteResponse"},
		chosenRequest("pyth", `{}`): {api.CodeBadParameter, "source"},
		chosenRequest("", `null`):   {api.CodeBadParameter, "quote"},
		strings.Replace(swapRequest(`5`), `"quote":`, `"quoteResponse":{},"quote":`, 1): {api.CodeBadParameter, "quote"},
		strings.Repeat(" ", api.MaxBody+1):                                              {api.CodeBodyTooLarge, ""},
	} {
		_, code, text := post(t, w.handler, "/v1/swap", body)
		var p struct{ Parameter string }
		if err := json.Unmarshal(text, &p); err != nil || code != want.code || p.Parameter != want.param {
			t.Errorf("%.60s: %s", body, text)
		}
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/swap", strings.NewReader("{}"))
	request.Header.Set("Content-Type", "text/plain")
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusBadRequest {
		t.Errorf("text/plain, which a page of another site may send unasked: %d", recorder.Code)
	}
	for _, target := range []string{"/v1/swap", "/v1/transactions"} {
		response := checkProblem(t, w.handler, http.MethodGet, target, http.StatusMethodNotAllowed, api.CodeMethodNotAllowed, "")
		if response.Header.Get("Allow") != "POST, OPTIONS" {
			t.Errorf("Allow %q", response.Header.Get("Allow"))
		}
		if preflight, _ := do(t, w.handler, http.MethodOptions, target); preflight.StatusCode != http.StatusNoContent || preflight.Header.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type" {
			t.Errorf("OPTIONS %s: %v", target, preflight.Header)
		}
		if status, code, _ := post(t, api.New(options()), target, "{}"); status != http.StatusNotImplemented || code != api.CodeNotImplemented {
			t.Errorf("%s where nobody serves it: %d", target, status)
		}
	}
}

// checkSwapAnswers holds answers to POST, and bodies that are taken, against the
// document.
func checkSwapAnswers(t *testing.T, s schemas, covered map[string]bool) {
	t.Helper()
	w := newSwapWorld(t)
	w.made.Simulation = &swap.Simulation{OK: true, Known: true, InAmount: 1, OutAmount: 2, Units: 3, Slot: 4}
	raw, _, sig := signed(t)
	var chosen struct{ QuoteResponse json.RawMessage }
	get(t, w.handler, quoteTarget(""), &chosen)
	send := `{"transaction":"` + base64.StdEncoding.EncodeToString(raw) + `","lastValidBlockHeight":5}`
	for _, c := range []struct{ path, method, target, body, status string }{
		{"/v1/swap", "post", "/v1/swap", swapRequest(`"100000000"`), "200"},
		{"/v1/swap", "post", "/v1/swap", swapRequest(`"0"`), "400"},
		{"/v1/swap", "post", "/v1/swap", chosenRequest("jupiter", string(chosen.QuoteResponse)), "200"},
		{"/v1/swap", "post", "/v1/swap", chosenRequest("jupiter", strings.Replace(string(chosen.QuoteResponse), `"otherAmountThreshold":"1`, `"otherAmountThreshold":"9`, 1)), "422"},
		{"/v1/transactions", "post", "/v1/transactions", send, "202"},
		{"/v1/transactions", "post", "/v1/transactions", `{"transaction":"AAAA"}`, "400"},
		{"/v1/transactions/{signature}", "get", "/v1/transactions/" + sig.String(), "", "200"},
		{"/v1/transactions/{signature}", "get", "/v1/transactions/" + solana.Signature{3}.String(), "", "404"},
	} {
		covered[c.path] = true
		at := "/paths/" + escapePointer(c.path) + "/" + c.method
		request := httptest.NewRequestWithContext(t.Context(), strings.ToUpper(c.method), c.target, strings.NewReader(c.body))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		w.handler.ServeHTTP(recorder, request)
		kind := recorder.Header().Get("Content-Type")
		if err := s.check(at+"/responses/"+c.status+"/content/"+escapePointer(kind)+"/schema", recorder.Body.Bytes()); err != nil {
			t.Errorf("%s: %v\n%s", c.target, err, recorder.Body)
		}
		if c.body == "" {
			continue
		}
		if err := s.check(at+"/requestBody/content/application~1json/schema", []byte(c.body)); err != nil {
			t.Errorf("body of %s: %v", c.target, err)
		}
	}
}
