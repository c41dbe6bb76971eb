package api

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/swap"
)

// MaxBody is the largest request body that is read, bytes: Jupiter's greatest quotes
// are some 30 kB.
const MaxBody = 64 << 10

// Wish is a swap that a wallet wants a transaction for.
type Wish struct {
	User solana.PublicKey
	// Request is what to get a quote for; unused where Quote is there.
	Request quote.Request
	// Source and Quote are a quote that the wallet has chosen, as it came from its
	// source; Quote nil: none.
	Source string
	Quote  json.RawMessage
}

// Swap is what POST /v1/swap answers with.
type Swap struct {
	Answer *quote.Answer // of the quote that Built is of
	Built  *swap.Built
	// Simulation is nil where there was none; NotSimulated says why.
	Simulation   *swap.Simulation
	NotSimulated string
}

// NotSentError means that no node is known to have taken a transaction; its text is
// for clients.
type NotSentError struct{ Reason string }

// Error is the reason.
func (e *NotSentError) Error() string { return e.Reason }

// ErrTooMany means that no more transactions can be followed now.
var ErrTooMany = errors.New("too many transactions are followed")

// post lets POST through, answers OPTIONS and refuses the rest.
func (h *handler) post(serve func(http.ResponseWriter, *http.Request, []byte)) http.HandlerFunc {
	const methods = "POST, OPTIONS"
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			if !h.admitted(w, r) {
				return
			}
			body, p := readBody(w, r)
			if p != nil {
				writeProblem(w, p)
				return
			}
			serve(w, r, body)
		case http.MethodOptions:
			w.Header().Set("Allow", methods)
			w.Header().Set("Access-Control-Max-Age", "86400")
			Preflight(w, methods)
		default:
			w.Header().Set("Allow", methods)
			writeProblem(w, newProblem(CodeMethodNotAllowed, "", "this path takes POST alone"))
		}
	}
}

// keyed lets requests through that may make and forward transactions.
func (h *handler) keyed(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if h.admitted(w, r) {
			serve(w, r)
		}
	}
}

// admitted answers who may not, and reports who may.
func (h *handler) admitted(w http.ResponseWriter, r *http.Request) bool {
	if h.Authorized(r) {
		return true
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	writeProblem(w, newProblem(CodeBadKey, "", "no valid API key: send one as Authorization: Bearer"))
	return false
}

// readBody reads a bounded JSON body. One that holds a private key is refused before
// anything else looks at it, and no part of it is repeated.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *problem) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, newProblem(CodeBodyTooLarge, "", fmt.Sprintf("the body is larger than %d bytes", MaxBody))
	case err != nil:
		return nil, newProblem(CodeBadBody, "", "the body broke off")
	case swap.Secret(body):
		return nil, newProblem(CodePrivateKey, "", "the body holds what looks like a private key or a seed phrase. It was not kept or logged here, but it has left your machine: move what it guards. Sign on your side and send signed transactions alone")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, newProblem(CodeBadBody, "", "the body must be JSON, and Content-Type application/json")
	}
	return body, nil
}

// decodeBody reads JSON into v. The decoder's own words are kept back: they repeat
// what they stumble over.
func decodeBody(body []byte, v any) *problem {
	if err := json.Unmarshal(body, v); err != nil {
		return newProblem(CodeBadBody, "", "the body is not the JSON object that this path takes; /openapi.json shows it")
	}
	return nil
}

// number is an amount: a decimal string, as in answers, or a JSON number.
type number string

// UnmarshalJSON takes both.
func (n *number) UnmarshalJSON(text []byte) error {
	*n = number(strings.Trim(string(text), `"`))
	return nil
}

// swapBody is the body of POST /v1/swap: either what to get a quote for, or a quote
// that was chosen before.
type swapBody struct {
	UserPublicKey string     `json:"userPublicKey"`
	Quote         *quoteBody `json:"quote"`

	QuoteResponse json.RawMessage `json:"quoteResponse"`
	Source        string          `json:"source"` // of QuoteResponse
}

type quoteBody struct {
	InputMint   string `json:"inputMint"`
	OutputMint  string `json:"outputMint"`
	Amount      number `json:"amount"`
	SlippageBps number `json:"slippageBps"`
}

// makeSwap answers with an unsigned transaction for the best quote there is, or for
// the one that was chosen.
func (h *handler) makeSwap(w http.ResponseWriter, r *http.Request, body []byte) {
	if h.Swap == nil {
		notServed(w, "this server makes no transactions: neither Jupiter nor DFlow is on")
		return
	}
	wish, p := readWish(body)
	if p != nil {
		writeProblem(w, p)
		return
	}
	made, err := h.Swap(r.Context(), wish)
	if err != nil {
		writeProblem(w, swapProblem(err, wish.Quote != nil))
		return
	}
	writeJSON(w, http.StatusOK, "application/json", newSwapAnswer(h.QuoteFeed(), made))
}

