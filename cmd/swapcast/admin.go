package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newRegistry makes the process's metric registry. Nothing is registered with
// the library's global one.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	v, c := buildInfo()
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "swapcast_build_info",
		Help: "Always 1; the labels say what runs.",
	}, []string{"version", "commit"})
	info.WithLabelValues(v, c).Set(1)
	registry.MustRegister(info)
	return registry
}

// newStages makes the histogram that every stage of the data path reports to.
// The stages: chain (the server made the update -> we received it), geyser
// (received -> decoded and handed over), parse, price (all swaps of one
// transaction), hub (one update published to its subscribers' queues), write
// (published -> on the socket), total (received -> on the socket).
func newStages(registry prometheus.Registerer) *prometheus.HistogramVec {
	stages := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "swapcast_stage_latency_seconds",
		Help:    "Time spent in each stage of the data path, in seconds.",
		Buckets: prometheus.ExponentialBuckets(1e-6, 1.7, 32), // 1 us to 14 s
	}, []string{"stage"})
	registry.MustRegister(stages)
	for _, stage := range []string{"chain", "geyser", "parse", "price", "hub", "write", "total"} {
		stages.WithLabelValues(stage)
	}
	return stages
}

// adminActions are what can be asked for on the admin listener.
type adminActions struct {
	drain                       func()
	reconnect                   func(endpoint string) bool
	failover                    http.HandlerFunc
	flushCache, invalidateCache http.HandlerFunc
}

// adminHandler serves the admin listener: metrics and profiles to everybody
// who can reach it, writes to who holds the token. Without a token writes are
// refused.
func adminHandler(registry *prometheus.Registry, token string, do adminActions) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	// The command line holds tokens.
	mux.HandleFunc("/debug/pprof/cmdline", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusNotFound, "not_found", "the command line is not shown: it may hold tokens")
	})
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("POST /admin/drain", authorised(token, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("draining\n"))
		do.drain()
	}))
	mux.Handle("POST /admin/stream/reconnect", authorised(token, func(w http.ResponseWriter, r *http.Request) {
		endpoint := r.URL.Query().Get("endpoint")
		if !do.reconnect(endpoint) {
			unknown := unknownEndpoint()
			writeProblem(w, unknown.status, unknown.code, unknown.detail)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("new streams are opened before the old ones end\n"))
	}))
	mux.Handle("POST /admin/stream/failover", authorised(token, do.failover))
	mux.Handle("POST /admin/cache/flush", authorised(token, do.flushCache))
	mux.Handle("POST /admin/cache/invalidate", authorised(token, do.invalidateCache))
	mux.HandleFunc("GET /admin/diagnosis", func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusNotImplemented, "not_implemented", "this version of swapcast does not do this yet")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, http.StatusNotFound, "not_found", "there is nothing at this path; GET / lists what there is")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("swapcast admin\n\n/metrics\n/debug/pprof/\nPOST /admin/drain (Authorization: Bearer <--admin-token>)\nPOST /admin/stream/reconnect[?endpoint=NAME] (the same)\nPOST /admin/stream/failover[?endpoint=NAME] (the same)\nPOST /admin/cache/flush (the same)\nPOST /admin/cache/invalidate?tag=TAG (the same)\n"))
	})
	return mux
}

// authorised lets a request through that carries the token.
func authorised(token string, next http.HandlerFunc) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token == "" {
			writeProblem(w, http.StatusForbidden, "admin_token_not_set", "start the server with --admin-token to allow this")
			return
		}
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeProblem(w, http.StatusUnauthorized, "bad_token", "send Authorization: Bearer with the admin token")
			return
		}
		next(w, r)
	})
}

// writeProblem answers with an RFC 9457 problem.
func writeProblem(w http.ResponseWriter, status int, code, detail string) {
	body, err := json.Marshal(map[string]any{"type": "about:blank", "status": status, "title": http.StatusText(status), "code": code, "detail": detail})
	if err != nil {
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
