package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Statement is one that was sent to the server. Statements of one connection come in
// their order.
type Statement struct {
	Connection any // tells connections apart
	Text       string
	Args       []any
	Begins     bool // a round trip: it is the first of its batch, or alone
}

type traceKey struct{}

// Traced has hear called for every statement that Views and Updates of a context send,
// before it is sent. It is for tests, and must not keep the arguments: they are personal.
func Traced(ctx context.Context, hear func(Statement)) context.Context {
	return context.WithValue(ctx, traceKey{}, hear)
}

// tracer gives statements to whoever a context says; it costs others one look.
type tracer struct{}

var (
	_ pgx.QueryTracer = tracer{}
	_ pgx.BatchTracer = tracer{}
)

func (tracer) TraceQueryStart(ctx context.Context, c *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if hear, ok := ctx.Value(traceKey{}).(func(Statement)); ok {
		hear(Statement{c, q.SQL, q.Args, true})
	}
	return ctx
}

func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (tracer) TraceBatchStart(ctx context.Context, c *pgx.Conn, b pgx.TraceBatchStartData) context.Context {
	if hear, ok := ctx.Value(traceKey{}).(func(Statement)); ok {
		for i, q := range b.Batch.QueuedQueries {
			hear(Statement{c, q.SQL, q.Arguments, i == 0})
		}
	}
	return ctx
}

func (tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