func readWish(body []byte) (wish Wish, p *problem) {
	var b swapBody
	if p := decodeBody(body, &b); p != nil {
		return wish, p
	}
	var err error
	if wish.User, err = swapcast.ParseKey(b.UserPublicKey); err != nil || wish.User.IsZero() {
		return wish, newProblem(CodeInvalidWallet, "userPublicKey", "userPublicKey is not the base58 address of a wallet")
	}
	chosen := len(b.QuoteResponse) > 0 && string(b.QuoteResponse) != "null"
	switch {
	case chosen == (b.Quote != nil):
		return wish, newProblem(CodeBadParameter, "quote", "give either quote, what to get a quote for, or quoteResponse, a quote of Jupiter or DFlow as it came from there")
	case chosen:
		wish.Source, wish.Quote = b.Source, b.QuoteResponse
		if wish.Source == "" {
			wish.Source = quote.NameJupiter
		}
		return wish, nil
	}
	values := map[string][]string{"inputMint": {b.Quote.InputMint}, "outputMint": {b.Quote.OutputMint}, "amount": {string(b.Quote.Amount)}}
	if b.Quote.SlippageBps != "" {
		values["slippageBps"] = []string{string(b.Quote.SlippageBps)}
	}
	if wish.Request, p = readQuote(values); p != nil {
		p.Param = "quote." + p.Param
	}
	return wish, p
}

// swapProblem says why there is no transaction.
func swapProblem(err error, chosen bool) *problem {
	var refused *swap.Refusal
	var failed *swap.SourceError
	var doubted *quote.SourceError
	switch {
	case errors.As(err, &doubted):
		return newProblem(CodeQuoteRefused, "quoteResponse", "the quote does not count ("+doubted.Reason+"): "+doubted.Detail)
	case errors.Is(err, swap.ErrNoBuilder) && chosen:
		return newProblem(CodeNoSwap, "source", "this server asks no transactions of the quote's source")
	case errors.As(err, &refused):
		return newProblem(CodeSwapRefused, "", "the source's transaction is not handed on ("+refused.Code+"): "+refused.Detail)
	case errors.As(err, &failed):
		return newProblem(CodeNoSwap, "", failed.Error())
	case errors.Is(err, swap.ErrNoBuilder):
		return newProblem(CodeNoSwap, "", "there is a quote, and no source that makes a transaction of it")
	}
	return quoteProblem(err)
}

type swapAnswer struct {
	Feed                 swapcast.Feed   `json:"feed,omitempty"`
	Quote                withFeed        `json:"quote"`
	Source               string          `json:"source"`
	SwapTransaction      string          `json:"swapTransaction"` // base64, unsigned
	LastValidBlockHeight *uint64         `json:"lastValidBlockHeight"`
	ComputeUnitLimit     uint64          `json:"computeUnitLimit"`
	MaxFeeLamports       uint64          `json:"maxFeeLamports"`
	Checks               []swap.Finding  `json:"checks"`
	Simulation           *simulationJSON `json:"simulation"` // null: there was none
	NotSimulated         string          `json:"notSimulated,omitempty"`
}

type simulationJSON struct {
	OK            bool            `json:"ok"`
	Error         json.RawMessage `json:"error,omitempty"`
	InAmount      *string         `json:"inAmount"`
	OutAmount     *string         `json:"outAmount"`
	UnitsConsumed uint64          `json:"unitsConsumed"`
	Slot          uint64          `json:"slot"`
}

func newSwapAnswer(feed swapcast.Feed, s *Swap) swapAnswer {
	a := swapAnswer{
		Feed: feed, Quote: withFeed{feed, s.Answer, false}, Source: s.Built.Source, SwapTransaction: base64.StdEncoding.EncodeToString(s.Built.Raw),
		ComputeUnitLimit: s.Built.Checked.Units, MaxFeeLamports: s.Built.Checked.Fee, Checks: s.Built.Checked.Findings, NotSimulated: s.NotSimulated,
	}
	if s.Built.LastValidBlockHeight > 0 {
		a.LastValidBlockHeight = &s.Built.LastValidBlockHeight
	}
	if sim := s.Simulation; sim != nil {
		a.Simulation = &simulationJSON{OK: sim.OK, UnitsConsumed: sim.Units, Slot: sim.Slot}
		if sim.Error != "" {
			a.Simulation.Error = json.RawMessage(sim.Error)
		}
		if sim.Known {
			in, out := strconv.FormatUint(sim.InAmount, 10), strconv.FormatUint(sim.OutAmount, 10)
			a.Simulation.InAmount, a.Simulation.OutAmount = &in, &out
		}
	}
	return a
}

