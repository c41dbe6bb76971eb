package parser

import (
	"encoding/binary"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
)

// TestPumpProgress follows coins from the first unit to the last.
func TestPumpProgress(t *testing.T) {
	const first, virtual = pumpFirstReal, pumpFirstVirtual
	for _, c := range []struct {
		name           string
		vToken, rToken uint64
		want           swapcast.Curve
	}{
		{"begun", virtual, first, swapcast.Curve{Stage: swapcast.CurveTrading, Known: true}},
		{"one unit sold", virtual - 1, first - 1, swapcast.Curve{Stage: swapcast.CurveTrading, Known: true, Progress: 1.0 / first}},
		{"a quarter", virtual - first/4, first - first/4, swapcast.Curve{Stage: swapcast.CurveTrading, Known: true, Progress: 0.25}},
		{"one unit left", virtual - first + 1, 1, swapcast.Curve{Stage: swapcast.CurveTrading, Known: true, Progress: (first - 1.0) / first}},
		{"sold out", virtual - first, 0, swapcast.Curve{Stage: swapcast.CurveComplete, Known: true, Progress: 1}},
		{"begun otherwise", virtual + 1, first, swapcast.Curve{Stage: swapcast.CurveTrading}},
		{"begun otherwise, sold out", 12_345, 0, swapcast.Curve{Stage: swapcast.CurveComplete, Known: true, Progress: 1}},
		{"more than it began with", virtual + 1, first + 1, swapcast.Curve{Stage: swapcast.CurveTrading}},
		{"real above virtual", 5, 6, swapcast.Curve{Stage: swapcast.CurveTrading}},
	} {
		e := pumpTradeEvent{vToken: c.vToken, rToken: c.rToken}
		if got := e.progress(); got.Stage != c.want.Stage || got.Known != c.want.Known || math.Abs(got.Progress-c.want.Progress) > 1e-12 {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		e := pumpTradeEvent{vToken: rapid.Uint64().Draw(t, "virtual"), rToken: rapid.Uint64().Draw(t, "real")}
		sane(t, e.progress())
	})
}

// TestLaunchCurve reads the curve from TradeEvents of both lengths.
func TestLaunchCurve(t *testing.T) {
	for _, size := range []int{launchEventSize, launchEventLong} {
		event := func(total, sold uint64, status byte) []byte {
			e := make([]byte, size)
			binary.LittleEndian.PutUint64(e[32:], total)
			binary.LittleEndian.PutUint64(e[72:], sold)
			if e[size-1] = status; size == launchEventLong {
				e[size-1], e[size-2] = 1, status // exact in
			}
			return e
		}
		for _, c := range []struct {
			total, sold uint64
			status      byte
			want        swapcast.Curve
		}{
			{800, 0, 0, swapcast.Curve{Stage: swapcast.CurveTrading, Known: true}},
			{800, 200, 0, swapcast.Curve{Stage: swapcast.CurveTrading, Known: true, Progress: 0.25}},
			{800, 800, 0, swapcast.Curve{Stage: swapcast.CurveComplete, Known: true, Progress: 1}},
			{800, 799, 1, swapcast.Curve{Stage: swapcast.CurveComplete, Known: true, Progress: 1}},
			{800, 799, 2, swapcast.Curve{Stage: swapcast.CurveComplete, Known: true, Progress: 1}},
			{0, 0, 0, swapcast.Curve{Stage: swapcast.CurveTrading}},
		} {
			if got := launchCurve(event(c.total, c.sold, c.status)); got != c.want {
				t.Errorf("%d bytes, %d of %d, status %d: %+v, want %+v", size, c.sold, c.total, c.status, got, c.want)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		sane(t, launchCurve(rapid.SliceOfN(rapid.Byte(), launchEventSize, launchEventLong+8).Draw(t, "event")))
	})
}

// sane says what holds of every curve.
func sane(t *rapid.T, c swapcast.Curve) {
	switch {
	case c.Stage != swapcast.CurveTrading && c.Stage != swapcast.CurveComplete,
		!(c.Progress >= 0 && c.Progress <= 1),
		!c.Known && c.Progress != 0,
		(c.Stage == swapcast.CurveComplete) != (c.Progress == 1):
		t.Fatalf("%+v", c)
	}
}
