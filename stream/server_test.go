package stream

import (
	"errors"
	"testing"

	"github.com/coder/websocket"

	"github.com/swapcast/swapcast"
)

func asClose(err error, ce *websocket.CloseError) bool { return errors.As(err, ce) }

func TestPricesFromSubscriptionToUnsubscription(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Feed: swapcast.FeedSimulated})
	c := r.dial("test_id=t1&vu_id=7")

	r.PublishPrice(price(1, 1)) // before anybody listens
	c.send(`{"action":"subscribe","assets":%q}`, mint(1))
	m := c.next()
	if !m.Snapshot || m.Type != "price" || m.AssetID != mint(1).String() || m.Price == nil || *m.Price != 1 || m.Seq != 1 || m.Feed != "simulated" {
		t.Errorf("snapshot: %s", m.raw)
	}
	r.PublishPrice(price(1, 2.5))
	r.PublishPrice(price(2, 9)) // nobody's
	r.PublishPrice(price(1, 3.5))
	for i, want := range []float64{2.5, 3.5} {
		m := c.next()
		if m.Type != "price" || m.Snapshot || *m.Price != want || m.Seq != uint64(i)+2 {
			t.Errorf("update: %s", m.raw)
		}
	}
	c.send(`{"action":"unsubscribe","assets":[%q],"id":"8"}`, mint(1))
	if m := c.next(); m.Type != "unsubscribed" || m.ID != "8" {
		t.Errorf("unsubscribed: %s", m.raw)
	}
	r.PublishPrice(price(1, 4))
	c.send(`{"action":"ping","id":9}`)
	if m := c.next(); m.Type != "pong" || m.ID != 9.0 {
		t.Errorf("pong: %s", m.raw)
	}
	c.Close(websocket.StatusNormalClosure, "")
	r.await("the connection to go", func() bool { return r.Stats().Connections == 0 })
}
