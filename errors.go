package swapcast

import "errors"

// Errors in the field's own terms. Packages wrap them with what was attempted;
// the wire maps them to codes in one table.
var (
	// ErrInvalidKey means that a text is no base58 encoding of 32 bytes.
	ErrInvalidKey = errors.New("not a base58 public key of 32 bytes")
	// ErrStreamStale means that the upstream has been silent for too long.
	ErrStreamStale = errors.New("stream is stale")
	// ErrCaptureCut means that a capture ends in the middle of a message.
	ErrCaptureCut = errors.New("capture is cut off")
)
