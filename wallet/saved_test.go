package wallet_test

import (
	"encoding/json"
	"testing"

	"github.com/swapcast/swapcast/wallet"
)

// FuzzSaved: what a store has of a wallet is text that others may have written, too:
// each field is read as cmd/swapcast does. Whatever it says, the wallet goes on.
func FuzzSaved(f *testing.F) {
	first := wallet.NewPositions(wallet.PositionOptions{MaxEvents: 4})
	first.Watch(me)
	for slot := uint64(1); slot <= 12; slot++ {
		s := step{slot: slot, sol: 100, tokUSD: 1, give: asset{wsol, 1_000_000_000}, get: asset{tok, 5_000_000}}
		first.Settle(slot - 1)
		first.Apply(s.tx(), prices(100, 1), nil)
	}
	first.Settle(20)
	texts := func(values ...any) (list []string) {
		for _, v := range values {
			text, err := json.Marshal(v)
			if err != nil {
				f.Fatal(err)
			}
			list = append(list, string(text))
		}
		return list
	}
	d := first.Unsaved(me)
	for _, event := range texts(d.Events[0], d.Events[len(d.Events)-1]) {
		seed := texts(d.Base, d.Past)
		f.Add(seed[0], seed[1], event, event)
	}
	f.Add("null", "null", "null", `{"s":3}`)
	last := texts(d.Events[0])[0]
	for _, accounts := range []string{
		`{}`, `{"Positions":{"` + wsol.String() + `":null}}`,
		`{"Positions":{"` + wsol.String() + `":{"l":[{"n":0,"c":{}},{"n":1}],"p":[{"n":3,"c":9,"u":18446744073709551615}]}}}`,
	} {
		f.Add(`{"last":`+last+`,"accounts":`+accounts+`}`, "null", last, `{"s":4,"f":[{"k":255}]}`)
	}
	f.Fuzz(func(t *testing.T, base, past, one, two string) {
		saved := wallet.Saved{Base: new(wallet.Base)}
		if json.Unmarshal([]byte(base), saved.Base) != nil || json.Unmarshal([]byte(past), &saved.Past) != nil {
			return
		}
		for _, text := range []string{one, two} {
			e := new(wallet.Event)
			if json.Unmarshal([]byte(text), e) != nil {
				return
			}
			saved.Events = append(saved.Events, e)
		}
		p := wallet.NewPositions(wallet.PositionOptions{MaxEvents: 4})
		p.Watch(me)
		p.Restore(me, &saved)
		for slot := uint64(1 << 40); slot < 1<<40+6; slot++ {
			s := step{slot: slot, sol: 100, tokUSD: 1, give: asset{wsol, 1_000_000_000}, get: asset{tok, 5_000_000}}
			p.Settle(slot - 1)
			p.Apply(s.tx(), prices(100, 1), nil)
		}
		p.Settle(1 << 41)
		if _, ok := p.Report(me, prices(100, 1)); !ok {
			t.Error("the wallet is gone")
		}
		for range 100 {
			span, more := p.Next(me)
			if !more {
				break
			}
			p.Fill(me, &wallet.Page{Span: span})
		}
		if d := p.Unsaved(me); d != nil {
			texts := []any{d.Base, d.Past}
			for _, e := range d.Events {
				texts = append(texts, e)
			}
			for _, v := range texts {
				if _, err := json.Marshal(v); err != nil {
					t.Error(err)
				}
			}
			p.Saved(me, d)
		}
	})
}
