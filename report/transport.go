package report

import (
	"context"
	"net/http"

	"github.com/getsentry/sentry-go"
)

// transport posts each event at once, on the worker that built it, and counts what
// became of it.
type transport struct {
	*sentry.HTTPSyncTransport
	ctx     context.Context // ends when nothing is to be posted any more
	metrics *Metrics
}

func newTransport(ctx context.Context, m *Metrics) *transport {
	inner := sentry.NewHTTPSyncTransport()
	inner.Timeout = requestTimeout
	return &transport{HTTPSyncTransport: inner, ctx: ctx, metrics: m}
}

// outcome is how a request went: no status and no error where none was made.
type outcome struct {
	made   bool
	status int
}

type outcomeKey struct{}

// SendEvent is sentry.Transport's.
func (t *transport) SendEvent(event *sentry.Event) {
	kind := Message
	switch {
	case event.Type == "transaction":
		kind = Transaction
	case len(event.Exception) > 0:
		kind = Failure
	}
	if t.ctx.Err() != nil {
		t.metrics.drop(kind, reasonShutdown)
		return
	}
	var o outcome
	ctx := context.WithValue(t.ctx, outcomeKey{}, &o)
	t.HTTPSyncTransport.SendEventWithContext(ctx, event)
	switch {
	case o.status >= 200 && o.status < 300:
		t.metrics.send(kind)
	case o.status == http.StatusTooManyRequests:
		t.metrics.drop(kind, reasonLimited)
	case o.status != 0:
		t.metrics.drop(kind, reasonRefused)
	case o.made && t.ctx.Err() != nil:
		t.metrics.drop(kind, reasonShutdown)
	case o.made:
		t.metrics.drop(kind, reasonNetwork)
	case t.pausing(event):
		t.metrics.drop(kind, reasonLimited)
	default:
		t.metrics.drop(kind, reasonUnfit)
	}
}

// pausing tells an event that was held back because the server had asked for it
// from one that could not be encoded.
func (t *transport) pausing(event *sentry.Event) bool {
	_, err := event.MarshalJSON()
	return err == nil
}

// outcomes notes how each request went.
type outcomes struct{ http.RoundTripper }

// RoundTrip is http.RoundTripper's.
func (t outcomes) RoundTrip(request *http.Request) (*http.Response, error) {
	o, _ := request.Context().Value(outcomeKey{}).(*outcome)
	if o != nil {
		o.made = true
	}
	response, err := t.RoundTripper.RoundTrip(request)
	if err == nil && o != nil {
		o.status = response.StatusCode
	}
	return response, err
}
