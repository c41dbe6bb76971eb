package sim

import (
	"math"

	"github.com/gagliardetto/solana-go"
)

//nolint:gochecknoglobals // 32 zero bytes and discriminators, never written
var (
	zeroKey  solana.PublicKey
	discBuy  = []byte{0x66, 0x06, 0x3d, 0x12, 0x01, 0xda, 0xeb, 0xea}
	discSell = []byte{0x33, 0xe6, 0x85, 0xa4, 0x01, 0x7f, 0x83, 0xad}
)

type dexes struct {
	rayV4, cpmm, clmm, whirl, dlmm, pump, pumpSwap, dammV2 *dex
}

// sharedAccts are the real accounts that a program has one of. Balances are
// rounded from real transactions. It has many fields because it is a list: each
// is written once and read by one file.
type sharedAccts struct {
	rayV4Auth, openbook                              *acct
	cpmmAuth, cpmmConfig                             *acct
	clmmConfig                                       [3]*acct
	dammAuth                                         *acct
	pumpGlobal, pumpFeeTo, pumpVolume, pumpFeeConfig *acct
	pumpBuyback, pumpMintAuth, feeProgram            *acct
	mayhemProgram, mayhemParams, mayhemVault         *acct
	swapConfig, swapFeeTo, swapVolume, swapFeeConfig *acct
	swapFeeTokens                                    map[*mint]*acct
	jupAuth                                          [2]*acct
	jupTokens                                        [2]map[*mint]*acct
	migrator                                         *acct
}

func (m *Market) makeShared() {
	d := func(name, program string, lamports uint64, event string, label byte) *dex {
		x := &dex{name: name, program: m.real(program, lamports), label: label}
		if event != "" {
			x.event = m.real(event, 0)
		}
		return x
	}
	m.dexes = dexes{
		rayV4:    d("raydium-v4", "675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8", 2_500_659_979, "", 7),
		cpmm:     d("raydium-cpmm", "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C", 45_791_736, "", 46),
		clmm:     d("raydium-clmm", "CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK", 1_844_545_650, "", 26),
		whirl:    d("orca-whirlpool", "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc", 1_141_443, "", 17),
		dlmm:     d("meteora-dlmm", "LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo", 32_941_449, "D1ZN9Wj1fRSUQfCjhvnu1hqDMT7hzjzBBpi12nVniYD6", 38),
		pump:     d("pumpfun", "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P", 8_502_112_342, "Ce6TQqeHC9p8KetsN6JsjHK7UTZk7nasjjnr7XxXp9F1", 0),
		pumpSwap: d("pumpswap", "pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA", 109_153_247, "GS4CU59F31iL7aR2Q8zVS8DRrcRnXX1yjQ66TqNVQnaR", 93),
		dammV2:   d("meteora-damm-v2", "cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG", 1_141_506, "3rmHSu74h1ZcmAisVcWerTCiRDQbUrBKmcwptYGjHfet", 77),
	}
	m.shared = sharedAccts{
		rayV4Auth:     m.real("5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1", 32_327_908_436),
		openbook:      m.real("srmqPvymJeFKQ4zGQed1GFppgkRHL9kaELCbyksJtPX", 1_506_941_574),
		cpmmAuth:      m.real("GpMZbSM2GgvTKHJirzeGfMFoaZ8UR2X7F4v8vHTvxFbL", 1_219_715_590_662),
		cpmmConfig:    m.real("D4FPEruKEHrG5TenZ2mpDGEfu1iUvTiqBxvpU8HLBvC2", 2_533_469),
		dammAuth:      m.real("HLnpSz9h2S4hiLQ43rnSD9XkcUThA7B8hQMKmDaiTLcC", 36_639_041_596),
		pumpGlobal:    m.real("4wTV1YmiEkRvAtNtsSGPtUrqRYQMe5SKy2uB4Jjaxnjf", 4_089_612_038),
		pumpFeeTo:     m.real("G5UZAVbAf46s7cKWoyKu8kYTip9DGTpbLZ2qa9Aq69dP", 9_339_816_446_339),
		pumpVolume:    m.real("Hq2wp8uJ9jCPsYgNHex8RtqdvMPfVGoYwjvF1ATiwn2Y", 17_016_138),
		pumpFeeConfig: m.real("8Wf5TiAheLUqBrKXeYg2JtAFFMWtKdG2BSFgqUcPVwTt", 37_290_293),
		pumpBuyback:   m.real("5YxQFdt3Tr9zJLvkFccqXVUwhdTWJQc1fFg2YPbxvxeD", 1_283_540_085),
		pumpMintAuth:  m.real("TSLvdd1pWpHVjahSpsvCXUbgwsL3JAcvokwaKt1eokM", 1_020_235_880),
		feeProgram:    m.real("pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ", 6_046_720),
		mayhemProgram: m.real("MAyhSmzXzV1pTf7LsNkrNwkWKTo4ougAJ1PPg47MD4e", 11_149_834),
		mayhemParams:  m.real("13ec7XdrjF3h3YcqBTFDSReRcUFwbCnJaAQspM4j6DDJ", 3_104_160),
		mayhemVault:   m.real("BwWK17cbHxwWBKZkUYvzxLcNQ1YVyaFezduWbtm2de6s", 46_722_001_573_954),
		swapConfig:    m.real("ADyA8hdefvWN2dbGGWFotbzWxrAvLW83WG6QCVXvJKqw", 4_457_501),
		swapFeeTo:     m.real("FWsW1xNtWscwNmKv6wVsU1iTzRN6wmmk3MjxRP5tT7hz", 8_261_645_519_933),
		swapVolume:    m.real("C2aFPdENg4A2HQsmrd5rTw5TaYBX5Ku887cWjbFKtZpw", 25_068_895),
		swapFeeConfig: m.real("5PHirr8joyTMp9JMm6nW7hNDVyEYdkzDqazxPD7RaTjx", 18_374_406),
		migrator:      m.real("39azUYFWPz3VHgKCf3VChUwbpURdCHRxjWVowf5jUJjg", 1_000_000_000),
		swapFeeTokens: make(map[*mint]*acct),
	}
	for i, k := range [...]string{
		"3h2e43PunVA5K34vwKCLHWhZF4aZpyaC9RmxvshGAQpL",
		"E64NGkDLLCdQ2yFNPcavaKptrEgmiQaNykUuLC1Qgwyp",
		"9iFER3bpjf1PTTCQCfTRu17EJgvsxo9pVyA9QWwEuX4x",
	} {
		m.shared.clmmConfig[i] = m.real(k, 1_709_408)
	}
	for i, k := range [...]string{
		"GGztQqQ6pCPaJQnNpXBgELr5cs3WwDakRbh1iEMzjgSJ",
		"6LXutJvKUw8Q5ue2gCgKHQdAN4suWW8awzFVC6XCguFx",
	} {
		m.shared.jupAuth[i] = m.real(k, 2_103_217_742)
		m.shared.jupTokens[i] = make(map[*mint]*acct)
	}
}

