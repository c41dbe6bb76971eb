package wire

// Code is the stable, machine-readable name of an error. The list is closed:
// clients may switch on it. After any of them the connection stays open.
type Code string

// Codes that say the request could not be read. They count towards the ten bad
// requests in a row after which the connection is closed with CloseBadRequest.
const (
	// BadJSON: not one JSON object of the expected shape in one text frame,
	// or no valid UTF-8.
	BadJSON Code = "bad_json"
	// UnknownAction: an action that this version does not know.
	UnknownAction Code = "unknown_action"
	// UnknownChannel: a channel that this version does not serve.
	UnknownChannel Code = "unknown_channel"
	// UnsupportedCommitment: a commitment that this version does not serve.
	UnsupportedCommitment Code = "unsupported_commitment"
	// InvalidAsset: not the base58 address of a mint, or no asset at all.
	InvalidAsset Code = "invalid_asset"
	// InvalidInterval: an interval that candles are not made of.
	InvalidInterval Code = "invalid_interval"
	// InvalidWallet: not the base58 address of a wallet, or no wallet at all.
	InvalidWallet Code = "invalid_wallet"
)

// Codes that say the request was understood but is too much. Waiting, or
// giving something up, helps.
const (
	// TooManySubscriptions: the connection holds, or the message names, more
	// than it may.
	TooManySubscriptions Code = "too_many_subscriptions"
	// RateLimited: messages come faster than they may; this one was not read.
	RateLimited Code = "rate_limited"
)

// Codes of the error that ends a stream of server-sent events, in place of a close
// code.
const (
	// SlowConsumer: the client reads too slowly (4408).
	SlowConsumer Code = "slow_consumer"
	// BadKey: the API key is not valid any more (4401).
	BadKey Code = "bad_key"
	// PolicyViolation: the client sent something on a stream that is only read (1008).
	PolicyViolation Code = "policy_violation"
	// Overloaded: what was asked for cannot be had now; come back after the time that
	// the retry line before it says (1013).
	Overloaded Code = "overloaded"
	// InternalError: a fault of the server's (1011).
	InternalError Code = "internal_error"
)

// StreamCode is the code of the error that ends a stream where a WebSocket is
// closed with c.
func (c CloseCode) StreamCode() Code {
	switch c {
	case CloseSlowConsumer:
		return SlowConsumer
	case CloseBadKey:
		return BadKey
	case ClosePolicy:
		return PolicyViolation
	case CloseOverload:
		return Overloaded
	default:
		return InternalError
	}
}

// Parameter is the field of a request, or parameter of a query, that a code is
// about; "" where it is about none.
func (c Code) Parameter() string {
	switch c {
	case UnknownChannel:
		return "channel"
	case UnsupportedCommitment:
		return "commitment"
	case InvalidInterval:
		return "interval"
	case InvalidAsset:
		return "assets"
	case InvalidWallet:
		return "wallets"
	default:
		return ""
	}
}

// CloseCode is the status of a WebSocket close frame.
type CloseCode uint16

// Close codes from 1000 to 1999 are RFC 6455's own. Of these a client should
// reconnect after GoingAway and Overload (later, with jitter) and after
// InternalError; NormalClosure was its own wish, and ProtocolError,
// PolicyViolation and TooBig come again unless the client changes its ways.
const (
	CloseNormal        CloseCode = 1000
	CloseGoingAway     CloseCode = 1001 // the server drains; the reason is a ReconnectHint
	CloseProtocolError CloseCode = 1002 // frames that break RFC 6455
	CloseNoStatus      CloseCode = 1005 // never sent: the client's close frame had no code
	CloseAbnormal      CloseCode = 1006 // never sent: the connection ended without a close frame
	ClosePolicy        CloseCode = 1008 // far too many messages or pings
	CloseTooBig        CloseCode = 1009 // a message over the size limit
	CloseInternalError CloseCode = 1011 // a fault of the server's; the client did nothing wrong
	CloseOverload      CloseCode = 1013 // as many connections as the key may hold, or what was asked for cannot be had now; try later
)

// Close codes from 4400 to 4499 are the product's own, numbered after HTTP's.
// After BadRequest and BadKey a client must not reconnect unchanged; after
// SlowConsumer it may, and should ask for less (a window, fewer assets); it
// comes after a message that took too long to arrive, too, since that may be
// the network's fault and another try helps.
const (
	CloseBadRequest   CloseCode = 4400 // ten refused requests in a row
	CloseBadKey       CloseCode = 4401 // no API key, or one that is not known (any more)
	CloseSlowConsumer CloseCode = 4408 // the client is too slow: it reads less than its bound of kept messages allows, or does not finish a message
)

// String names the code for logs and metrics. Codes that a client made up all
// have one name, so that they cannot flood a metric's labels.
func (c CloseCode) String() string {
	switch c {
	case CloseNormal:
		return "1000"
	case CloseGoingAway:
		return "1001"
	case CloseProtocolError:
		return "1002"
	case CloseNoStatus:
		return "1005"
	case CloseAbnormal:
		return "1006"
	case ClosePolicy:
		return "1008"
	case CloseTooBig:
		return "1009"
	case CloseInternalError:
		return "1011"
	case CloseOverload:
		return "1013"
	case CloseBadRequest:
		return "4400"
	case CloseBadKey:
		return "4401"
	case CloseSlowConsumer:
		return "4408"
	default:
		return "other"
	}
}

// The names of the channels.
const (
	ChannelPrices   = "prices"
	ChannelTrades   = "trades"
	ChannelCandles  = "candles"
	ChannelBalances = "balances"
	ChannelStatus   = "status"
)

// The actions that a request may ask for.
const (
	ActionSubscribe   = "subscribe"
	ActionUnsubscribe = "unsubscribe"
	ActionPing        = "ping"
)

// Reasons of a gap.
const (
	GapSlowConsumer = "slow_consumer" // the client read too slowly
	GapOverload     = "overload"      // the server had more to send than it could queue
	GapNoHistory    = "no_history"    // asked for by since, and no longer (or not yet) kept
	GapNewEpoch     = "new_epoch"     // asked for by since, from another run of the server
	GapUpstream     = "upstream"      // the server itself never learned of some slots
)
