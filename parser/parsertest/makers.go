package parsertest

import (
	"encoding/base64"

	"github.com/gagliardetto/solana-go"
)

// makers lists every DEX's fixture maker. Layouts are written out here a second
// time, from the same public documents as the parser's, so that a slip in one
// place shows.
func makers() []maker {
	return append([]maker{
		{dex: "raydium-v4", swap: raydiumV4},
		{dex: "raydium-cpmm", swap: raydiumCPMM, quote: USDC()},
		{dex: "raydium-clmm", swap: raydiumCLMM},
		{dex: "orca-whirlpool", swap: whirlpool, quote: USDC()},
		{dex: "meteora-dlmm", swap: dlmm},
		{dex: "meteora-damm-v2", swap: dammV2},
		{dex: "pumpfun", swap: pumpFun},
		{dex: "pumpswap", swap: pumpSwap},
		{dex: "phoenix", swap: phoenix, quote: USDC()},
		{dex: "openbook-v2", swap: openbookV2},
		{dex: "lifinity-v2", swap: lifinityV2},
		{dex: "solfi", swap: solfi, quote: USDC()},
		{dex: "zerofi", swap: zerofi},
		{dex: "humidifi", swap: humidifi},
		{dex: "obric-v2", swap: obricV2},
		{dex: "goonfi", swap: goonfi, quote: USDC()},
		{dex: "tessera", swap: tessera},
		{dex: "invariant", swap: invariant, quote: USDC()},
	}, padMakers()...)
}

type keysAt = map[int]solana.PublicKey

// raydiumV4 is swap_base_in with 18 accounts, plain transfers and a ray_log.
func raydiumV4(s *scene) {
	s.begin("675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8",
		s.data([]byte{9}, U64(s.in), U64(1)), 18, keysAt{
			0: solana.TokenProgramID, 1: s.pool, 2: s.auth, 5: s.vaultA, 6: s.vaultQ,
			15: s.userIn(), 16: s.userOut(), 17: s.user,
		})
	direction := uint64(2) // the asset is the coin
	if s.buy {
		direction = 1
	}
	// The curve's reserves are less than the vaults': profit is yet to be taken.
	log := Join([]byte{3}, U64(s.in), U64(1), U64(direction), U64(s.b.Amount(s.userIn())),
		U64(s.b.Amount(s.vaultA)-1_000), U64(s.b.Amount(s.vaultQ)-2_000), U64(s.out))
	s.b.Log("ray_log: " + base64.StdEncoding.EncodeToString(log))
	s.b.TransferPlain(s.userIn(), s.vaultIn(), s.user, s.in)
	s.b.TransferPlain(s.vaultOut(), s.userOut(), s.auth, s.out)
	s.b.End()
}

// raydiumCPMM is swap_base_input with the longer event of late 2025.
func raydiumCPMM(s *scene) {
	s.begin("CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C",
		s.data(Hex("8fbe5adac41e33de"), U64(s.in), U64(1)), 13, keysAt{
			0: s.user, 1: s.auth, 3: s.pool, 4: s.userIn(), 5: s.userOut(), 6: s.vaultIn(), 7: s.vaultOut(),
			10: s.mintIn().Key, 11: s.mintOut().Key,
		})
	s.b.LogData(Join(Hex("40c6cde8260871e2"), s.pool[:],
		U64(s.b.Amount(s.vaultIn())), U64(s.b.Amount(s.vaultOut())), U64(s.in), U64(s.out), U64(0), U64(0), []byte{1},
		key(s.mintIn().Key), key(s.mintOut().Key), U64(s.in/400), U64(0), []byte{1}))
	s.swapTransfers()
	s.b.End()
}

func key(k solana.PublicKey) []byte { return k[:] }

// raydiumCLMM is swap_v2 with the logged event; the asset is token 0.
func raydiumCLMM(s *scene) {
	s.begin("CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK",
		s.data(Hex("2b04ed0b1ac91e62"), U64(s.in), U64(1), U128(0, 0), []byte{1}), 15, keysAt{
			0: s.user, 2: s.pool, 3: s.userIn(), 4: s.userOut(), 5: s.vaultIn(), 6: s.vaultOut(),
			11: s.mintIn().Key, 12: s.mintOut().Key,
		})
	s.swapTransfers()
	zero, amount0, amount1 := byte(1), s.in, s.out
	if s.buy {
		zero, amount0, amount1 = 0, s.out, s.in
	}
	s.b.LogData(Join(Hex("40c6cde8260871e2"), s.pool[:], s.user[:], key(s.userA), key(s.userQ),
		U64(amount0), U64(0), U64(amount1), U64(0), []byte{zero}, sqrtPrice(0.04), U128(1, 0), []byte{1, 0, 0, 0}))
	s.b.End()
}

