package liuma

import (
	"context"
	"encoding/hex"
)

// RequestID names one request of a door, in every log line about it and in its answer, at
// the keepers too. It is random, no secret, and tells nothing about the sender: two
// requests of one holder have nothing in common. The zero value is none.
type RequestID [8]byte

// String writes the id in hexadecimal, as in logs and answers; empty for none.
func (id RequestID) String() string {
	if id == (RequestID{}) {
		return ""
	}
	return hex.EncodeToString(id[:])
}

type requestKey struct{}

// WithRequest puts the ID of the present request into a context.
func WithRequest(ctx context.Context, id RequestID) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestOf is the ID of the request of a context; zero outside of a request.
func RequestOf(ctx context.Context) RequestID {
	id, _ := ctx.Value(requestKey{}).(RequestID)
	return id
}
