package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/report"
	"github.com/swapcast/swapcast/stream"
)

// reported has what an HTTP handler does reported: its panics, its failures, and of
// requests to the API with a test_id, or a sample of the others, a transaction. A
// connection that is taken over is reported by onConn.
func (s *server) reported(next http.Handler) http.Handler {
	if s.report == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" || r.URL.Path == "/v1/stream" {
			defer s.repanic(httpScope(r))
			next.ServeHTTP(w, r)
			return
		}
		call := &httpCall{who: httpScope(r), begun: time.Now()}
		recorder := &statusWriter{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), httpCallKey{}, call))
		defer func() {
			if v := recover(); v != nil {
				s.panicked(call.who, recorder, v)
			}
			s.tell(call, recorder.status, r)
		}()
		next.ServeHTTP(recorder, r)
	})
}

// repanic reports a panic and leaves it to the HTTP server, which ends that
// connection alone.
func (s *server) repanic(who *report.Who) {
	if v := recover(); v != nil {
		if v != http.ErrAbortHandler { //nolint:errorlint // a value, by which handlers abort
			s.report.Panic(who, v)
		}
		panic(v)
	}
}

// panicked reports a panic and answers for the handler, where it has not begun to.
func (s *server) panicked(who *report.Who, w *statusWriter, v any) {
	if v == http.ErrAbortHandler { //nolint:errorlint // a value, by which handlers abort
		panic(v)
	}
	s.report.Panic(who, v)
	s.log.Error("http handler panicked", "panic", v)
	if w.status != 0 {
		panic(http.ErrAbortHandler) // the client must not take half an answer for a whole one
	}
	writeProblem(w, http.StatusInternalServerError, "internal_error", "a fault of this server; it was noted")
}

// tell reports how a request went.
func (s *server) tell(call *httpCall, status int, r *http.Request) {
	if status == 0 {
		status = http.StatusOK
	}
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		return // pages and checks of health
	}
	route := r.Pattern
	if _, path, ok := strings.Cut(route, " "); ok {
		route = path
	}
	ended := time.Now()
	spans, note := call.parts()
	tags := map[string]string{"http.method": r.Method, "http.route": route, "http.status_code": fmt.Sprint(status)}
	name := r.Method + " " + route
	if s.report.Traced(call.who.TestID) {
		s.report.Report(report.Transaction, func() *report.Record {
			return &report.Record{
				Who: call.who, Name: name, Op: "http.server", Begun: call.begun, End: ended,
				Status: report.HTTPStatus(status), Tags: tags, Spans: spans,
			}
		})
	}
	if status < http.StatusInternalServerError || status == http.StatusNotImplemented {
		return
	}
	if note == "" {
		note = name
	}
	s.report.Report(report.Failure, func() *report.Record {
		return &report.Record{
			Who: call.who, Level: report.Error, Type: fmt.Sprintf("%s: %d %s", name, status, http.StatusText(status)), Text: note, End: ended, Tags: tags,
		}
	})
}

// httpScope is whose a request is, by the query parameters that the WebSocket has
// too. Nothing else of the query, no header but the trace and no address is told.
func httpScope(r *http.Request) *report.Who {
	query := r.URL.Query()
	return &report.Who{
		TestID: stream.Tag(query.Get("test_id")), Scenario: stream.Tag(query.Get("scenario")), UserID: stream.Tag(query.Get("vu_id")),
		Trace: stream.TraceHeader(r.Header.Get("Sentry-Trace")), Tags: map[string]string{"transport": "http"},
	}
}

// httpCall is one request as it is reported.
type httpCall struct {
	// static
	who   *report.Who
	begun time.Time

	mu    sync.Mutex // guards what follows
	spans []report.Span
	note  string // what went wrong, in one line
}

type httpCallKey struct{}

func (c *httpCall) parts() ([]report.Span, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spans, c.note
}

// statusWriter remembers what was answered.
type statusWriter struct {
	http.ResponseWriter
	status int // 0: nothing yet
}

// WriteHeader is http.ResponseWriter's.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write is http.ResponseWriter's.
func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// quote asks the engine, and has what each source did reported with the request.
func (s *server) quote(ctx context.Context, r quote.Request) (*quote.Answer, error) {
	a, err := s.quotes.engine.Quote(ctx, r)
	call, _ := ctx.Value(httpCallKey{}).(*httpCall)
	if call == nil {
		return a, err
	}
	var none *quote.NoQuoteError
	switch {
	case err == nil:
		call.asked(a.Sources, a.Elapsed, "")
	case errors.As(err, &none):
		call.asked(none.Sources, none.Elapsed, none.Error())
	}
	return a, err
}

// asked adds a span for each source that was asked. The plan may have begun before
// this request, which then joined it.
func (c *httpCall) asked(sources []quote.Result, elapsed time.Duration, note string) {
	begun := time.Now().Add(-elapsed)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note = note
	for i := range sources {
		r := &sources[i]
		if r.Tries == 0 && r.Elapsed == 0 {
			continue // off, or not needed
		}
		at := begun.Add(r.Began)
		c.spans = append(c.spans, report.Span{
			Op: "quote.source", Text: r.Source, Begun: at, End: at.Add(r.Elapsed), Status: sourceStatus(r.Outcome),
			Data: map[string]any{"outcome": string(r.Outcome), "reason": r.Reason, "tries": r.Tries},
		})
	}
}

// sourceStatus is a source's outcome as Sentry has it.
func sourceStatus(o quote.Outcome) report.Status {
	switch o {
	case quote.OutcomeOK:
		return report.StatusOK
	case quote.OutcomeNoRoute:
		return report.StatusNotFound
	case quote.OutcomeTimeout:
		return report.StatusDeadline
	case quote.OutcomeRateLimited:
		return report.StatusExhausted
	case quote.OutcomeBreakerOpen:
		return report.StatusAway
	case quote.OutcomeSkipped:
		return report.StatusCancelled
	default:
		return report.StatusInternal
	}
}