// whirlpool is swap with the logged event; the asset is token a.
func whirlpool(s *scene) {
	aToB := byte(1)
	if s.buy {
		aToB = 0
	}
	s.begin("whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc",
		s.data(Hex("f8c69e91e17587c8"), U64(s.in), U64(1), U128(0, 0), []byte{1, aToB}), 11, keysAt{
			0: solana.TokenProgramID, 1: s.user, 2: s.pool, 3: s.userA, 4: s.vaultA, 5: s.userQ, 6: s.vaultQ,
		})
	s.swapTransfers()
	s.b.LogData(Join(Hex("e1ca49af932ba096"), s.pool[:], []byte{aToB}, sqrtPrice(0.0401), sqrtPrice(0.04),
		U64(s.in), U64(s.out), U64(0), U64(0), U64(s.in/1_000*2), U64(s.in/1_000)))
	s.b.End()
}

// dlmm is swap2 with the event that it sends to itself; the asset is x.
func dlmm(s *scene) {
	forY := byte(1)
	if s.buy {
		forY = 0
	}
	s.begin("LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo",
		s.data(Hex("414b3f4ceb5b5b88"), U64(s.in), U64(1), []byte{0, 0, 0, 0}), 17, keysAt{
			0: s.pool, 2: s.vaultA, 3: s.vaultQ, 4: s.userIn(), 5: s.userOut(), 6: s.asset.Key, 7: s.quote.Key, 10: s.user,
		})
	s.b.Event(Join(Hex("516ce3becdd00ac4"), s.pool[:], s.user[:], []byte{1, 0, 0, 0, 2, 0, 0, 0},
		U64(s.in), U64(s.out), []byte{forY}, U64(s.in/500), U64(s.in/10_000), U128(2_000_000, 0), U64(0)))
	s.swapTransfers()
	s.b.End()
}

// dammV2 is swap2 with the newer event; the asset is token a.
func dammV2(s *scene) {
	direction := byte(0)
	if s.buy {
		direction = 1
	}
	s.begin("cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG",
		s.data(Hex("414b3f4ceb5b5b88"), U64(s.in), U64(1), []byte{0}), 14, keysAt{
			0: s.auth, 1: s.pool, 2: s.userIn(), 3: s.userOut(), 4: s.vaultA, 5: s.vaultQ, 6: s.asset.Key, 7: s.quote.Key, 8: s.user,
		})
	s.swapTransfers()
	fee := s.in / 100
	s.b.Event(Join(Hex("bd4233a826507599"), s.pool[:], []byte{direction, 0, 0},
		U64(s.in), U64(1), []byte{0},
		U64(s.in), U64(s.in-fee), U64(0), U64(s.out), sqrtPrice(0.04), U64(fee/5*4), U64(fee/5), U64(0), U64(0),
		U64(s.in), U64(s.out), U64(s.out), U64(1_795_500_000), U64(s.b.Amount(s.vaultA)), U64(s.b.Amount(s.vaultQ))))
	s.b.End()
}

