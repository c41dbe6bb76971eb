package swapcast

import (
	"fmt"

	"github.com/gagliardetto/solana-go"
)

// Mints that prices are quoted against. Each is the mint's base58 address.
const (
	// NativeMintAddress is wrapped SOL; native SOL is reported under it too.
	NativeMintAddress = "So11111111111111111111111111111111111111112"
	// USDCAddress is Circle's USD Coin on Solana, 6 decimals.
	USDCAddress = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
	// USDTAddress is Tether's USDT on Solana, 6 decimals.
	USDTAddress = "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"
)

// NativeMint returns the wrapped SOL mint.
func NativeMint() solana.PublicKey { return nativeMint }

// USDC returns the mint of USD Coin.
func USDC() solana.PublicKey { return usdc }

// USDT returns the mint of Tether.
func USDT() solana.PublicKey { return usdt }

// Constants in all but syntax: Go has no constant arrays.
//
//nolint:gochecknoglobals // fixed 32-byte keys, never written
var (
	nativeMint = solana.MustPublicKeyFromBase58(NativeMintAddress)
	usdc       = solana.MustPublicKeyFromBase58(USDCAddress)
	usdt       = solana.MustPublicKeyFromBase58(USDTAddress)
)

// ParseKey reads a base58 public key as clients send it. Any other text is
// ErrInvalidKey; input longer than a key can be is refused before decoding.
func ParseKey(s string) (solana.PublicKey, error) {
	if len(s) < 32 || len(s) > 44 {
		return solana.PublicKey{}, fmt.Errorf("%d characters: %w", len(s), ErrInvalidKey)
	}
	k, err := solana.PublicKeyFromBase58(s)
	if err != nil {
		return solana.PublicKey{}, fmt.Errorf("%w", ErrInvalidKey)
	}
	return k, nil
}
