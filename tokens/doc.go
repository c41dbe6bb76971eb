// Package tokens finds the facts of a mint on the chain: symbol, name, decimals
// and supply, from its mint account and its metadata, over RPC.
//
// A Loader takes wishes (Want) from the data path without ever making it wait,
// asks for many mints with one getMultipleAccounts, and hands what it found to
// whoever reads Found.
//
// # What is read
//
// The mint account, of the SPL Token or the Token-2022 program, gives decimals
// and supply. Symbol and name come from a Token-2022 mint's own TokenMetadata
// extension, from the account that its MetadataPointer names, or from the
// Metaplex metadata account of the mint. An account counts only where its owner
// is the program that writes such accounts and where it names the same mint, so
// nobody can give a mint the name of another by pointing at foreign data.
// The supply of wrapped SOL is not told: the mint's is always 0.
//
// Symbol and name are what the mint's creator typed, and creators are not always
// friends: ParseMint and ParseMetaplex give them through CleanText, which leaves
// printable text of bounded length in one line and in one direction. It is still
// text, not HTML: '<' and '&' stay. And a symbol proves nothing: anybody may
// call a token USDC.
//
// # What is promised
//
// Want never blocks. Wishes wait in a queue of Options.Queue; one that finds it
// full is dropped and counted, and may be wished again. A mint that was found is
// asked again when it is wished after RefreshAfter (its supply moves), an account
// that is no mint after MissingTTL, one that could not be asked after RetryAfter.
// A mint that does not exist is mostly one that the asked endpoint has not
// confirmed yet: it is asked again after YoungRetry, then after twice as long each
// time, up to MissingTTL.
// At most Options.Known mints are remembered; the one not wished for longest is
// forgotten first.
//
// Found must be read: a full channel holds the Loader back, and nothing else.
// market.AddTokens may be called by the goroutine that applies swaps only, so that
// goroutine is the one to read it.
//
// Bounds: 50 mints a request, 2 KiB read of an account. Rate limits, retries and
// several endpoints are rpcpool's.
//
// Concurrency: Want may be called by any goroutine; Run is one goroutine and
// starts no other.
package tokens
