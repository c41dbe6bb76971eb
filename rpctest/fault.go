package rpctest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Fault is one entry of a Server's script: what happens to requests that it
// matches. The first entry that matches and is not used up counts.
type Fault struct {
	// Method is what it matches; empty matches all. Slot, where not 0, matches
	// only requests whose first parameter is that number.
	Method string
	Slot   uint64
	// Skip lets that many matching requests pass first. Times is how many it
	// then hits: 0 one, below 0 all.
	Skip  int
	Times int

	// Stall delays the answer; below 0 it never comes.
	Stall time.Duration
	// Status answers with that HTTP status, RetryAfter (where not empty) in its
	// header and Body.
	Status     int
	RetryAfter string
	// Body is sent as the answer where Status or ContentType is set: not JSON, or
	// JSON cut off.
	Body        string
	ContentType string
	// Abort breaks the connection instead of answering.
	Abort bool

	// Null answers with the result null, Code with an error in JSON-RPC form.
	Null    bool
	Code    int
	Message string
}

// Script adds faults behind those that are there.
func (s *Server) Script(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		if f.Times == 0 {
			f.Times = 1
		}
		s.script = append(s.script, &f)
	}
}

// ClearScript forgets all faults.
func (s *Server) ClearScript() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = nil
}

// due gives the fault that hits a request, nil none.
func (s *Server) due(q *request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.script {
		switch {
		case f.Times == 0 || f.Method != "" && f.Method != q.Method || f.Slot != 0 && f.Slot != firstNumber(q.Params):
		case f.Skip > 0:
			f.Skip--
		default:
			if f.Times > 0 {
				f.Times--
			}
			return f
		}
	}
	return nil
}

func firstNumber(params []json.RawMessage) uint64 {
	if len(params) == 0 {
		return 0
	}
	n, err := strconv.ParseUint(string(params[0]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// play does what concerns the whole HTTP request. It reports whether that was
// the answer.
func (f *Fault) play(w http.ResponseWriter, r *http.Request, _ *request) bool {
	if f.Stall != 0 {
		var over <-chan time.Time
		if f.Stall > 0 {
			timer := time.NewTimer(f.Stall)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-over:
		case <-r.Context().Done():
			return true
		}
	}
	if f.Abort {
		panic(http.ErrAbortHandler)
	}
	if f.Status == 0 && f.ContentType == "" {
		return false
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.ContentType != "" {
		w.Header().Set("Content-Type", f.ContentType)
	}
	if f.Status != 0 {
		w.WriteHeader(f.Status)
	}
	_, _ = w.Write([]byte(f.Body)) // a client that has gone does not read it
	return true
}

// answer does what concerns one request of a batch.
func (f *Fault) answer(q *request) (response, bool) {
	a := response{Version: "2.0", ID: q.ID}
	switch {
	case f.Null:
		a.Result = json.RawMessage("null")
	case f.Code != 0:
		a.Error = &rpcError{Code: f.Code, Message: f.Message}
	default:
		return a, false
	}
	return a, true
}
