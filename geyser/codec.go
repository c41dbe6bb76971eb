package geyser

import (
	"fmt"
	"slices"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// eventCodec receives messages into events as the bytes that they are. It is
// given to one call and registered nowhere: other gRPC clients of the process
// keep theirs. What is sent goes through protobuf's own codec.
type eventCodec struct{ encoding.CodecV2 }

func newEventCodec() eventCodec { return eventCodec{encoding.GetCodecV2(proto.Name)} }

// Name is empty so that the content type stays application/grpc, which every
// server and proxy knows; a name would be put behind it.
func (eventCodec) Name() string { return "" }

// Unmarshal copies: gRPC's buffer may be a piece of a far larger one, which a
// queue of events would keep, and a message is a few kilobytes.
func (eventCodec) Unmarshal(data mem.BufferSlice, v any) error {
	e, ok := v.(*Event)
	if !ok {
		return fmt.Errorf("geyser: a message cannot be received as %T", v)
	}
	n := data.Len()
	e.buf = slices.Grow(e.buf[:0], n)[:n]
	data.CopyTo(e.buf)
	return nil
}
