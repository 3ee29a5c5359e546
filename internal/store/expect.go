package store

import (
	"context"

	"github.com/liuma-pin/liuma"
)

// Expected names rows that a View or an Update is likely to read. It decides nothing: a store that
// is a journey away asks for all of them at once, before the function runs, and one that keeps
// rows in memory lets a View use them that expects to look for a business number.
type Expected struct {
	Card     liuma.CardID // with its intent; zero: none
	Channel  liuma.ChannelID
	Business liuma.BusinessNo // of the channel; empty: none
	Handle   Handle           // of the channel; empty: none
	// New says that the same act has looked for Business in vain, both its claim and a
	// request from before there were claims, so that an Update need not look again before it
	// claims it: if there is a claim by now, it is run again and looks. Requests without a
	// claim become no more.
	New bool
}

type expectedKey struct{}

// Expect tells the next Views and Updates of a context what they are likely to read.
func Expect(ctx context.Context, e Expected) context.Context {
	return context.WithValue(ctx, expectedKey{}, e)
}

// ExpectedIn is what was expected; the zero value where nothing was.
func ExpectedIn(ctx context.Context) Expected {
	e, _ := ctx.Value(expectedKey{}).(Expected)
	return e
}