func (m *Market) makeMints() {
	for i := range tokenSpecs {
		s := &tokenSpecs[i]
		mn := &mint{
			acct:     m.real(s.address, rentMint),
			index:    i,
			symbol:   s.symbol,
			decimals: s.decimals,
			native:   i == tokSOL,
			program:  m.prog.token,
			unit:     math.Pow10(int(s.decimals)),
			rent:     rentToken,
		}
		if s.token22 {
			mn.program, mn.rent = m.prog.token22, rentToken22
		}
		usd := s.usd
		if s.fairSOL > 0 {
			usd = s.fairSOL * tokenSpecs[tokSOL].usd
		}
		m.mints = append(m.mints, mn)
		m.mids = append(m.mids, usd)
		m.lst = append(m.lst, 1)
	}
	m.mid0 = append([]float64(nil), m.mids...)
	for i, auth := range m.shared.jupAuth {
		for _, mn := range m.mints {
			a := m.newATA(auth, mn, uint64(5*mn.unit/m.mids[mn.index])+uint64(m.rng.n(1000)))
			m.list(a)
			m.shared.jupTokens[i][mn] = a
		}
	}
	for _, mn := range m.mints {
		a := m.newATA(m.shared.swapFeeTo, mn, uint64(1000*mn.unit/m.mids[mn.index]))
		m.list(a)
		m.shared.swapFeeTokens[mn] = a
	}
}

// newPool makes the common parts of a pool that holds x of a and y of b. A nil
// authority means that the pool itself owns its vaults.
func (m *Market) newPool(d *dex, a, b *mint, x, y uint64, auth *acct) pool {
	p := pool{m: m, dex: d, id: m.listed(6_124_800), a: a, b: b, auth: auth}
	if auth == nil {
		p.auth = p.id
	}
	p.vaultA, p.vaultB = m.newToken(p.auth, a, x), m.newToken(p.auth, b, y)
	m.list(p.vaultA)
	m.list(p.vaultB)
	return p
}

// add makes a pool known to the traders.
func (m *Market) add(v venue) {
	m.venues = append(m.venues, v)
	p := v.base()
	if p.a.index >= 0 && p.b.index >= 0 {
		k := pairKey(p.a.index, p.b.index)
		m.byPair[k] = append(m.byPair[k], v)
	}
}

func pairKey(a, b int) [2]int {
	if a > b {
		a, b = b, a
	}
	return [2]int{a, b}
}

