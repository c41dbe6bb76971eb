package client_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

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
