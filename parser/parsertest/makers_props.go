package parsertest

import "github.com/gagliardetto/solana-go"

// Order books and the market makers that price from their own oracles.

// phoenix is an immediate-or-cancel swap and its log: one fill and the summary.
// The asset is the base with lots of 1, the quote has lots of 1 too.
func phoenix(s *scene) {
	side, base, quote := byte(0), s.out, s.in
	if !s.buy {
		side, base, quote = 1, s.in, s.out
	}
	fee := quote / 5_000
	packet := Join([]byte{0, 2, side, 0}, U64(base), U64(quote), U64(0), U64(0), []byte{0, 0}, U128(0, 0), []byte{0})
	s.begin("PhoeNiXZ8ByJGLkxNfZRnkUfjvmuYqLR89jjFHGqdXY", s.data(packet), 9, keysAt{
		1: Key("phoenix log"), 2: s.pool, 3: s.user, 4: s.userA, 5: s.userQ, 6: s.vaultA, 7: s.vaultQ, 8: solana.TokenProgramID,
	})
	s.b.Transfer(s.vaultOut(), s.userOut(), s.auth, s.out)
	s.b.Transfer(s.userIn(), s.vaultIn(), s.user, s.in)
	s.b.Begin(solana.MustPublicKeyFromBase58("PhoeNiXZ8ByJGLkxNfZRnkUfjvmuYqLR89jjFHGqdXY"), Join(
		[]byte{15, 1, 0}, U64(7), U64(1_795_500_000), U64(400_000_000), s.pool[:], s.user[:], []byte{2, 0},
		[]byte{2, 0, 0}, key(Key("a maker")), U64(1), U64(40), U64(base), U64(5),
		[]byte{6, 1, 0}, U128(0, 0), U64(base), U64(quote), U64(fee)), Key("phoenix log"))
	s.b.End()
	s.b.End()
}

// openbookV2 is place_take_order.
func openbookV2(s *scene) {
	side := byte(0)
	if !s.buy {
		side = 1
	}
	s.begin("opnb2LAfJYbRMAHHvqjCwQxanZn7ReEHp1k81EohpZb",
		s.data(Hex("032c47031ac7cb55"), []byte{side}, U64(1), U64(s.in), U64(s.in), []byte{3, 50}), 16, keysAt{
			0: s.user, 1: s.user, 2: s.pool, 3: s.auth, 6: s.vaultA, 7: s.vaultQ, 9: s.userA, 10: s.userQ,
			13: solana.TokenProgramID, 14: solana.SystemProgramID,
		})
	s.swapTransfers()
	s.b.End()
}

// lifinityV2 is swap; the fee is minted as pool tokens, which is left out here.
func lifinityV2(s *scene) {
	s.begin("2wT8Yq49kHgDzXuPxZSaeLaH1qbmGXtEyPy64bL7aD3c",
		s.data(Hex("f8c69e91e17587c8"), U64(s.in), U64(0)), 13, keysAt{
			0: s.auth, 1: s.pool, 2: s.user, 3: s.userIn(), 4: s.userOut(), 5: s.vaultIn(), 6: s.vaultOut(), 9: solana.TokenProgramID,
		})
	s.swapTransfers()
	s.b.End()
}

// invariant is swap, which pays out first; the asset is x.
func invariant(s *scene) {
	xToY := byte(1)
	if s.buy {
		xToY = 0
	}
	s.begin("HyaB3W9q6XdA5xwpU4XnSZV94htfmbmqJXZcEbRaJutt",
		s.data(Hex("f8c69e91e17587c8"), []byte{xToY}, U64(s.in), []byte{1}, U128(1, 0)), 11, keysAt{
			1: s.pool, 3: s.userA, 4: s.userQ, 5: s.vaultA, 6: s.vaultQ, 7: s.user, 8: s.auth, 9: solana.TokenProgramID,
		})
	s.b.Transfer(s.vaultOut(), s.userOut(), s.auth, s.out)
	s.b.Transfer(s.userIn(), s.vaultIn(), s.user, s.in)
	s.b.End()
}

