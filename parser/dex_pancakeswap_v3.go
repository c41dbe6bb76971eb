package parser

// PancakeSwap v3 on Solana, concentrated liquidity: Raydium's CLMM under another
// id. Instructions, accounts and the logged SwapEvent (without the trade fees
// that Raydium added in 2026) are those of dex_raydium_clmm.go, by the program's
// IDL as sevenlabs-hq/carbon's decoder holds it (2026-04-30, read 2026-11) and
// the accounts of mainnet transactions.
func pancakeSwapV3() dex {
	return dex{
		name:    "pancakeswap-v3",
		program: "HpNfyc2Saw7RKkQd8nEL4khUcuPhQ7WwY1B2qjx8jxFq",
		decode:  decodeRaydiumCLMM,
		logs:    true,
	}
}
