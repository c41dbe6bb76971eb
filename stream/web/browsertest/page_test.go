package browsertest

import (
	"testing"
	"time"
)

func TestPricesMove(t *testing.T) {
	s := newSite(t, "SOL")
	p := open(t, s, look{width: 1440, height: 900, dark: true})
	p.live()
	time.Sleep(8 * time.Second)
	p.shoot("SWAPCAST_SCREENSHOT")
}
