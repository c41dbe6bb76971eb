// Package wire holds the messages of the WebSocket as clients see them: the
// requests they send, the messages they get, the error codes and the close
// codes. Nothing else in the project writes JSON for a socket.
//
// Messages only grow: a field or a code, once sent, keeps its name and its
// meaning. Readers must ignore fields that they do not know.
//
// Encoders append to a buffer and never fail: a number that JSON cannot hold
// becomes null. ParseRequest reads what clients send; it takes any bytes, is
// bounded in depth and size, and never panics. The package has no state and
// is safe for concurrent use.
package wire
