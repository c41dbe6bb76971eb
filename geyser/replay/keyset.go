package replay

import "github.com/gagliardetto/solana-go"

// keySet is a set of keys as filters hold them: compared as 32 bytes, never as
// base58 text. The nil set is no condition at all.
type keySet map[solana.PublicKey]struct{}

func (s keySet) has(k solana.PublicKey) bool {
	_, ok := s[k]
	return ok
}

// any tells whether one of keys is in s. It walks the transaction's keys:
// there are tens of them, while lists of filters can have thousands.
func (s keySet) any(keys []solana.PublicKey) bool {
	for i := range keys {
		if _, ok := s[keys[i]]; ok {
			return true
		}
	}
	return false
}
