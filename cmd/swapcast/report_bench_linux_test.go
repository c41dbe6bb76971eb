package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/report"
	"github.com/swapcast/swapcast/stream"
)

// acceptAll answers every request at once, without a network.
type acceptAll struct{ answered chan struct{} }

// RoundTrip is http.RoundTripper's.
func (a acceptAll) RoundTrip(r *http.Request) (*http.Response, error) {
	_, err := io.Copy(io.Discard, r.Body)
	a.answered <- struct{}{}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(nil)), Request: r}, err
}

// BenchmarkReportConnection is what one connection that subscribes once adds to the
// server's work: where it is not told of, where the budget is used up, and where its
// two events are built, scrubbed and encoded (posting them comes on top). cpu-ns/op is
// the process' CPU time, which a busy machine does not change much.
func BenchmarkReportConnection(b *testing.B) {
	for _, c := range []struct {
		name      string
		testID    string
		perSecond float64
		sent      bool
	}{
		{"untraced", "", 50, false},
		{"over-budget", "run-1", 1e-9, false},
		{"sent", "run-1", 1e9, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			transport := acceptAll{make(chan struct{}, 4)}
			r, err := report.New(report.Options{
				DSN: "http://public@127.0.0.1:1/1", Release: "swapcast@bench", Environment: "bench", PerSecond: c.perSecond,
				Secrets: []string{"a-secret-token", "another-secret"}, Transport: transport, Metrics: report.NewMetrics(prometheus.NewRegistry()),
			})
			if err != nil {
				b.Fatal(err)
			}
			r.Start()
			s := &server{report: r}
			onConn := s.onConn()
			if !c.sent { // the burst
				onConn(stream.ConnInfo{TestID: "x"}).End(stream.ConnEnd{})
				<-transport.answered
			}
			b.ReportAllocs()
			begun := cpuTime(b)
			for b.Loop() {
				hooks := onConn(stream.ConnInfo{ID: 1, TestID: c.testID, VUID: "17", Scenario: "price_streams"})
				if hooks.Request != nil {
					now := time.Now()
					hooks.Request(stream.RequestInfo{Action: "subscribe", Channel: "prices", Commitment: "processed", Assets: 1, Begun: now, Parsed: now, Taken: now, Done: now})
					hooks.End(stream.ConnEnd{Code: 1000, Reason: "closed by the client", Duration: time.Minute, Sent: 1000})
				}
				if c.sent {
					<-transport.answered
					<-transport.answered
				}
			}
			b.ReportMetric(float64(cpuTime(b)-begun)/float64(b.N), "cpu-ns/op")
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			r.Close(ctx)
		})
	}
}

// cpuTime is what the process has used so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
