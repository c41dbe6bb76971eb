package client

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrClosed means that Run has ended: nothing more will be sent.
	ErrClosed = errors.New("client is closed")
	// ErrRunning means that Run was called a second time.
	ErrRunning = errors.New("client runs already")
	// ErrSilent ends a connection on which nothing was heard for too long.
	ErrSilent = errors.New("connection is silent")
	// ErrDisconnected means that the connection ended before the answer came.
	ErrDisconnected = errors.New("disconnected before the answer came")
)

// RefusedError ends Run: the server has said that trying again is of no use.
type RefusedError struct {
	Code   int    // WebSocket close code, or HTTP status below 1000
	Reason string // the server's words
}

// Error names the code and the server's reason.
func (e *RefusedError) Error() string {
	kind := "close code"
	if e.Code < 1000 {
		kind = "HTTP status"
	}
	if e.Reason == "" {
		return fmt.Sprintf("refused with %s %d", kind, e.Code)
	}
	return fmt.Sprintf("refused with %s %d: %s", kind, e.Code, e.Reason)
}

// RequestError is the server's refusal of a whole request.
type RequestError struct {
	Code    string // such as "rate_limited"
	Message string
}

// Error gives the code and the server's message.
func (e *RequestError) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// AssetsError lists the assets, or wallets, that were refused; the others of the request
// are subscribed.
type AssetsError struct {
	Errors []AssetError
}

// Error lists each refused asset with its code.
func (e *AssetsError) Error() string {
	var b strings.Builder
	for i, a := range e.Errors {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s: %s", a.name(), a.Code)
	}
	return b.String()
}