// obricV2 is swap2 for a sale and swap otherwise; the asset is x.
func obricV2(s *scene) {
	disc, xToY := "f8c69e91e17587c8", byte(0)
	if !s.buy {
		disc, xToY = "414b3f4ceb5b5b88", 1
	}
	s.begin("obriQD1zbpyLz95G5n7nJe6a4DPjpFwa5XYPoNm113y",
		s.data(Hex(disc), []byte{xToY}, U64(s.in), U64(0)), 12, keysAt{
			0: s.pool, 3: s.vaultA, 4: s.vaultQ, 5: s.userA, 6: s.userQ, 10: s.user, 11: solana.TokenProgramID,
		})
	s.swapTransfers()
	s.b.End()
}

// solfi is swap.
func solfi(s *scene) {
	direction := byte(0)
	if s.buy {
		direction = 1
	}
	s.begin("SoLFiHG9TfgtdUXUjWAxi3LtvYuFyDLVhBWxdMZxyCe",
		s.data([]byte{7}, U64(s.in), U64(0), []byte{direction}), 8, keysAt{
			0: s.user, 1: s.pool, 2: s.vaultA, 3: s.vaultQ, 4: s.userA, 5: s.userQ, 6: solana.TokenProgramID,
		})
	s.swapTransfers()
	s.b.End()
}

// zerofi is swap, whose vaults stand by direction.
func zerofi(s *scene) {
	s.begin("ZERor4xhbUycZ6gb9ntrhqscUcZmAbQDjEAtCf4hbZY",
		s.data([]byte{6}, U64(s.in), U64(0)), 10, keysAt{
			0: s.pool, 2: s.vaultIn(), 4: s.vaultOut(), 5: s.userIn(), 6: s.userOut(), 7: s.user, 8: solana.TokenProgramID,
		})
	s.swapTransfers()
	s.b.End()
}

// humidifi is swap, its data hidden as the program wants it.
func humidifi(s *scene) {
	direction := byte(1)
	if s.buy {
		direction = 0
	}
	plain := Join(U64(1_500), U64(s.in), []byte{direction, 0, 0, 0, 0, 0, 0, 0, 4})
	s.begin("9H6tua7jkLhdm3w8BvgpTn5LZNU7g4ZynDmCiNN3q6Rp", s.data(HumidifiHide(plain)), 9, keysAt{
		0: s.user, 1: s.pool, 2: s.vaultA, 3: s.vaultQ, 4: s.userA, 5: s.userQ, 7: solana.TokenProgramID,
	})
	s.swapTransfers()
	s.b.End()
}

// HumidifiHide returns data as HumidiFi's instructions carry it: XORed with a
// key, and every second byte with the number of its 8 bytes.
func HumidifiHide(data []byte) []byte {
	secret := [8]byte{0x3a, 0xff, 0x2f, 0xff, 0xe2, 0xba, 0xeb, 0xc3}
	out := make([]byte, len(data))
	for i, b := range data {
		out[i] = b ^ secret[i%8]
		if i%2 == 0 {
			out[i] ^= byte(i / 8)
		}
	}
	return out
}

// goonfi is swap.
func goonfi(s *scene) {
	buys := byte(0)
	if s.buy {
		buys = 1
	}
	s.begin("goonERTdGsjnkZqWuVjs73BZ3Pb9qoCUdBUL17BnS5j",
		s.data([]byte{2, buys, 255}, U64(s.in), U64(1)), 9, keysAt{
			0: s.user, 1: s.pool, 2: s.userA, 3: s.userQ, 4: s.vaultA, 5: s.vaultQ, 8: solana.TokenProgramID,
		})
	s.swapTransfers()
	s.b.End()
}

// tessera is swap.
func tessera(s *scene) {
	side := byte(1)
	if s.buy {
		side = 0
	}
	s.begin("TessVdML9pBGgG9yGks7o4HewRaXVAMuoVj4x83GLQH",
		s.data([]byte{16, side}, U64(s.in), U64(1)), 12, keysAt{
			1: s.pool, 2: s.user, 3: s.vaultA, 4: s.vaultQ, 5: s.userA, 6: s.userQ, 7: s.asset.Key, 8: s.quote.Key,
			9: solana.TokenProgramID, 10: solana.TokenProgramID,
		})
	s.swapTransfers()
	s.b.End()
}
