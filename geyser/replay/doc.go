// Package replay is a Yellowstone-compatible gRPC server that plays a Source:
// a recording, transactions from files, or the built-in market.
package replay
