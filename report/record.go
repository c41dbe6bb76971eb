package report

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/getsentry/sentry-go"
)

// Kind is what a record is to Sentry.
type Kind uint8

// The kinds. A failure is what Sentry calls an error.
const (
	Transaction Kind = iota
	Message
	Failure
	kinds
)

// String is the label of the metrics.
func (k Kind) String() string { return [kinds]string{"transaction", "message", "error"}[k] }

// Level is how bad it is.
type Level = sentry.Level

// The levels.
const (
	Info    = sentry.LevelInfo
	Warning = sentry.LevelWarning
	Error   = sentry.LevelError
	Fatal   = sentry.LevelFatal
)

// Who is whom records are about, a connection or a request: its scope. It must
// not change once a record refers to it.
type Who struct {
	TestID   string // tag test_id
	Scenario string // tag websocket_scenario
	UserID   string // user id
	Tags     map[string]string
	// Trace joins what belongs together: a header sentry-trace; "" none.
	Trace string
}

// NewTrace makes a Trace for somebody who sent none.
func NewTrace() string {
	return fmt.Sprintf("%016x%016x-%016x", rand.Uint64(), rand.Uint64(), rand.Uint64()) //nolint:gosec // a name, not a secret
}

// Record is one thing to tell.
type Record struct {
	Who  *Who // nil: the server
	Tags map[string]string
	// Context is more about it, shown under ContextName.
	ContextName string
	Context     map[string]any
	End         time.Time // when it happened, or ended
	Crumbs      []Crumb   // what happened before, the oldest first

	// Of messages and errors.
	Level Level
	Type  string // of errors: groups them; "" makes it a message
	Text  string
	stack *sentry.Stacktrace

	// Of transactions.
	Name, Op string
	Begun    time.Time
	Status   Status
	Spans    []Span
}

// Status is how a transaction or span went.
type Status = sentry.SpanStatus

// The statuses that are used here.
const (
	StatusOK        = sentry.SpanStatusOK
	StatusInvalid   = sentry.SpanStatusInvalidArgument
	StatusExhausted = sentry.SpanStatusResourceExhausted
	StatusDeadline  = sentry.SpanStatusDeadlineExceeded
	StatusNotFound  = sentry.SpanStatusNotFound
	StatusCancelled = sentry.SpanStatusCanceled
	StatusInternal  = sentry.SpanStatusInternalError
	StatusAway      = sentry.SpanStatusUnavailable
)

// HTTPStatus is the Status of an HTTP answer.
func HTTPStatus(code int) Status { return sentry.HTTPtoSpanStatus(code) }

// Span is a part of what a transaction did.
type Span struct {
	Op, Text   string
	Begun, End time.Time
	Status     Status
	Data       map[string]any
}

// Crumb is a step before what a record tells.
type Crumb struct {
	At       time.Time
	Category string
	Text     string
	Level    Level // "" info
}

// send builds and posts a record; the transport counts what became of it.
func (r *Reporter) send(e entry) {
	record := e.build()
	scope := sentry.NewScope()
	record.describe(scope)
	hub := sentry.NewHub(r.client, scope)
	if e.kind == Transaction {
		record.transact(hub)
		return
	}
	event := sentry.NewEvent()
	event.Timestamp, event.Level = record.End, record.Level
	if record.Type == "" {
		event.Message = record.Text
	} else {
		event.Exception = []sentry.Exception{{Type: record.Type, Value: record.Text, Stacktrace: record.stack}}
	}
	hub.CaptureEvent(event)
}

// describe fills the scope: whom it is about and what went before.
func (rec *Record) describe(scope *sentry.Scope) {
	if w := rec.Who; w != nil {
		for name, value := range map[string]string{"test_id": w.TestID, "websocket_scenario": w.Scenario} {
			if value != "" {
				scope.SetTag(name, value)
			}
		}
		scope.SetTags(w.Tags)
		if w.UserID != "" {
			scope.SetUser(sentry.User{ID: w.UserID})
		}
		if w.Trace != "" {
			// A trace that cannot be read leaves the scope's own.
			if p, err := sentry.PropagationContextFromHeaders(w.Trace, ""); err == nil {
				scope.SetPropagationContext(p)
			}
		}
	}
	scope.SetTags(rec.Tags)
	if rec.ContextName != "" {
		scope.SetContext(rec.ContextName, rec.Context)
	}
	for _, c := range rec.Crumbs {
		level := c.Level
		if level == "" {
			level = Info
		}
		scope.AddBreadcrumb(&sentry.Breadcrumb{Timestamp: c.At, Category: c.Category, Message: c.Text, Level: level}, len(rec.Crumbs))
	}
}

// transact makes a transaction of what has happened already.
func (rec *Record) transact(hub *sentry.Hub) {
	ctx := sentry.SetHubOnContext(context.Background(), hub)
	options := []sentry.SpanOption{sentry.WithOpName(rec.Op), sentry.WithTransactionSource(sentry.SourceCustom), sentry.WithSpanSampled(sentry.SampledTrue)}
	if rec.Who != nil && rec.Who.Trace != "" {
		options = append(options, sentry.ContinueFromTrace(rec.Who.Trace))
	}
	tx := sentry.StartTransaction(ctx, rec.Name, options...)
	tx.Sampled = sentry.SampledTrue // whatever the trace says: who samples is ours to say
	tx.StartTime, tx.Status = rec.Begun, rec.Status
	for _, s := range rec.Spans {
		child := tx.StartChild(s.Op, sentry.WithDescription(s.Text))
		child.Sampled = sentry.SampledTrue
		child.StartTime, child.EndTime, child.Status, child.Data = s.Begun, s.End, s.Status, s.Data
		child.Finish()
	}
	tx.EndTime = rec.End
	tx.Finish()
}

// Words makes a stable name of a text: small letters, digits and underscores.
func Words(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		default:
			return '_'
		}
	}, text)
}
