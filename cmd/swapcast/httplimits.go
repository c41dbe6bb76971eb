package main

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/swapcast/swapcast/stream"
)

// maxIdleHTTP is how many HTTP connections may wait for their next request.
// They share the process's open files with the WebSockets.
const maxIdleHTTP = 500

// limitHTTP bounds what a client can hold of a server without being a
// WebSocket: the time for its request, the time to take its answer (answer),
// and, over all clients, connections that only wait. net/http takes these
// deadlines off a connection that becomes a WebSocket.
func limitHTTP(server *http.Server, answer time.Duration) {
	stream.SetHTTPLimits(server)
	server.ReadTimeout = 10 * time.Second
	server.WriteTimeout = answer
	var (
		idle  sync.Map // net.Conn -> struct{}: those that wait
		count atomic.Int64
	)
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state != http.StateIdle {
			if _, was := idle.LoadAndDelete(c); was {
				count.Add(-1)
			}
			return
		}
		idle.Store(c, struct{}{})
		if count.Add(1) > maxIdleHTTP {
			// As if its idle time were over: a client knows that from any server.
			_ = c.Close()
		}
	}
}

// onlyLoopbackHosts refuses requests that were meant for another name than a
// loopback one: a web page that points its own name at 127.0.0.1 could read a
// local listener otherwise.
func onlyLoopbackHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopbackHost(r.Host) {
			writeProblem(w, http.StatusForbidden, "host_refused", "this listener answers to localhost and loopback addresses only")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopbackHost reports whether a Host header names this machine's loopback.
func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && address.IsLoopback()
}

// listensOnLoopback reports whether only this machine can reach a listener.
func listensOnLoopback(l net.Listener) bool {
	address, ok := l.Addr().(*net.TCPAddr)
	return ok && address.IP.IsLoopback()
}
