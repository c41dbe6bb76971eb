package sim

import (
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// tokenSpec is one listed mint: a real mainnet address with its real decimals
// and token program, and the made-up life that the simulation gives it.
//
// Addresses and decimals were checked in November 2026 against real
// transactions (WIF, POPCAT, BONK, RAY, JUP, JTO, PYTH, MEW, TRUMP, mSOL,
// cbBTC, W, jitoSOL, bSOL) or against several independent public token lists
// (ORCA, PENGU, FARTCOIN, PUMP). PUMP is a Token-2022 mint.
type tokenSpec struct {
	symbol, name, address string
	decimals              uint8
	token22               bool
	usd                   float64 // price at the start, US dollars a whole token
	vol                   float64 // yearly volatility of its own part
	beta                  float64 // share of SOL's move that it follows
	fairSOL               float64 // for staked SOL: whole SOL that one is worth; 0 otherwise
}

// The listed mints; the first three are the quotes.
const (
	tokSOL = iota
	tokUSDC
	tokUSDT
)

//nolint:gochecknoglobals // a table, never written
var tokenSpecs = []tokenSpec{
	{symbol: "SOL", name: "Wrapped SOL", address: swapcast.NativeMintAddress, decimals: 9, usd: 162, vol: 0.80},
	{symbol: "USDC", name: "USD Coin", address: swapcast.USDCAddress, decimals: 6, usd: 1},
	{symbol: "USDT", name: "USDT", address: swapcast.USDTAddress, decimals: 6, usd: 0.9998, vol: 0.004},
	{symbol: "JUP", name: "Jupiter", address: "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN", decimals: 6, usd: 0.52, vol: 0.9, beta: 0.9},
	{symbol: "BONK", name: "Bonk", address: "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263", decimals: 5, usd: 0.0000231, vol: 1.2, beta: 1.2},
	{symbol: "WIF", name: "dogwifhat", address: "EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm", decimals: 6, usd: 0.87, vol: 1.3, beta: 1.2},
	{symbol: "PYTH", name: "Pyth Network", address: "HZ1JovNiVvGrGNiiYvEozEVgZ58xaU3RKwX8eACQBCt3", decimals: 6, usd: 0.118, vol: 1.0, beta: 0.9},
	{symbol: "JTO", name: "JITO", address: "jtojtomepa8beP8AuQc6eXt5FriJwfFMwQx2v2f9mCL", decimals: 9, usd: 1.93, vol: 0.9, beta: 0.9},
	{symbol: "RAY", name: "Raydium", address: "4k3Dyjzvzp8eMZWUXbBCjEvwSkkk59S5iCNLY3QrkX6R", decimals: 6, usd: 2.64, vol: 0.9, beta: 1},
	{symbol: "ORCA", name: "Orca", address: "orcaEKTdK7LKz57vaAYr9QeNsVEPfiu6QeMU1kektZE", decimals: 6, usd: 2.31, vol: 1.0, beta: 0.9},
	{symbol: "mSOL", name: "Marinade staked SOL", address: "mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So", decimals: 9, vol: 0.006, fairSOL: 1.318},
	{symbol: "jitoSOL", name: "Jito Staked SOL", address: "J1toso1uCk3RLmjorhTtrVwY9HJ7X8V9yYac6Y7kGCPn", decimals: 9, vol: 0.006, fairSOL: 1.233},
	{symbol: "bSOL", name: "BlazeStake Staked SOL", address: "bSo13r4TkiE4KumL71LsHTPpL2euBYLFx6h9HP3piy1", decimals: 9, vol: 0.006, fairSOL: 1.262},
	{symbol: "W", name: "Wormhole Token", address: "85VBFQZC9TZkfaptBWjvUw7YbZjy52A6mjtPGjstQAmQ", decimals: 6, usd: 0.0812, vol: 1.0, beta: 0.9},
	{symbol: "POPCAT", name: "POPCAT", address: "7GCihgDB8fe6KNjn2MYtkzZcRjQy3t9GHdC8uHYmW2hr", decimals: 9, usd: 0.294, vol: 1.4, beta: 1.2},
	{symbol: "MEW", name: "cat in a dogs world", address: "MEW1gQWJ3nEXg2qgERiKu7FAFj79PHvQVREQUzScPP5", decimals: 5, usd: 0.00281, vol: 1.3, beta: 1.1},
	{symbol: "TRUMP", name: "OFFICIAL TRUMP", address: "6p6xgHyF7AeE6TZkSmFsko444wqoP15icUSqi2jfGiPN", decimals: 6, usd: 8.74, vol: 1.1, beta: 0.9},
	{symbol: "PENGU", name: "Pudgy Penguins", address: "2zMMhcVQEXDtdE6vsFS7S7D5oUodfJHE8vd1gnBouauv", decimals: 6, usd: 0.0312, vol: 1.3, beta: 1.1},
	{symbol: "FARTCOIN", name: "Fartcoin", address: "9BB6NFEcjBCtnNLFko2FqVQBq8HHM13kCyYcdQbgpump", decimals: 6, usd: 0.93, vol: 1.5, beta: 1.3},
	{symbol: "PUMP", name: "Pump", address: "pumpCmXqMfrsAkQ5r49WcJnRayYRqmXz6ae8H7H9Dfn", decimals: 6, token22: true, usd: 0.00462, vol: 1.4, beta: 1.1},
	{symbol: "cbBTC", name: "Coinbase Wrapped BTC", address: "cbbtcf3aa214zXHbiAZQwf4122FBYbraNdFqgw4iMij", decimals: 8, usd: 108400, vol: 0.42, beta: 0.25},
}

// Tokens returns the mints that every market lists, with real addresses and
// decimals. Tokens that launch while the market runs are not in it: they carry
// their name in the instruction that creates them. The caller owns the slice.
func Tokens() []swapcast.Token {
	out := make([]swapcast.Token, len(tokenSpecs))
	for i := range tokenSpecs {
		s := &tokenSpecs[i]
		out[i] = swapcast.Token{
			Mint:     solana.MustPublicKeyFromBase58(s.address),
			Symbol:   s.symbol,
			Name:     s.name,
			Decimals: s.decimals,
			Known:    true,
			Program:  solana.TokenProgramID,
		}
		if s.token22 {
			out[i].Program = solana.Token2022ProgramID
		}
	}
	return out
}
