package wire

import _ "embed" // asyncapi.json

//go:embed asyncapi.json
var asyncAPIJSON []byte

// AsyncAPI returns the AsyncAPI 3.0 document of the WebSocket, JSON. The
// caller must not change it.
func AsyncAPI() []byte { return asyncAPIJSON }
