package admin

import (
	"context"
	"net/http"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/store"
)

// The routes of letters.
const (
	pathLetters        = "/v1/letters"
	pathLettersPrint   = "/v1/letters/print"
	pathLettersPrinted = "/v1/letters/printed"
	pathLettersPosted  = "/v1/letters/posted"
	pathLettersBack    = "/v1/letters/back"
)

// The error codes of letters.
const (
	CodeLetterNone       Code = "letter_unknown"
	CodeLetterPrinted    Code = "letter_printed"
	CodeLetterNotPrinted Code = "letter_not_printed"
	CodeLetterEnded      Code = "letter_ended"
	CodeLetterBatch      Code = "letter_batch"
	CodeLetterDesk       Code = "letter_at_desk"
)

func knownOfLetters() []knownError {
	return []knownError{
		{letter.ErrNone, CodeLetterNone, http.StatusNotFound},
		{letter.ErrPrinted, CodeLetterPrinted, http.StatusConflict},
		{letter.ErrNotPrinted, CodeLetterNotPrinted, http.StatusConflict},
		{letter.ErrEnded, CodeLetterEnded, http.StatusConflict},
		{letter.ErrBatch, CodeLetterBatch, http.StatusUnprocessableEntity},
		{admin.ErrAtDesk, CodeLetterDesk, http.StatusForbidden},
	}
}

// askLetters asks for a part of the list.
type askLetters struct {
	State store.LetterState `json:"state"`
	After string            `json:"after"`
}

// askLetter names a batch, a sheet or a letter.
type askLetter struct {
	Name string `json:"name"`
}

// lettersListed and lettersCounted are answers.
type lettersListed struct {
	Letters []letter.View `json:"letters"`
}

type lettersCounted struct {
	Letters int `json:"letters"`
}

// letterRoutes mounts these routes. Printed letters are in the answer and in no log.
func (d *Door) letterRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+pathLetters, d.answer(asked(func(ctx context.Context, q askLetters) (lettersListed, error) {
		found, err := d.admin.Letters(ctx, q.State, q.After)
		return lettersListed{found}, err
	})))
	mux.HandleFunc("POST "+pathLettersPrint, d.answer(asked(d.admin.PrintLetters)))
	mux.HandleFunc("POST "+pathLettersPrinted, d.answer(asked(func(ctx context.Context, q askLetter) (done, error) {
		return done{}, d.admin.LettersPrinted(ctx, q.Name)
	})))
	mux.HandleFunc("POST "+pathLettersPosted, d.answer(asked(func(ctx context.Context, q askLetter) (lettersCounted, error) {
		n, err := d.admin.PostLetters(ctx, q.Name)
		return lettersCounted{n}, err
	})))
	mux.HandleFunc("POST "+pathLettersBack, d.answer(asked(func(ctx context.Context, q askLetter) (lettersCounted, error) {
		n, err := d.admin.LetterBack(ctx, q.Name)
		return lettersCounted{n}, err
	})))
}

// Letters asks the server for a part of the list.
func (r *Remote) Letters(ctx context.Context, state store.LetterState, after string) ([]letter.View, error) {
	var l lettersListed
	err := r.call(ctx, http.MethodPost, pathLetters, askLetters{state, after}, &l)
	return l.Letters, err
}

// PrintLetters asks the server for a batch.
func (r *Remote) PrintLetters(ctx context.Context, o letter.Order) (out letter.Batch, err error) {
	err = r.call(ctx, http.MethodPost, pathLettersPrint, o, &out)
	return out, err
}

// LettersPrinted tells the server that a batch's file is written.
func (r *Remote) LettersPrinted(ctx context.Context, batch string) error {
	return r.call(ctx, http.MethodPost, pathLettersPrinted, askLetter{batch}, &done{})
}

// PostLetters tells the server that letters were posted.
func (r *Remote) PostLetters(ctx context.Context, name string) (int, error) {
	var n lettersCounted
	err := r.call(ctx, http.MethodPost, pathLettersPosted, askLetter{name}, &n)
	return n.Letters, err
}

// LetterBack tells the server that a letter came back.
func (r *Remote) LetterBack(ctx context.Context, name string) (int, error) {
	var n lettersCounted
	err := r.call(ctx, http.MethodPost, pathLettersBack, askLetter{name}, &n)
	return n.Letters, err
}
