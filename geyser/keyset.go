package geyser

import "github.com/gagliardetto/solana-go"

// keySet answers whether any of a transaction's keys is in a small set. The
// first byte sorts out nearly all of them without hashing.
type keySet struct {
	first [256]bool
	keys  map[solana.PublicKey]struct{}
}

func newKeySet(keys []solana.PublicKey) *keySet {
	s := &keySet{keys: make(map[solana.PublicKey]struct{}, len(keys))}
	for _, k := range keys {
		s.first[k[0]] = true
		s.keys[k] = struct{}{}
	}
	return s
}

func (s *keySet) any(keys []solana.PublicKey) bool {
	for i := range keys {
		if s.first[keys[i][0]] {
			if _, ok := s.keys[keys[i]]; ok {
				return true
			}
		}
	}
	return false
}
