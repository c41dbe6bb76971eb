package parser

import "github.com/swapcast/swapcast"

// markInterim finds the swaps after which the same transaction goes through the
// same pool and pair again. Few transactions have more than a handful of swaps.
func markInterim(swaps []swapcast.Swap) {
	for i := range swaps {
		s := &swaps[i]
		for j := i + 1; j < len(swaps) && !s.Interim; j++ {
			later := &swaps[j]
			s.Interim = later.Pool == s.Pool &&
				(later.MintIn == s.MintIn && later.MintOut == s.MintOut ||
					later.MintIn == s.MintOut && later.MintOut == s.MintIn)
		}
	}
}