// rawPrice is the true mid of a in b: raw units of b for one raw unit of a.
func (m *Market) rawPrice(a, b *mint) float64 {
	return m.mids[a.index] / a.unit / (m.mids[b.index] / b.unit)
}

// usdRaw is the US dollar value of one raw unit.
func (m *Market) usdRaw(mn *mint) float64 { return m.mids[mn.index] / mn.unit }

// poolSpec is one pool of the first state.
type poolSpec struct {
	dex  int
	a, b string
	tvl  float64 // US dollars, both sides
	fee  uint64  // parts per million; a bin step in basis points for DLMM
}

const (
	rV4 = iota
	rCPMM
	rCLMM
	oWhirl
	mDLMM
	pSwap
	mDAMM
)

//nolint:gochecknoglobals // a table, never written
var poolSpecs = []poolSpec{
	{oWhirl, "SOL", "USDC", 32e6, 400},
	{rCLMM, "SOL", "USDC", 18e6, 400},
	{rV4, "SOL", "USDC", 14e6, 2500},
	{mDLMM, "SOL", "USDC", 9e6, 10},
	{oWhirl, "SOL", "USDT", 7e6, 400},
	{rCLMM, "SOL", "USDT", 4e6, 400},
	{mDAMM, "SOL", "USDC", 3e6, 2500},
	{rCPMM, "SOL", "USDC", 2e6, 2500},
	{rV4, "SOL", "USDT", 3e6, 2500},
	{oWhirl, "USDC", "USDT", 9e6, 100},
	{rCLMM, "USDC", "USDT", 5e6, 100},
	{oWhirl, "JUP", "SOL", 2.2e6, 3000},
	{rCLMM, "JUP", "USDC", 1.6e6, 2500},
	{mDLMM, "JUP", "SOL", 2.4e6, 25},
	{rV4, "JUP", "SOL", 6e5, 2500},
	{oWhirl, "BONK", "SOL", 2.6e6, 3000},
	{rCLMM, "BONK", "SOL", 1.8e6, 2500},
	{mDLMM, "BONK", "USDC", 1.4e6, 50},
	{rV4, "BONK", "SOL", 9e5, 2500},
	{rV4, "WIF", "SOL", 3.6e6, 2500},
	{oWhirl, "WIF", "SOL", 1.5e6, 3000},
	{mDLMM, "WIF", "USDC", 1.1e6, 50},
	{rCLMM, "WIF", "USDC", 7e5, 2500},
	{oWhirl, "PYTH", "SOL", 9e5, 3000},
	{rCLMM, "PYTH", "USDC", 7e5, 2500},
	{rCPMM, "PYTH", "SOL", 4e5, 2500},
	{oWhirl, "JTO", "SOL", 1.1e6, 3000},
	{mDLMM, "JTO", "USDC", 8e5, 25},
	{rCLMM, "JTO", "SOL", 6e5, 2500},
	{rV4, "RAY", "SOL", 4.2e6, 2500},
	{rV4, "RAY", "USDC", 3.1e6, 2500},
	{rCLMM, "RAY", "SOL", 1.4e6, 2500},
	{mDLMM, "RAY", "SOL", 7e5, 25},
	{oWhirl, "ORCA", "SOL", 1.2e6, 3000},
	{oWhirl, "ORCA", "USDC", 9e5, 3000},
	{rCPMM, "ORCA", "SOL", 3e5, 2500},
	{oWhirl, "mSOL", "SOL", 3.4e6, 100},
	{mDLMM, "mSOL", "SOL", 1.6e6, 1},
	{rV4, "mSOL", "SOL", 8e5, 2500},
	{oWhirl, "jitoSOL", "SOL", 5.2e6, 100},
	{mDLMM, "jitoSOL", "SOL", 2.2e6, 1},
	{rCLMM, "jitoSOL", "SOL", 1.9e6, 100},
	{oWhirl, "bSOL", "SOL", 1.1e6, 100},
	{rCLMM, "bSOL", "SOL", 5e5, 100},
	{rCPMM, "bSOL", "SOL", 3e5, 2500},
	{rCLMM, "W", "SOL", 7e5, 2500},
	{mDLMM, "W", "USDC", 6e5, 25},
	{oWhirl, "W", "SOL", 5e5, 3000},
	{rV4, "POPCAT", "SOL", 3.2e6, 2500},
	{mDLMM, "POPCAT", "SOL", 1.3e6, 80},
	{rCLMM, "POPCAT", "USDC", 8e5, 2500},
	{rCLMM, "MEW", "SOL", 2.1e6, 2500},
	{rV4, "MEW", "SOL", 1.2e6, 2500},
	{oWhirl, "MEW", "USDC", 6e5, 3000},
	{mDLMM, "TRUMP", "USDC", 9e6, 50},
	{rCLMM, "TRUMP", "SOL", 3e6, 2500},
	{oWhirl, "TRUMP", "SOL", 1.6e6, 3000},
	{mDAMM, "TRUMP", "USDC", 9e5, 2500},
	{mDLMM, "PENGU", "SOL", 1.9e6, 50},
	{oWhirl, "PENGU", "SOL", 1.3e6, 3000},
	{rCPMM, "PENGU", "SOL", 8e5, 2500},
	{mDAMM, "PENGU", "USDC", 5e5, 2500},
	{rV4, "FARTCOIN", "SOL", 5.4e6, 2500},
	{rCLMM, "FARTCOIN", "USDC", 1.7e6, 2500},
	{mDLMM, "FARTCOIN", "SOL", 1.5e6, 80},
	{pSwap, "FARTCOIN", "SOL", 9e5, 0},
	{pSwap, "PUMP", "SOL", 6.1e6, 0},
	{rCLMM, "PUMP", "SOL", 2.7e6, 2500},
	{mDLMM, "PUMP", "USDC", 1.8e6, 50},
	{oWhirl, "PUMP", "USDC", 1.1e6, 3000},
	{mDAMM, "PUMP", "SOL", 7e5, 2500},
	{pSwap, "PENGU", "SOL", 5e5, 0},
	{pSwap, "WIF", "SOL", 4e5, 0},
	{mDAMM, "JUP", "SOL", 4e5, 2500},
	{rCPMM, "POPCAT", "SOL", 4e5, 2500},
	{oWhirl, "cbBTC", "SOL", 4e6, 400},
	{oWhirl, "cbBTC", "USDC", 5e6, 400},
	{rCLMM, "cbBTC", "SOL", 2e6, 400},
	{mDLMM, "cbBTC", "USDC", 1.8e6, 10},
}

