package parser

// dexes is the list of all exchanges: one line each.
func dexes() []dex {
	return []dex{
		raydiumV4(),
		raydiumCPMM(),
		raydiumCLMM(),
		orcaWhirlpool(),
		meteoraDLMM(),
		meteoraDAMMv2(),
		pumpFun(),
		pumpSwap(),
		phoenix(),
		openbookV2(),
		lifinityV2(),
		solfi(),
		zerofi(),
		humidifi(),
		obricV2(),
		goonfi(),
		tessera(),
		invariant(),
		raydiumLaunchLab(),
		meteoraDAMMv1(),
		meteoraDBC(),
		moonshot(),
		boop(),
		heaven(),
		pancakeSwapV3(),
		fluxBeam(),
		saber(),
		stabble(),
		stabbleWeighted(),
		cropper(),
		saros(),
		orcaV2(),
	}
}
