// Package capture keeps Yellowstone streams in files and makes such streams
// from RPC JSON, so that a live feed, a recording and a getTransaction result
// all reach the same parser as the same messages.
//
// # Captures
//
// A capture is a header (a zstd skippable frame with the text
// "swapcast-capture/1" and one byte that tells whether a chain, a made-up
// market or a replay was recorded), then one zstd stream of SubscribeUpdate messages,
// each after its length as a varint, then a length of 0 as end mark. It can
// be written to a pipe and read from one. Writer flushes after each MiB of
// messages and when told to, so a recorder that dies loses what came since;
// Reader returns all that can be read and then swapcast.ErrCaptureCut. Two
// captures written one behind the other are a capture. Reader takes another
// form too, which other tools write: messages after 4-byte big-endian
// lengths, not packed, without end mark. No length in a file makes Reader
// allocate more than the file holds.
//
// # Import
//
// Import and Open read results of getTransaction and getBlock in the
// encodings json, jsonParsed, base64 and base58, of legacy, v0 and v1
// transactions. What Geyser would have sent is built from them without loss:
// keys, instructions with stack heights, balances, logs, loaded addresses,
// return data, the error in bincode. Where RPC says innerInstructions null,
// inner_instructions_none is set.
//
// jsonParsed drops the bytes of well-known instructions. Those of the token
// programs, the associated-token-account, system, stake and memo programs
// that can be written back exactly are; any other gives an *ItemError that
// names it, and the transaction is left out rather than guessed. Known limits
// of jsonParsed: the header's read-only counts may be too high, a create of
// the associated-token-account program comes out in its one-byte form, memos
// lose their account list, and simple votes are left out without an error.
//
// The package is larger than ours should be, because RPC has four encodings
// of the same thing. What would move out first are the jsonParsed encoders
// (parsed.go, parsed_setup.go): they know nothing of the rest.
//
// Nothing here is safe for use by several goroutines at once.
package capture
