// Package geyser takes the chain from a Yellowstone gRPC endpoint. A
// Subscriber keeps one endpoint's stream alive and hands out Events; a Decoder
// turns Yellowstone's transaction message into swapcast.Transaction.
//
// Packages below it keep streams in files (capture), serve them (replay) and
// make them up (sim).
package geyser
