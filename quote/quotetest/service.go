package quotetest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Service stands in for one of the services.
type Service struct {
	// Static once it serves.
	Name      string
	Latency   time.Duration // before each answer
	LateBy    time.Duration // of Late; New sets 3 s
	DripEvery time.Duration // of Drip; New sets 1 s

	market Market
	own    []Fault
	// answer makes the body for a good request, bent by f.
	answer func(r *http.Request, body []byte, f Fault) reply

	mu     sync.Mutex // guards everything below
	fault  Fault
	script []Fault
	calls  int
	keys   []string // that came with requests, the newest last
}

// reply is an answer before generic faults.
type reply struct {
	status int
	body   any    // JSON
	text   string // in place of body
}

func newService(name string, m Market, own ...Fault) *Service {
	return &Service{Name: name, LateBy: 3 * time.Second, DripEvery: time.Second, market: m, own: own}
}

// Set makes f what the service does from now on, after the script.
func (s *Service) Set(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Script puts what the next requests get, one each, in place of what was left.
func (s *Service) Script(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append([]Fault(nil), faults...)
}

// Calls is how many requests came.
func (s *Service) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// LastKey is the key that came with the last request, as the service's header has
// it.
func (s *Service) LastKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) == 0 {
		return ""
	}
	return s.keys[0]
}

// next is what this request gets.
func (s *Service) next(r *http.Request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	k := r.Header.Get("X-Api-Key")
	if k == "" {
		k = r.Header.Get("Authorization")
	}
	s.keys = append(s.keys[:0], k)
	if len(s.script) > 0 {
		f := s.script[0]
		s.script = s.script[1:]
		return f
	}
	return s.fault
}

// maxAsk bounds what a request may send.
const maxAsk = 1 << 20

// ServeHTTP is http.Handler's.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.next(r)
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAsk)) // else the client's leaving is not noticed
	if err != nil {
		return
	}
	if !sleep(r, s.Latency) {
		return
	}
	switch f {
	case Silent:
		<-r.Context().Done()
		return
	case Late:
		if !sleep(r, s.LateBy) {
			return
		}
	}
	if s.failed(w, r, f) {
		return
	}
	rep := s.answer(r, body, f)
	text := []byte(rep.text)
	kind := "text/plain; charset=utf-8"
	if rep.body != nil {
		if text, err = json.Marshal(rep.body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	s.send(w, r, f, rep.status, text)
}

// failed answers with a fault that has nothing to do with the question.
func (s *Service) failed(w http.ResponseWriter, r *http.Request, f Fault) bool {
	h := w.Header()
	reset := strconv.FormatInt(time.Now().Unix()+1, 10)
	switch f {
	case Status500:
		http.Error(w, "internal error", http.StatusInternalServerError)
	case Status503:
		http.Error(w, "no available server", http.StatusServiceUnavailable)
	case Limited:
		writeJSON(w, http.StatusTooManyRequests, `{"code":429,"message":"Too many requests"}`)
	case LimitedAfter:
		h.Set("Retry-After", "1")
		writeJSON(w, http.StatusTooManyRequests, `{"code":429,"message":"Too many requests"}`)
	case LimitedReset:
		h.Set("X-Ratelimit-Remaining", "-1")
		h.Set("X-Ratelimit-Current", "61")
		h.Set("X-Ratelimit-Reset", reset)
		writeJSON(w, http.StatusTooManyRequests, `{"code":429,"message":"[API Gateway] Too many requests"}`)
	case Unauthorized:
		http.Error(w, "unauthorized", http.StatusUnauthorized)
	case Forbidden:
		writeJSON(w, http.StatusForbidden, `{"code":403,"message":"API key does not have access to this endpoint"}`)
	case NotJSON:
		writeJSON(w, http.StatusOK, "upstream connect error or disconnect/reset before headers")
	case HTML:
		h.Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>Just a moment...</body></html>")
	case Deep:
		writeJSON(w, http.StatusOK, strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000))
	case Huge:
		huge(w)
	case RedirectLoop:
		h.Set("Location", "?"+r.URL.RawQuery) // relative: a prefix of the handler's address stays
		w.WriteHeader(http.StatusTemporaryRedirect)
	case RedirectAway:
		http.Redirect(w, r, "http://127.0.0.2:9/elsewhere", http.StatusTemporaryRedirect)
	case HangUp:
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// huge writes 200 MB of valid JSON, as long as somebody takes it.
func huge(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	chunk := bytes.Repeat([]byte(" "), 1<<16)
	for range 200 << 20 >> 16 {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	_, _ = io.WriteString(w, "{}")
}

// send writes a good answer, the way f wants it.
func (s *Service) send(w http.ResponseWriter, r *http.Request, f Fault, status int, text []byte) {
	switch f {
	case HeadersOnly:
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		w.WriteHeader(status)
		flush(w)
		<-r.Context().Done()
	case Drip:
		w.WriteHeader(status)
		for i := range text {
			if _, err := w.Write(text[i : i+1]); err != nil {
				return
			}
			flush(w)
			if !sleep(r, s.DripEvery) {
				return
			}
		}
	case CutOff:
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		w.WriteHeader(status)
		_, _ = w.Write(text[:len(text)/2])
		flush(w)
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(status)
		_, _ = w.Write(text)
	}
}

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

// sleep waits, and reports false where the client left meanwhile.
func sleep(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
