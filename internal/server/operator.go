package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ServeOperator answers operators on ln, a listener that lets nobody else in,
// until ctx ends. Requests see ctx end, so that long ones stop and say so
// within the configured drain time.
func (s *System) ServeOperator(ctx context.Context, ln net.Listener, h http.Handler) error {
	return s.serve(ctx, "operator door", &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
	}, ln)
}
