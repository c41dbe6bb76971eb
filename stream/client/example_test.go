package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast/stream/client"
)

// A program that follows one token. The server of the example stands in for
// ws://127.0.0.1:8080/ws.
func Example() {
	url, stop := exampleServer()
	defer stop()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := client.Dial(ctx, url, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	if err := c.Subscribe(ctx, client.ChannelPrices, "So11111111111111111111111111111111111111112"); err != nil {
		log.Fatal(err)
	}
	for ev := range c.Events() {
		switch e := ev.(type) {
		case *client.Price:
			if e.Price == nil {
				fmt.Println("no price yet")
				continue
			}
			fmt.Printf("%s... %.2f USD\n", e.AssetID[:4], *e.Price)
			return
		case *client.Gap:
			fmt.Println("missing", e.Missing())
		}
	}
	// Output:
	// no price yet
	// missing 2
	// So11... 147.25 USD
}

// exampleServer plays a price feed that loses two updates.
func exampleServer() (url string, stop func()) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		if _, _, err := conn.Read(r.Context()); err != nil {
			return
		}
		const mint = "So11111111111111111111111111111111111111112"
		for _, m := range []string{
			`{"type":"subscribed","id":"1","channel":"prices","assets":["` + mint + `"],"epoch":"k3x9"}`,
			`{"type":"price","assetId":"` + mint + `","price":null,"seq":1,"snapshot":true}`,
			`{"type":"price","assetId":"` + mint + `","price":147.25,"seq":4}`,
		} {
			if err := conn.Write(r.Context(), websocket.MessageText, []byte(m)); err != nil {
				return
			}
		}
		_, _, _ = conn.Read(r.Context()) // until the client leaves
	}))
	return srv.URL, srv.Close
}

// A program that books every trade of a token once, takes back what a fork takes
// back, and knows what it has missed. Its connection breaks in between.
func Example_everyTradeOnce() {
	url, stop := breakingServer()
	defer stop()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := client.Dial(ctx, url, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	// client.Confirmed(client.ChannelTrades) would come later, and without retracts.
	if err := c.Subscribe(ctx, client.ChannelTrades, "So11111111111111111111111111111111111111112"); err != nil {
		log.Fatal(err)
	}
	booked := map[string]string{}
	for ev := range c.Events() {
		switch e := ev.(type) {
		case *client.Trade:
			booked[fmt.Sprintf("%d/%s/%d", e.Slot, e.Signature, e.Index)] = e.Amount
			fmt.Println("booked", e.Seq, e.Amount)
		case *client.Retract:
			for _, signature := range e.Signatures {
				for id := range booked {
					if strings.HasPrefix(id, fmt.Sprintf("%d/%s/", e.Slot, signature)) {
						delete(booked, id)
					}
				}
			}
			fmt.Println("took back", e.Signatures, "and has", len(booked))
		case *client.Gap:
			fmt.Println("missing", e.Missing(), e.Reason)
		case *client.Disconnected:
			fmt.Println("cut off")
		}
		if t, ok := ev.(*client.Trade); ok && t.Seq == 9 {
			return
		}
	}
	// Output:
	// booked 4 100
	// cut off
	// took back [sigA] and has 0
	// booked 6 70
	// missing 2 slow_consumer
	// booked 9 5
}

// breakingServer plays two connections: one that ends after a trade, and one that
// resumes.
func breakingServer() (url string, stop func()) {
	const mint = "So11111111111111111111111111111111111111112"
	connections := make(chan []string, 2)
	connections <- []string{
		`{"type":"subscribed","id":"1","channel":"trades","assets":["` + mint + `"],"epoch":"k3x9","seqs":{"` + mint + `":3}}`,
		`{"type":"trade","assetId":"` + mint + `","slot":70,"signature":"sigA","amount":"100","seq":4}`,
	}
	connections <- []string{
		`{"type":"subscribed","id":"2","channel":"trades","assets":["` + mint + `"],"epoch":"k3x9","recovered":true,"seqs":{"` + mint + `":4}}`,
		`{"type":"retract","channel":"trades","assetId":"` + mint + `","slot":70,"signatures":["sigA"],"seq":5}`,
		`{"type":"trade","assetId":"` + mint + `","slot":71,"signature":"sigB","amount":"70","seq":6}`,
		`{"type":"gap","channel":"trades","assetId":"` + mint + `","fromSeq":7,"toSeq":8,"reason":"slow_consumer"}`,
		`{"type":"trade","assetId":"` + mint + `","slot":75,"signature":"sigC","amount":"5","seq":9}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		if _, _, err := conn.Read(r.Context()); err != nil {
			return
		}
		for _, m := range <-connections {
			if err := conn.Write(r.Context(), websocket.MessageText, []byte(m)); err != nil {
				return
			}
		}
		if len(connections) == 0 {
			_, _, _ = conn.Read(r.Context()) // until the client leaves
		}
		conn.Close(websocket.StatusGoingAway, `{"reconnectMs":1}`)
	}))
	return srv.URL, srv.Close
}
