package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/swapcast/swapcast/stream"
)

// metrics are the process's.
type metrics struct {
	handler   http.Handler
	stream    *stream.Metrics
	published prometheus.Counter
	behind    prometheus.Counter
}

func newMetrics() *metrics {
	registry := prometheus.NewRegistry()
	m := &metrics{
		handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		stream:  stream.NewMetrics(registry),
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_metronome_published_total", Help: "Prices that were published.",
		}),
		behind: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "swapcast_metronome_behind_total", Help: "Prices that were due and left out because the publisher was too late.",
		}),
	}
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.published, m.behind)
	return m
}
