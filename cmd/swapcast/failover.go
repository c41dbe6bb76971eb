package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// failover takes the stream away from one endpoint while the others go on with
// its work: for an operator who knows better than we do. All endpoints are
// followed at once anyway, so that nothing has to be opened for it.
type failover struct {
	upstream *upstream
	first    func(endpoint string) uint64 // how often it was first

	mu sync.Mutex // held while one is under way: two could leave each other's endpoint
}

const (
	// failoverRest is how long the endpoint is left alone.
	failoverRest = time.Minute
	// failoverWait is how long another endpoint may take to come as far.
	failoverWait = 10 * time.Second
	// failoverLook is how often it is looked whether one has.
	failoverLook = 20 * time.Millisecond
)

// failoverError is why nothing was done.
type failoverError struct {
	status       int
	code, detail string
}

func (e *failoverError) Error() string { return e.detail }

// leave ends the streams of the endpoint of that name, or where it is "" of the
// connected one that was first most often, as soon as another one covers what it
// has not confirmed and has come to where it was when leave was called: that one
// may always be late. It returns both. Where nobody can take over
// within failoverWait nothing is done.
func (f *failover) leave(ctx context.Context, name string) (from, to string, refused *failoverError) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, refused := f.choose(name)
	if refused != nil {
		return "", "", refused
	}
	slot := old.subscriber.Status().Slot
	late := time.After(failoverWait)
	look := time.NewTicker(failoverLook)
	defer look.Stop()
	for waited := false; ; {
		heir, level := f.heir(old, slot)
		if heir != nil && (level || waited) {
			old.subscriber.Rest(failoverRest, func() bool { return !f.othersServe(old) })
			return old.name, heir.name, nil
		}
		if waited {
			return "", "", &failoverError{
				http.StatusConflict, "no_other_endpoint",
				"no other --source covers what " + old.name + " has not confirmed yet; nothing was changed",
			}
		}
		select {
		case <-ctx.Done():
			return "", "", &failoverError{http.StatusConflict, "cancelled", "whoever asked has gone; nothing was changed"}
		case <-late:
			waited = true
		case <-look.C:
		}
	}
}

// choose finds the endpoint to leave.
func (f *failover) choose(name string) (*upstreamEndpoint, *failoverError) {
	endpoints := f.upstream.endpoints
	if name != "" && !f.upstream.has(name) {
		return nil, unknownEndpoint()
	}
	if len(endpoints) < 2 {
		return nil, &failoverError{http.StatusConflict, "no_other_endpoint", "there is only one --source: nothing could take over"}
	}
	var old *upstreamEndpoint
	for _, e := range endpoints {
		switch {
		case name == e.name:
			return e, f.othersMissing(e)
		case name == "" && e.subscriber.Status().Connected && (old == nil || f.first(e.name) > f.first(old.name)):
			old = e
		}
	}
	if old == nil {
		return nil, &failoverError{http.StatusConflict, "not_connected", "no --source is connected: there is no stream to take over"}
	}
	return old, f.othersMissing(old)
}

func unknownEndpoint() *failoverError {
	return &failoverError{http.StatusNotFound, "unknown_endpoint", "no --source goes by that name; GET /v1/status lists them"}
}

func (f *failover) othersMissing(old *upstreamEndpoint) *failoverError {
	if f.othersServe(old) {
		return nil
	}
	return &failoverError{http.StatusConflict, "no_other_endpoint", "no --source but " + old.name + " is connected: nothing could take over"}
}

// othersServe reports whether another endpoint is connected.
func (f *failover) othersServe(old *upstreamEndpoint) bool {
	return slices.ContainsFunc(f.upstream.endpoints, func(e *upstreamEndpoint) bool {
		return e != old && !e.subscriber.Resting() && e.subscriber.Status().Connected
	})
}

// heir finds an endpoint that can take over without a loss, and reports whether
// it has come to the slot.
func (f *failover) heir(old *upstreamEndpoint, slot uint64) (heir *upstreamEndpoint, level bool) {
	for _, e := range f.upstream.endpoints {
		if e == old || e.subscriber.Resting() || !e.subscriber.TakesOver(old.subscriber) {
			continue
		}
		if e.subscriber.Status().Slot >= slot {
			return e, true
		}
		heir = e
	}
	return heir, false
}

// serve answers POST /admin/stream/failover.
func (f *failover) serve(w http.ResponseWriter, r *http.Request) {
	from, to, refused := f.leave(r.Context(), r.URL.Query().Get("endpoint"))
	if refused != nil {
		writeProblem(w, refused.status, refused.code, refused.detail)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = fmt.Fprintf(w, "%s goes on; %s is left alone for %v, or until POST /admin/stream/reconnect?endpoint=%s\n", to, from, failoverRest, from)
}

// failover is what the admin listener calls for another endpoint.
func (s *server) failover() *failover {
	return &failover{upstream: s.upstream, first: func(endpoint string) uint64 {
		if stats := s.pipeline.stats.Load(); stats != nil {
			for _, e := range stats.Endpoints {
				if e.Endpoint == endpoint {
					return e.First
				}
			}
		}
		return 0
	}}
}
