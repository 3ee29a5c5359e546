package admin

import (
	"context"

	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/store"
)

// Letters is Admin.Letters, for who may.
func (g *Guarded) Letters(ctx context.Context, state store.LetterState, after string) ([]letter.View, error) {
	return allowed(ctx, g, "Letters", func(ctx context.Context) ([]letter.View, error) { return g.admin.Letters(ctx, state, after) })
}

// PrintLetters is Admin.PrintLetters, for who may.
func (g *Guarded) PrintLetters(ctx context.Context, o letter.Order) (letter.Batch, error) {
	return allowed(ctx, g, "PrintLetters", func(ctx context.Context) (letter.Batch, error) { return g.admin.PrintLetters(ctx, o) })
}

// LettersPrinted is Admin.LettersPrinted, for who may.
func (g *Guarded) LettersPrinted(ctx context.Context, batch string) error {
	_, err := allowed(ctx, g, "LettersPrinted", done(func(ctx context.Context) error { return g.admin.LettersPrinted(ctx, batch) }))
	return err
}

// PostLetters is Admin.PostLetters, for who may.
func (g *Guarded) PostLetters(ctx context.Context, name string) (int, error) {
	return allowed(ctx, g, "PostLetters", func(ctx context.Context) (int, error) { return g.admin.PostLetters(ctx, name) })
}

// LetterBack is Admin.LetterBack, for who may.
func (g *Guarded) LetterBack(ctx context.Context, name string) (int, error) {
	return allowed(ctx, g, "LetterBack", func(ctx context.Context) (int, error) { return g.admin.LetterBack(ctx, name) })
}
