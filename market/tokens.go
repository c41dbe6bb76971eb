package market

import (
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// builtinTokens lists mints that everybody knows, so that a watchlist has names
// without any request. Addresses are the mainnet mints as their issuers state
// them; each was checked in November 2026 against the corpus of real
// transactions (address and decimals) or, where it holds none, against several
// independent public token lists.
func builtinTokens() []swapcast.Token {
	facts := [...]struct {
		mint, symbol, name string
		decimals           uint8
	}{
		{"So11111111111111111111111111111111111111112", "SOL", "Wrapped SOL", 9},
		{"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "USDC", "USD Coin", 6},
		{"Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", "USDT", "USDT", 6},
		{"USD1ttGY1N17NEEHLmELoaybftRBUSErhqYiQzvEmuB", "USD1", "World Liberty Financial USD", 6},
		{"2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo", "PYUSD", "PayPal USD", 6},
		{"USDSwr9ApdHk5bvJKMjzff41FfuX8bSxdKcR81vTwcA", "USDS", "USDS", 6},
		{"HzwqbKZw8HxMN6bF2yFZNrht3c2iXXzpKcFu7uBEDKtr", "EURC", "Euro Coin", 6},
		{"J1toso1uCk3RLmjorhTtrVwY9HJ7X8V9yYac6Y7kGCPn", "JitoSOL", "Jito Staked SOL", 9},
		{"mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So", "mSOL", "Marinade Staked SOL", 9},
		{"bSo13r4TkiE4KumL71LsHTPpL2euBYLFx6h9HP3piy1", "bSOL", "BlazeStake Staked SOL", 9},
		{"jupSoLaHXQiZZTSfEWMTRRgpnyFm8f6sZdosWBjx93v", "jupSOL", "Jupiter Staked SOL", 9},
		{"5oVNBeEEQvYi1cX3ir8Dx5n1P7pdxydbGF2X4TxVusJm", "INF", "Infinity", 9},
		{"JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN", "JUP", "Jupiter", 6},
		{"DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263", "BONK", "Bonk", 5},
		{"EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm", "WIF", "dogwifhat", 6},
		{"7GCihgDB8fe6KNjn2MYtkzZcRjQy3t9GHdC8uHYmW2hr", "POPCAT", "Popcat", 9},
		{"HZ1JovNiVvGrGNiiYvEozEVgZ58xaU3RKwX8eACQBCt3", "PYTH", "Pyth Network", 6},
		{"jtojtomepa8beP8AuQc6eXt5FriJwfFMwQx2v2f9mCL", "JTO", "Jito", 9},
		{"4k3Dyjzvzp8eMZWUXbBCjEvwSkkk59S5iCNLY3QrkX6R", "RAY", "Raydium", 6},
		{"orcaEKTdK7LKz57vaAYr9QeNsVEPfiu6QeMU1kektZE", "ORCA", "Orca", 6},
		{"85VBFQZC9TZkfaptBWjvUw7YbZjy52A6mjtPGjstQAmQ", "W", "Wormhole", 6},
		{"rndrizKT3MK1iimdxRdWabcF7Zg7AR5T4nud4EkHBof", "RENDER", "Render", 8},
		{"hntyVP6YFm1Hg25TN9WGLqM12b8TQmcknKrdu1oxWux", "HNT", "Helium", 8},
		{"mb1eu7TzEc71KxDpsmsKoucSSuuoGLv1drys1oP2jh6", "MOBILE", "Helium Mobile", 6},
		{"MEW1gQWJ3nEXg2qgERiKu7FAFj79PHvQVREQUzScPP5", "MEW", "cat in a dogs world", 5},
		{"ukHH6c7mMyiWCf1b9pnWe25TSpkDDt3H5pQZgZ74J82", "BOME", "Book of Meme", 6},
		{"6p6xgHyF7AeE6TZkSmFsko444wqoP15icUSqi2jfGiPN", "TRUMP", "Official Trump", 6},
		{"9BB6NFEcjBCtnNLFko2FqVQBq8HHM13kCyYcdQbgpump", "FARTCOIN", "Fartcoin", 6},
		{"2qEHjDLDLbuBgRYvsxhc5D6uDWAivNFZGan56P1tpump", "PNUT", "Peanut the Squirrel", 6},
		{"CzLSujWBLFsSjncfkh59rUFqvafWcY5tzedWJSuypump", "GOAT", "Goatseus Maximus", 6},
		{"ED5nyyWEzpPPiWimP8vYm7sD7TD3LAt3Q3gRTWHzPJBY", "MOODENG", "Moo Deng", 6},
		{"HeLp6NuQkmYB4pYWo2zYs22mESHXPQYzXbB8n4V98jwC", "AI16Z", "ai16z", 9},
		{"2zMMhcVQEXDtdE6vsFS7S7D5oUodfJHE8vd1gnBouauv", "PENGU", "Pudgy Penguins", 6},
		{"pumpCmXqMfrsAkQ5r49WcJnRayYRqmXz6ae8H7H9Dfn", "PUMP", "Pump", 6},
		{"cbbtcf3aa214zXHbiAZQwf4122FBYbraNdFqgw4iMij", "cbBTC", "Coinbase Wrapped BTC", 8},
		{"3NZ9JMVBmGAqocybic2c7LQCJScmgsAZ6vQqTDzcqmJh", "WBTC", "Wrapped BTC (Wormhole)", 8},
		{"7vfCXTUXx5WJV5JADk17DUJ4ksgau7utNKj4b963voxs", "WETH", "Wrapped Ether (Wormhole)", 8},
		{"MNDEFzGvMt87ueuHvVU9VcTqsAP5b3fTGPsHuuPA5ey", "MNDE", "Marinade", 9},
		{"DriFtupJYLTosbwoN8koMbEYSx54aFAVLddWsbksjwg7", "DRIFT", "Drift", 6},
		{"KMNo3nJsBXfcpJTVhZcXLW7RmTwTt4GVFE7suUBo9sS", "KMNO", "Kamino", 6},
		{"TNSRxcUxoT9xBG3de7PiJyTDYu7kskLqcpddxnEJAS6", "TNSR", "Tensor", 9},
		{"Grass7B4RdKfBCjTKgSqnXkqjwiGvQyFbuSCUJr3XXjs", "GRASS", "Grass", 9},
		{"BZLbGTNCSFfoth2GYDtwr7e4imWzpR5jqcUuGEwr646K", "IO", "io.net", 8},
		{"J3NKxxXZcnNiMjKw9hYb2K4LUxgwB6t1FtPtQVsv3KFr", "SPX", "SPX6900 (Wormhole)", 8},
		{"63LfDmNb3MQ8mw9MtZ2To9bEA2M71kZUUGq5tiJxcqj9", "GIGA", "Gigachad", 5},
		{"7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU", "SAMO", "Samoyedcoin", 9},
	}
	tokens := make([]swapcast.Token, 0, len(facts))
	for _, f := range facts {
		tokens = append(tokens, swapcast.Token{
			Mint:   solana.MustPublicKeyFromBase58(f.mint),
			Symbol: f.symbol, Name: f.name, Decimals: f.decimals, Known: true,
		})
	}
	return tokens
}

// AddTokens adds token facts, such as those of a simulated market; later facts
// of a mint replace earlier ones. The list is never forgotten, so it bounds
// itself: call it with what is configured, not with what strangers send.
func (m *Market) AddTokens(tokens []swapcast.Token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addTokens(tokens)
}

func (m *Market) addTokens(tokens []swapcast.Token) {
	m.recordTokens(tokens)
	for _, t := range tokens {
		m.tokens[t.Mint] = t
		if ms := m.mints[t.Mint]; ms != nil && t.Known && !ms.reference() {
			m.journal.mint(ms)
			ms.decimals, ms.decimalsKnown = t.Decimals, true
		}
	}
}

// Learn takes what somebody found out about a mint that is followed, and forgets
// it with the mint; of any other it keeps nothing. It changes no price, and is
// not part of what Retract puts back. Any goroutine may call it.
func (m *Market) Learn(t swapcast.Token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mints[t.Mint] != nil {
		m.learned[t.Mint] = t
	}
}

// Token returns what is known of a mint: from the token list, else what was
// learned of it, else the decimals that its swaps showed. False where nothing is
// known.
func (m *Market) Token(mint solana.PublicKey) (swapcast.Token, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	t, listed := m.tokens[mint]
	if l, ok := m.learned[mint]; ok {
		if t.Symbol == "" {
			t.Symbol = l.Symbol
		}
		if t.Name == "" {
			t.Name = l.Name
		}
		if !t.Known {
			t.Decimals, t.Known = l.Decimals, l.Known
		}
		t.Supply, t.SupplyKnown, t.Program = l.Supply, l.SupplyKnown, l.Program
	}
	t.Mint = mint
	if ms := m.mints[mint]; ms != nil {
		if !t.Known {
			t.Decimals, t.Known = ms.decimals, ms.decimalsKnown
		}
		return t, true
	}
	return t, listed
}
