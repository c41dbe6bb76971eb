package parser

import "github.com/gagliardetto/solana-go"

// Programs that keep the tokens of several DEXes' pools. They only do what the
// DEX that calls them says, so what they move is the DEX's doing.
const (
	meteoraVaultID = "24Uqj9JCLxUeoC3hGfh5W3s9FM9uCHDS2SG3LYwBpyTi"
	stabbleVaultID = "vo1tWgqZMjG61Z2T9qUaMYKqZ75CYzMuaZ2LZP1n7HV"
)

// vaultPrograms lists them as keys.
func vaultPrograms() []solana.PublicKey {
	return []solana.PublicKey{
		solana.MustPublicKeyFromBase58(meteoraVaultID), solana.MustPublicKeyFromBase58(stabbleVaultID),
	}
}

// gather replaces the call's token transfers by its own and those that a vault
// program made which it called itself, in order. What deeper programs moved (a
// transfer hook) stays out.
func (c *call) gather() {
	c.tokens = c.tokens[:0]
	inVault := false
	for i := c.pos + 1; i < c.end; i++ {
		ix := &c.tx.Instructions[i]
		k := c.p.kindOf(ix)
		own := c.owns(ix)
		if own {
			inVault = k == kindLeaf
		}
		if !own && (!inVault || ix.Depth != c.ix.Depth+2) {
			continue
		}
		if k != kindToken && k != kindToken2022 {
			continue
		}
		if t, ok := tokenMove(ix, k, c.p.keys); ok {
			c.tokens = append(c.tokens, t)
		}
	}
}
