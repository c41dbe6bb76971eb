package quote

import "time"

// NewOnChainForTest is the on-chain source without an engine around it.
func NewOnChainForTest(r Reserves) Source {
	o := Options{OnChain: OnChain{Reserves: r}}.withDefaults()
	return newOnChain(o.OnChain, o.Limits.MaxSilence, time.Now)
}
