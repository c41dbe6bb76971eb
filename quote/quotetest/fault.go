package quotetest

// Fault is one way to misbehave. The zero value is to behave.
type Fault string

// Faults that every service has.
const (
	None         Fault = ""
	Silent       Fault = "silent"          // takes the request and never answers
	Late         Fault = "late"            // answers after Service.LateBy
	HeadersOnly  Fault = "headers_only"    // status and headers, then silence
	Drip         Fault = "drip"            // one byte every Service.DripEvery
	Status500    Fault = "500"             // with a text
	Status503    Fault = "503"             // with a text
	Limited      Fault = "429"             // with no word of when
	LimitedAfter Fault = "429_retry_after" // Retry-After: 1
	LimitedReset Fault = "429_reset"       // Jupiter's x-ratelimit-reset, a second from now
	Unauthorized Fault = "401"             //
	Forbidden    Fault = "403"             //
	NotJSON      Fault = "not_json"        // a text that says it is JSON
	HTML         Fault = "html"            // 200 and a web page
	CutOff       Fault = "cut_off"         // half the body, then the connection ends
	OtherMint    Fault = "other_mint"      //
	OtherAmount  Fault = "other_amount"    //
	Zero         Fault = "zero"            //
	Negative     Fault = "negative"        //
	TooGood      Fault = "too_good"        // ten times as much
	TooBad       Fault = "too_bad"         // a tenth
	Huge         Fault = "huge"            // a body of 200 MB
	Deep         Fault = "deep"            // JSON nested 10,000 deep
	RedirectLoop Fault = "redirect_loop"   // to itself
	RedirectAway Fault = "redirect_away"   // to another host
	HangUp       Fault = "hang_up"         // closes the connection without a word
)

// Jupiter's own.
const (
	NoRoute      Fault = "no_route"     // 400 COULD_NOT_FIND_ANY_ROUTE; DFlow: route_not_found; Hashflow: code 82
	NotTradable  Fault = "not_tradable" // 400 TOKEN_NOT_TRADABLE
	OldSlot      Fault = "old_slot"     // contextSlot 500 behind; DFlow: routingSlot
	SixHops      Fault = "six_hops"     // a path of six
	Split        Fault = "split"        // one hop in three parts
	NullPercent  Fault = "null_percent" // percent null, bps set
	ExtraFields  Fault = "extra_fields" // fields that nobody has heard of
	LimitedAs400 Fault = "429_as_400"   // {"code":429} under 400
	BelowMarket  Fault = "below_market" // 4% less
	Impact       Fault = "impact"       // a price impact of 12%
)

// DFlow's own.
const (
	ImpactTooHigh Fault = "price_impact_too_high" // 400
	MapLagging    Fault = "amm_map_lagging"       // 503
)

// Hashflow's own.
const (
	Fail42     Fault = "fail_42"     // 200 and "status":"fail", bad input
	FailString Fault = "fail_string" // the error a plain string
	Expired    Fault = "expired"     // quoteExpiry in the past
	NoQuotes   Fault = "no_quotes"   // success and an empty list
	Restricted Fault = "restricted"  // the trader is restricted
)

// Hermes's own.
const (
	UnknownFeed Fault = "404"          // text
	StalePrice  Fault = "stale_price"  // published two minutes ago, fresh HTTP
	WidePrice   Fault = "wide_price"   // a confidence interval of a tenth of the price
	MissingFeed Fault = "missing_feed" // one of two
)

// Of transactions alone, which Jupiter and DFlow make: quotes are not changed by
// them.
const (
	OtherPayer       Fault = "other_payer"       // somebody else pays the fee
	OtherSigner      Fault = "other_signer"      // somebody else must sign too
	Drain            Fault = "drain"             // lamports go to a stranger
	Approve          Fault = "approve"           // a stranger may move the user's tokens
	OtherDestination Fault = "other_destination" // what comes out goes to a stranger
	LowThreshold     Fault = "low_threshold"     // it may bring half of what was quoted
	MoreIn           Fault = "more_in"           // it gives twice as much
	PlatformFee      Fault = "platform_fee"      // a part of what comes out goes to somebody
	DearFee          Fault = "dear_fee"          // a priority fee of 1 SOL
	OtherProgram     Fault = "other_program"     // it calls one that has no business there
	NoTransaction    Fault = "no_transaction"    // 200 and an empty one, as for a wallet without funds
	NotBase64        Fault = "not_base64"        //
)

// Of the Solana RPC node alone.
const (
	Unhealthy       Fault = "unhealthy"        // -32005: the node is behind
	SimulationFails Fault = "simulation_fails" // the router says SlippageToleranceExceeded
	SimulatesLess   Fault = "simulates_less"   // a tenth less than quoted
	Refuses         Fault = "refuses"          // -32002 to sendTransaction: Blockhash not found
	OtherSignature  Fault = "other_signature"  // sendTransaction names another one
)

// SwapFaults lists what can be wrong with a transaction. The caller owns the list.
func SwapFaults() []Fault {
	return []Fault{
		OtherPayer, OtherSigner, Drain, Approve, OtherDestination, LowThreshold, MoreIn, PlatformFee, DearFee, OtherProgram, NoTransaction, NotBase64,
	}
}

// Common lists the faults that every service has. The caller owns the list.
func Common() []Fault {
	return []Fault{
		Silent, Late, HeadersOnly, Drip, Status500, Status503, Limited, LimitedAfter, LimitedReset, Unauthorized, Forbidden,
		NotJSON, HTML, CutOff, OtherMint, OtherAmount, Zero, Negative, TooGood, TooBad, Huge, Deep, RedirectLoop, RedirectAway,
		HangUp,
	}
}

// Faults lists all that a service can do wrong or oddly. The caller owns the list.
func (s *Service) Faults() []Fault { return append(Common(), s.own...) }