func (m *Market) makePools() {
	by := make(map[string]*mint)
	for _, mn := range m.mints {
		by[mn.symbol] = mn
	}
	for i := range poolSpecs {
		s := &poolSpecs[i]
		a, b := by[s.a], by[s.b]
		// Pools do not start at exactly the same price.
		price := m.rawPrice(a, b) * (1 + float64(0.0008*m.rng.norm()))
		value := s.tvl / m.usdRaw(b) // both sides in raw b
		x, y := uint64(value/2/price), uint64(value/2)
		switch s.dex {
		case rV4:
			m.add(m.newRaydiumV4(a, b, x, y))
		case rCPMM:
			m.add(m.newRaydiumCPMM(a, b, x, y, s.fee))
		case rCLMM:
			m.add(m.newRaydiumCLMM(a, b, price, value, s.fee))
		case oWhirl:
			m.add(m.newWhirlpool(a, b, price, value, s.fee))
		case mDLMM:
			m.add(m.newDLMM(a, b, price, value, s.fee))
		case pSwap:
			m.add(m.newPumpSwap(a, b, x, y, nil))
		case mDAMM:
			m.add(m.newDAMMv2(a, b, price, value, s.fee))
		}
	}
}

const (
	walletCount = 1200
	botCount    = 24
)

func (m *Market) makeWallets() {
	const sol = 1_000_000_000
	m.tip = m.newAcct(1_462_570)
	m.bank = m.newWallet(100_000_000*sol, false)
	for _, mn := range m.mints {
		// A thousand million dollars of each token: more than any run moves.
		m.bank.toks[mn.index] = m.newATA(m.bank.acct, mn, uint64(1e9/m.mids[mn.index]*mn.unit))
	}
	for range botCount {
		w := m.newWallet(50_000*sol, true)
		for _, mn := range m.mints {
			w.toks[mn.index] = m.newATA(w.acct, mn, uint64(2e7/m.mids[mn.index]*mn.unit))
		}
		m.bots = append(m.bots, w)
	}
	for range walletCount {
		w := m.newWallet(uint64(m.rng.logNormal(12, 1.1)*sol), false)
		for _, mn := range m.mints[1:] {
			if mn.index == tokUSDC || m.rng.chance(0.25) {
				usd := m.rng.logNormal(800, 1.3)
				w.toks[mn.index] = m.newATA(w.acct, mn, uint64(usd/m.mids[mn.index]*mn.unit))
			}
		}
		m.wallets = append(m.wallets, w)
	}
	for range 12 {
		m.voters = append(m.voters, voter{id: m.newAcct(30 * sol), account: m.newAcct(27_074_400)})
	}
}

// voter is a validator that votes.
type voter struct{ id, account *acct }

// volumeOf is a wallet's Pump.fun volume account.
func (m *Market) volumeOf(w *wallet) *acct {
	a := m.volumes[w]
	if a == nil {
		a = m.newAcct(0)
		m.volumes[w] = a
	}
	return a
}
