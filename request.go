package liuma

import (
	"context"
	"encoding/hex"
)

// RequestID names one request of a door, in every log line about it and in its answer, at
// the keepers too. It is random, no secret, and says nothing of who asked: two requests of
// one holder have nothing in common. The zero value is none.
type RequestID [8]byte

// String is the id as logs and answers have it, in hexadecimal; empty for none.
func (id RequestID) String() string {
	if id == (RequestID{}) {
		return ""
	}
	return hex.EncodeToString(id[:])
}

type requestKey struct{}

// WithRequest names the request that is worked on under a context.
func WithRequest(ctx context.Context, id RequestID) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestOf is the request that is worked on; zero outside of any.
func RequestOf(ctx context.Context) RequestID {
	id, _ := ctx.Value(requestKey{}).(RequestID)
	return id
}
