package store

import (
	"context"

	"github.com/liuma-pin/liuma"
)

// Expected names rows that an Update is likely to read. It decides nothing: a store that
// is a journey away asks for all of them at once, before the function runs.
type Expected struct {
	Card     liuma.CardID // with its intent; zero: none
	Channel  liuma.ChannelID
	Business liuma.BusinessNo // of the channel; empty: none
	Handle   Handle           // of the channel; empty: none
}

type expectedKey struct{}

// Expect tells the next Updates of a context what they are likely to read.
func Expect(ctx context.Context, e Expected) context.Context {
	return context.WithValue(ctx, expectedKey{}, e)
}

// ExpectedIn is what was expected; the zero value where nothing was.
func ExpectedIn(ctx context.Context) Expected {
	e, _ := ctx.Value(expectedKey{}).(Expected)
	return e
}