// pumpFun is buy and sell on a bonding curve: lamports against the asset.
func pumpFun(s *scene) {
	b := s.b
	curve := b.Lamports(s.pool, 20_000_000_000)
	fees, creator := b.Lamports(Key("pump fees"), 1), b.Lamports(Key("pump creator"), 1)
	payer := s.user
	if b.Amount(s.userQ) > 0 && s.buy && s.user != Key("the trader") {
		b.Lamports(payer, 5_000_000_000) // the router's authority holds SOL itself
	}
	disc, limit := "66063d1201daebea", s.in*2
	amount := s.out
	if !s.buy {
		disc, limit, amount = "33e685a4017f83ad", 0, s.in
	}
	s.begin("6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P",
		s.data(Hex(disc), U64(amount), U64(limit)), 16, keysAt{
			1: fees, 2: s.asset.Key, 3: curve, 4: s.vaultA, 5: s.userA, 6: payer, 7: solana.SystemProgramID, 9: creator,
		})
	sol, isBuy := s.in, byte(1)
	if !s.buy {
		sol, isBuy = s.out, 0
	}
	fee, creatorFee := sol*95/10_000, sol*5/10_000
	if s.buy {
		b.Pay(payer, fees, fee)
		b.Pay(payer, curve, sol)
		b.Transfer(s.vaultA, s.userA, s.auth, amount)
		b.Pay(payer, creator, creatorFee)
		b.Pay(payer, creator, 890_880) // rent of the creator's vault: not the trade's
	} else {
		b.Transfer(s.userA, s.vaultA, payer, amount)
		b.Shift(curve, fees, fee)
		b.Shift(curve, creator, creatorFee)
		b.Shift(curve, payer, sol-fee-creatorFee)
	}
	real := b.tx.PostBalances[b.account(curve)]
	b.Event(Join(Hex("bddb7fd34ee661ee"), s.asset.Key[:], U64(sol), U64(amount), []byte{isBuy}, payer[:], U64(1_795_500_000),
		U64(real+30_000_000_000), U64(b.Amount(s.vaultA)+73_000_000_000), U64(real), U64(b.Amount(s.vaultA)),
		fees[:], U64(95), U64(fee), creator[:], U64(5), U64(creatorFee),
		[]byte{0}, U64(0), U64(0), U64(0), U64(0)))
	b.End()
}

// pumpSwap is buy and sell; fees of the quote go to two others.
func pumpSwap(s *scene) {
	b := s.b
	fees := b.Account("pumpswap fees", Key("pumpswap fee owner"), s.quote, 1_000)
	creator := b.Account("pumpswap creator", Key("pumpswap creator owner"), s.quote, 1_000)
	disc, event := "66063d1201daebea", "67f4521f2cf57777"
	args := Join(U64(s.out), U64(s.in*2), []byte{1})
	if !s.buy {
		disc, event, args = "33e685a4017f83ad", "3e2f370aa503dc2a", Join(U64(s.in), U64(1))
	}
	s.begin("pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA", s.data(Hex(disc), args), 23, keysAt{
		0: s.pool, 1: s.user, 3: s.asset.Key, 4: s.quote.Key, 5: s.userA, 6: s.userQ, 7: s.vaultA, 8: s.vaultQ, 10: fees, 17: creator,
	})
	poolA, poolQ := b.Amount(s.vaultA), b.Amount(s.vaultQ)
	base, quote := s.out, s.in
	if !s.buy {
		base, quote = s.in, s.out
	}
	lp, protocol, coin := quote*20/10_000, quote*5/10_000, quote*5/10_000
	withLP, user := quote+lp, quote+lp+protocol+coin
	if s.buy {
		b.Transfer(s.vaultA, s.userA, s.auth, base)
		b.Transfer(s.userQ, s.vaultQ, s.user, withLP)
		b.Transfer(s.userQ, fees, s.user, protocol)
		b.Transfer(s.userQ, creator, s.user, coin)
	} else {
		withLP, user = quote-lp, quote-lp-protocol-coin
		b.Transfer(s.userA, s.vaultA, s.user, base)
		b.Transfer(s.vaultQ, s.userQ, s.auth, user)
		b.Transfer(s.vaultQ, fees, s.auth, protocol)
		b.Transfer(s.vaultQ, creator, s.auth, coin)
	}
	payload := Join(Hex(event), U64(1_795_500_000), U64(base), U64(1), U64(0), U64(0), U64(poolA), U64(poolQ),
		U64(quote), U64(20), U64(lp), U64(5), U64(protocol), U64(withLP), U64(user),
		s.pool[:], s.user[:], s.userA[:], s.userQ[:], key(Key("pumpswap fee owner")), fees[:],
		key(Key("pumpswap creator owner")), U64(5), U64(coin))
	if s.buy {
		payload = Join(payload, []byte{1}, U64(0), U64(0), U64(0), U64(0), U64(0), []byte{3, 0, 0, 0}, []byte("buy"))
	}
	// Cashback and buyback of nothing, no virtual reserve.
	b.Event(Join(payload, U64(0), U64(0), U64(0), U64(0), U128(0, 0), []byte{0}, U64(1_000_000_000_000_000)))
	b.End()
}
