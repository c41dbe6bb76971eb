package main

import (
	"context"
	"io"
	"net"
	"net/http"

	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"

	"github.com/swapcast/swapcast"
)

func startCoderGoroutine(ctx context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := newHub[outbox](tokens)
	serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		box := make(outbox, outboxSize)
		h.add(box, h.tokens(r))
		defer h.remove(box)
		ctx := c.CloseRead(ctx)
		for {
			select {
			case <-ctx.Done():
				return
			case msg := <-box:
				if c.Write(ctx, coder.MessageText, msg) != nil {
					return
				}
			}
		}
	}))
	return func(token int, p *swapcast.Price) { h.each(token, p, outbox.offer) }, nil
}

func startCoderPublisher(ctx context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := newHub[*coder.Conn](tokens)
	serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := coder.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		h.add(c, h.tokens(r))
		defer h.remove(c)
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	}))
	return func(token int, p *swapcast.Price) {
		h.each(token, p, func(c *coder.Conn, msg []byte) { _ = c.Write(ctx, coder.MessageText, msg) })
	}, nil
}

// prepared is a queue of messages that gorilla has framed once.
type prepared chan *gorilla.PreparedMessage

func startGorilla(_ context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := newHub[prepared](tokens)
	up := gorilla.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		box, done := make(prepared, outboxSize), make(chan struct{})
		go func() {
			defer close(done)
			for {
				if _, _, err := c.NextReader(); err != nil {
					return
				}
			}
		}()
		h.add(box, h.tokens(r))
		defer h.remove(box)
		for {
			select {
			case <-done:
				return
			case m := <-box:
				if c.WritePreparedMessage(m) != nil {
					return
				}
			}
		}
	}))
	return func(token int, p *swapcast.Price) {
		h.seq++
		m, err := gorilla.NewPreparedMessage(gorilla.TextMessage, encode(p, h.seq))
		if err != nil {
			return
		}
		h.mu.RLock()
		defer h.mu.RUnlock()
		for box := range h.subs[token] {
			select {
			case box <- m:
			default:
			}
		}
	}, nil
}

type gwsEvents struct {
	gws.BuiltinEventHandler
	h *hub[*gws.Conn]
}

func (e gwsEvents) OnClose(c *gws.Conn, _ error) { e.h.remove(c) }

func startGWS(_ context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := newHub[*gws.Conn](tokens)
	up := gws.NewUpgrader(gwsEvents{h: h}, nil)
	serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r)
		if err != nil {
			return
		}
		h.add(c, h.tokens(r))
		go c.ReadLoop()
	}))
	return func(token int, p *swapcast.Price) {
		h.seq++
		b := gws.NewBroadcaster(gws.OpcodeText, encode(p, h.seq))
		h.mu.RLock()
		for c := range h.subs[token] {
			_ = b.Broadcast(c)
		}
		h.mu.RUnlock()
		_ = b.Close()
	}, nil
}

func startGobwas(_ context.Context, ln net.Listener, tokens int) (func(int, *swapcast.Price), error) {
	h := newHub[net.Conn](tokens)
	serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		h.add(c, h.tokens(r))
		go func() {
			defer func() { h.remove(c); _ = c.Close() }()
			for {
				_, rd, err := wsutil.NextReader(c, ws.StateServerSide)
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, rd); err != nil {
					return
				}
			}
		}()
	}))
	return func(token int, p *swapcast.Price) {
		h.seq++
		frame := ws.MustCompileFrame(ws.NewTextFrame(encode(p, h.seq)))
		h.mu.RLock()
		defer h.mu.RUnlock()
		for c := range h.subs[token] {
			_, _ = c.Write(frame)
		}
	}, nil
}
