// Command metronome is a server for load tests whose rate is set: swapcast's own stream
// server (package stream, as `swapcast serve` has it) fed by a publisher that gives each
// of so many made-up tokens so many prices a second. No chain, no parser, no market: what
// is measured is the fan-out alone, and the built-in market has neither a hundred tokens
// nor a rate for each.
//
//	go run ./loadtest/metronome -tokens 100 -rate 20
//	swapcast load -c 10000 --mix multi
//
// It answers /ws, and of the HTTP API what `swapcast load` and the k6 scripts ask:
// /v1/status, /v1/tokens, /v1/prices, /v1/trades, /readyz; /metrics is on the admin listener. Prices say
// that they are simulated.
//
// The publisher is one goroutine that looks at the clock each millisecond and makes up
// for at most 50 ms: what it cannot publish in time is left out and counted
// (swapcast_metronome_behind_total), so that the rate that was set is not taken for the
// one that was offered.
package main
