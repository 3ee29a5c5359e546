package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
)

// MaxLetters is the most that Letters lists at a time.
const MaxLetters = 500

// ErrAtDesk says that a member who serves at a counter may not print letters: a letter
// tells what was done there, so it must go out from elsewhere.
var ErrAtDesk = errors.New("letters tell of what was done at counters, and are sent from elsewhere: an operator who is neither clerk nor supervisor does that")

// letterScope says whose letters the caller may print.
func letterScope(ctx context.Context) (letter.Scope, error) {
	c := callerOf(ctx)
	switch {
	case c.Is(liuma.RoleClerk, liuma.RoleSupervisor):
		return letter.Scope{}, ErrAtDesk
	case c.Agency != "":
		return letter.Scope{}, fmt.Errorf("%w: letters go by region, and %s is bound to an agency", staff.ErrBounds, c.ID)
	}
	return letter.Scope{Region: c.Region}, nil
}

// Letters lists letters; see Administration.
func (a *Admin) Letters(ctx context.Context, state store.LetterState, after string) ([]letter.View, error) {
	in, err := letterScope(ctx)
	if err != nil {
		return nil, err
	}
	return a.c.Letters.List(ctx, in, state, after, MaxLetters)
}

// PrintLetters returns a batch; see Administration.
func (a *Admin) PrintLetters(ctx context.Context, o letter.Order) (letter.Batch, error) {
	in, err := letterScope(ctx)
	if err != nil {
		return letter.Batch{}, err
	}
	return a.c.Letters.Print(ctx, ActorOf(ctx), in, o)
}

// LettersPrinted records that a batch's file is written; see Administration.
func (a *Admin) LettersPrinted(ctx context.Context, batch string) error {
	in, err := letterScope(ctx)
	if err != nil {
		return err
	}
	return a.c.Letters.Printed(ctx, ActorOf(ctx), in, batch)
}

// PostLetters records that letters were posted; see Administration.
func (a *Admin) PostLetters(ctx context.Context, name string) (int, error) {
	in, err := letterScope(ctx)
	if err != nil {
		return 0, err
	}
	return a.c.Letters.Done(ctx, ActorOf(ctx), in, name)
}

// LetterBack records that a letter came back; see Administration.
func (a *Admin) LetterBack(ctx context.Context, name string) (int, error) {
	in, err := letterScope(ctx)
	if err != nil {
		return 0, err
	}
	return a.c.Letters.Back(ctx, ActorOf(ctx), in, name)
}
