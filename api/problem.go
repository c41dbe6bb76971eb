package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/swapcast/swapcast/quote"
)

// The codes of problems. Clients branch on them: they may be added to, never
// renamed.
const (
	CodeNotFound         = "not_found"          // 404: no such path
	CodeMethodNotAllowed = "method_not_allowed" // 405: this path is read only
	CodeBadParameter     = "bad_parameter"      // 400: "parameter" names it
	CodeInvalidAsset     = "invalid_asset"      // 400: no base58 of 32 bytes
	CodeTooManyAssets    = "too_many_assets"    // 400: over MaxAssets in one request
	CodeUnknownAsset     = "unknown_asset"      // 404: a mint that has not traded here
	CodeNotImplemented   = "not_implemented"    // 501: in the contract, not in this version
	CodeNotReady         = "not_ready"          // 503: "detail" says why
	CodeNoRoute          = "no_route"           // 404: no source knows a way from mint to mint
	CodeNoQuote          = "no_quote"           // 502, 504 at the deadline: every source failed

	CodeTooManyWallets = "too_many_wallets" // 503: no room to follow another wallet

	// Of swaps and transactions.
	CodeBadKey             = "bad_key"             // 401: no valid API key, where the server asks for one
	CodeBodyTooLarge       = "body_too_large"      // 413: over MaxBody
	CodeBadBody            = "bad_body"            // 400: no JSON, or another object
	CodePrivateKey         = "private_key"         // 400: the body holds what nobody else may have
	CodeInvalidWallet      = "invalid_wallet"      // 400: no base58 of 32 bytes
	CodeNoSwap             = "no_swap"             // 502: no source made a transaction
	CodeSwapRefused        = "swap_refused"        // 502: a source made one that is not what it should be
	CodeQuoteRefused       = "quote_refused"       // 422: the chosen quote does not count: it contradicts itself or our market
	CodeBadTransaction     = "bad_transaction"     // 400: no transaction, or not signed by all
	CodeNotSent            = "not_sent"            // 502: no node took it
	CodeUnknownTransaction = "unknown_transaction" // 404: not one that this run forwarded
)

// problem is an error as clients see it (RFC 9457). Its type is always
// "about:blank": Code is what tells problems apart.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"` // the status in words
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`    // one sentence for a person
	Param  string `json:"parameter,omitempty"` // the parameter at fault

	// Of a quote that there is none of: what became of each source.
	Sources   []quote.Result `json:"sources,omitempty"`
	ElapsedMS *int64         `json:"elapsedMs,omitempty"`
}

// statuses is the one table from code to HTTP status.
//
//nolint:gochecknoglobals // a constant table
var statuses = map[string]int{
	CodeNotFound:         http.StatusNotFound,
	CodeMethodNotAllowed: http.StatusMethodNotAllowed,
	CodeBadParameter:     http.StatusBadRequest,
	CodeInvalidAsset:     http.StatusBadRequest,
	CodeTooManyAssets:    http.StatusBadRequest,
	CodeUnknownAsset:     http.StatusNotFound,
	CodeNotImplemented:   http.StatusNotImplemented,
	CodeNotReady:         http.StatusServiceUnavailable,
	CodeNoRoute:          http.StatusNotFound,
	CodeNoQuote:          http.StatusBadGateway,
	CodeTooManyWallets:   http.StatusServiceUnavailable,

	CodeBadKey:             http.StatusUnauthorized,
	CodeBodyTooLarge:       http.StatusRequestEntityTooLarge,
	CodeBadBody:            http.StatusBadRequest,
	CodePrivateKey:         http.StatusBadRequest,
	CodeInvalidWallet:      http.StatusBadRequest,
	CodeNoSwap:             http.StatusBadGateway,
	CodeQuoteRefused:       http.StatusUnprocessableEntity,
	CodeSwapRefused:        http.StatusBadGateway,
	CodeBadTransaction:     http.StatusBadRequest,
	CodeNotSent:            http.StatusBadGateway,
	CodeUnknownTransaction: http.StatusNotFound,
}

// newProblem fills in what follows from the code.
func newProblem(code, param, detail string) *problem {
	status := statuses[code]
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Param: param}
}

// writeProblem answers with p.
func writeProblem(w http.ResponseWriter, p *problem) {
	writeJSON(w, p.Status, "application/problem+json", p)
}

// writeJSON answers with v, whole and uncached. The structs of this package
// always encode: a failure is a bug and shows as an empty 500.
func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	body = append(body, '\n')
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(body)
}

// maxEcho bounds how much of a bad value an answer repeats.
const maxEcho = 64

// echo returns s as an answer may repeat it: valid UTF-8, at most maxEcho bytes.
func echo(s string) string {
	if len(s) > maxEcho {
		s = s[:maxEcho] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
