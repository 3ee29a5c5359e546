package config

import (
	"errors"
	"net"
	"strconv"

	"github.com/liuma-pin/liuma/locale"
)

// Metrics is the listener where a collector reads the process's numbers, and where
// /healthz and /readyz are asked. It is nobody's door: it has no client, and none of the
// doors answers its paths.
type Metrics struct {
	// Listen is where it listens, host:port. Beyond loopback it needs a certificate, or beyond_loopback.
	// Default: there is no such listener.
	Listen string `yaml:"listen"`
	// Certificate is the PEM file of the certificate chain; with Key, or neither.
	Certificate string `yaml:"certificate"`
	// Key is the PEM file of its key, mode 0640 or stricter.
	Key string `yaml:"key"`
	// BeyondLoopback lets it listen beyond the loopback without a certificate, on a network
	// of the collectors' own. Numbers are no secret, and still nobody else's. Default false.
	BeyondLoopback bool `yaml:"beyond_loopback"`
}

func (m Metrics) validate() error {
	if m.Listen == "" {
		if m != (Metrics{}) {
			return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigMetrics() })
		}
		return nil
	}
	host, _, err := net.SplitHostPort(m.Listen)
	if err != nil {
		return locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigListen("metrics", strconv.Quote(m.Listen)) })
	}
	var errs []error
	if (m.Certificate == "") != (m.Key == "") {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigCertificate("metrics") }))
	}
	if !loopback(host) && m.Certificate == "" && !m.BeyondLoopback {
		errs = append(errs, locale.Refuse(func(w *locale.Words) string { return w.Refused.ConfigMetricsLoopback(m.Listen) }))
	}
	return errors.Join(errs...)
}
