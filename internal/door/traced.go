package door

import (
	"context"
	"log/slog"

	"github.com/liuma-pin/liuma"
)

// requestKey is the name of the request's id in log lines.
const requestKey = "request"

// Traced adds the id of the present request to every line that is logged under its
// context, anywhere in the program, unless the line names it itself.
func Traced(h slog.Handler) slog.Handler { return traced{Handler: h} }

type traced struct {
	slog.Handler
	named bool // With has set the request's id
}

func (t traced) Handle(ctx context.Context, r slog.Record) error {
	id := liuma.RequestOf(ctx)
	if t.named || id == (liuma.RequestID{}) {
		return t.Handler.Handle(ctx, r)
	}
	named := false
	r.Attrs(func(a slog.Attr) bool {
		named = a.Key == requestKey
		return !named
	})
	if !named {
		r = r.Clone()
		r.AddAttrs(slog.String(requestKey, id.String()))
	}
	return t.Handler.Handle(ctx, r)
}

func (t traced) WithAttrs(list []slog.Attr) slog.Handler {
	for _, a := range list {
		t.named = t.named || a.Key == requestKey
	}
	t.Handler = t.Handler.WithAttrs(list)
	return t
}

func (t traced) WithGroup(name string) slog.Handler {
	t.Handler = t.Handler.WithGroup(name)
	return t
}
