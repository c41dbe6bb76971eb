package rpctest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"

	"github.com/gagliardetto/solana-go"
)

// Options configure a Server. The zero value of each field but Store works.
type Options struct {
	Store Store
	// TransactionsForAddress switches the method on; few providers have it.
	TransactionsForAddress bool
	// Lag is how many slots behind the Store this node is.
	Lag uint64
	// LongTermStorage makes skipped slots -32009 rather than -32007, as nodes
	// answer that keep old blocks elsewhere.
	LongTermStorage bool
	GenesisHash     string // default: a made-up one
	Version         string // solana-core's; default "0.0.0-rpctest"
}

// Server answers JSON-RPC over HTTP.
type Server struct {
	// static after construction
	o Options

	lag atomic.Uint64

	// guarded by mu
	mu       sync.Mutex
	script   []*Fault
	requests map[string]int // by method
}

// New makes a Server.
func New(o Options) (*Server, error) {
	if o.Store == nil {
		return nil, errors.New("rpctest: no store")
	}
	if o.GenesisHash == "" {
		o.GenesisHash = solana.Hash{31: 1}.String() // no cluster's
	}
	if o.Version == "" {
		o.Version = "0.0.0-rpctest"
	}
	s := &Server{o: o, requests: make(map[string]int)}
	s.lag.Store(o.Lag)
	return s, nil
}

// SetLag changes Options.Lag.
func (s *Server) SetLag(slots uint64) { s.lag.Store(slots) }

// Requests counts the requests of a method so far, each of a batch by itself.
func (s *Server) Requests(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[method]
}

const (
	maxRequest = 256 << 10
	maxBatch   = 100
)

type request struct {
	Version string            `json:"jsonrpc"`
	ID      json.RawMessage   `json:"id"`
	Method  string            `json:"method"`
	Params  []json.RawMessage `json:"params"`
}

type response struct {
	Version string          `json:"jsonrpc"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
	ID      json.RawMessage `json:"id"`
}

// rpcError is an error in JSON-RPC form.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *rpcError) Error() string { return e.Message }

// ServeHTTP answers one request or one batch.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "Used HTTP Method is not allowed. POST or OPTIONS is required", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
		return
	}
	var batch []request
	single := len(bytes.TrimLeft(body, " \t\r\n")) > 0 && bytes.TrimLeft(body, " \t\r\n")[0] != '['
	if single {
		batch = make([]request, 1)
		err = json.Unmarshal(body, &batch[0])
	} else {
		err = json.Unmarshal(body, &batch)
	}
	if err != nil || len(batch) == 0 || len(batch) > maxBatch {
		writeJSON(w, response{Version: "2.0", Error: &rpcError{Code: -32700, Message: "Parse error"}, ID: json.RawMessage("null")})
		return
	}
	answers := make([]response, 0, len(batch))
	for i := range batch {
		q := &batch[i]
		s.count(q.Method)
		if f := s.due(q); f != nil {
			if f.play(w, r, q) {
				return // the fault was an answer to the whole request
			}
			if a, ok := f.answer(q); ok {
				answers = append(answers, a)
				continue
			}
		}
		answers = append(answers, s.answer(q))
	}
	if single {
		writeJSON(w, answers[0])
		return
	}
	writeJSON(w, answers)
}

func (s *Server) count(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[method]++
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that has gone does not read its answer
}

func (s *Server) answer(q *request) response {
	a := response{Version: "2.0", ID: q.ID}
	if a.ID == nil {
		a.ID = json.RawMessage("null")
	}
	result, err := s.call(q)
	if err == nil {
		if a.Result, err = json.Marshal(result); err == nil {
			return a
		}
	}
	if !errors.As(err, &a.Error) {
		a.Error = &rpcError{Code: -32603, Message: "Internal error: " + err.Error()}
	}
	return a
}

// Transport leads an HTTP client here without a socket, whatever host it asks
// for. It works with fake time (testing/synctest).
func (s *Server) Transport() http.RoundTripper { return roundTripper{s} }

type roundTripper struct{ s *Server }

// RoundTrip runs the handler in the caller's goroutine: a stalled answer ends
// with the request's context.
func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				if p != http.ErrAbortHandler { //nolint:errorlint // net/http panics with this very value
					panic(p)
				}
				err = io.ErrUnexpectedEOF // the connection breaks
			}
		}()
		t.s.ServeHTTP(w, r)
		return nil
	}()
	if ctxErr := r.Context().Err(); ctxErr != nil {
		return nil, ctxErr
	}
	if err != nil {
		return nil, err
	}
	return w.Result(), nil
}