// sendBody is the body of POST /v1/transactions.
type sendBody struct {
	Transaction          string `json:"transaction"` // base64, signed
	LastValidBlockHeight number `json:"lastValidBlockHeight"`
}

// send forwards a transaction that its user has signed.
func (h *handler) send(w http.ResponseWriter, r *http.Request, body []byte) {
	if h.Send == nil {
		notServed(w, "this server forwards no transactions: it was started without --rpc-url, or its chain is not the real one")
		return
	}
	var b sendBody
	if p := decodeBody(body, &b); p != nil {
		writeProblem(w, p)
		return
	}
	raw, tx, p := readSigned(b.Transaction)
	if p != nil {
		writeProblem(w, p)
		return
	}
	state := swap.State{Signature: tx.Signatures[0], Payer: tx.Message.AccountKeys[0]}
	if b.LastValidBlockHeight != "" {
		var err error
		if state.LastValidBlockHeight, err = strconv.ParseUint(string(b.LastValidBlockHeight), 10, 64); err != nil {
			writeProblem(w, newProblem(CodeBadParameter, "lastValidBlockHeight", "lastValidBlockHeight is not a whole number"))
			return
		}
	}
	state, err := h.Send(r.Context(), raw, state)
	var not *NotSentError
	switch {
	case errors.Is(err, ErrTooMany):
		writeProblem(w, newProblem(CodeNotReady, "", "too many transactions are followed: try again"))
	case errors.As(err, &not):
		writeProblem(w, newProblem(CodeNotSent, "", not.Reason))
	case err != nil:
		writeProblem(w, newProblem(CodeNotSent, "", "no node took the transaction"))
	default:
		writeJSON(w, http.StatusAccepted, "application/json", newTransaction(state))
	}
}

// readSigned reads a transaction with every signature that it needs.
func readSigned(text string) ([]byte, *solana.Transaction, *problem) {
	wrong := func(detail string) ([]byte, *solana.Transaction, *problem) {
		return nil, nil, newProblem(CodeBadTransaction, "transaction", detail)
	}
	if len(text) > base64.StdEncoding.EncodedLen(swap.MaxBytes) {
		return wrong(fmt.Sprintf("it is larger than %d bytes", swap.MaxBytes))
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return wrong("it is no base64 of a transaction")
	}
	tx, err := solana.TransactionFromBytes(raw)
	if err != nil || len(tx.Signatures) == 0 || len(tx.Message.AccountKeys) < len(tx.Signatures) {
		return wrong("it is no transaction")
	}
	if err := tx.VerifySignatures(); err != nil {
		return wrong("it is not signed by all who must: a signature is missing or wrong")
	}
	return raw, tx, nil
}

// transactionState is what became of a transaction that this server forwarded.
func (h *handler) transactionState(w http.ResponseWriter, r *http.Request) {
	if h.Transaction == nil {
		notServed(w, "this server forwards no transactions")
		return
	}
	text := r.PathValue("signature")
	if len(text) > 88 || swap.Secret([]byte(text)) {
		writeProblem(w, newProblem(CodeBadParameter, "signature", "this is no signature"))
		return
	}
	signature, err := solana.SignatureFromBase58(text)
	if err != nil {
		writeProblem(w, newProblem(CodeBadParameter, "signature", "this is no signature: base58 of 64 bytes"))
		return
	}
	state, ok := h.Transaction(signature)
	if !ok {
		writeProblem(w, newProblem(CodeUnknownTransaction, "signature", "this server run has not forwarded it, or it ended more than ten minutes ago"))
		return
	}
	writeJSON(w, http.StatusOK, "application/json", newTransaction(state))
}

type transactionAnswer struct {
	Signature            string     `json:"signature"`
	Status               swap.Stage `json:"status"`
	Failed               *bool      `json:"failed"` // null as long as it is in no block
	Slot                 *uint64    `json:"slot"`
	LastValidBlockHeight *uint64    `json:"lastValidBlockHeight"`
	SentAt               int64      `json:"sentAt"` // Unix milliseconds
}

func newTransaction(s swap.State) transactionAnswer {
	a := transactionAnswer{Signature: s.Signature.String(), Status: s.Stage, SentAt: s.SentAt.UnixMilli()}
	if s.Slot > 0 {
		a.Slot, a.Failed = &s.Slot, &s.Failed
	}
	if s.LastValidBlockHeight > 0 {
		a.LastValidBlockHeight = &s.LastValidBlockHeight
	}
	return a
}

func notServed(w http.ResponseWriter, detail string) {
	writeProblem(w, newProblem(CodeNotImplemented, "", detail))
}
