package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/door/holder"
	"github.com/liuma-pin/liuma/internal/door/oidc"
	"github.com/liuma-pin/liuma/internal/genuine"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/web"
)

// hostedDoor puts the protocol of the hosted door and its pages behind one
// listener.
func (s *System) hostedDoor() (*http.Server, error) {
	protocol, err := oidc.New(oidc.Config{
		Authority: s.Front(), Tokens: s.Vault, Issuer: s.Config.Issuer, Now: s.Clock.Wall, Latest: s.Clock.Latest, Logger: s.options.Logger,
		InFlight: s.hostedBounds.inFlight, Hotline: s.Config.Hotline,
	})
	if err != nil {
		return nil, err
	}
	assets, err := web.Load()
	if err != nil {
		return nil, err
	}
	proxies, err := s.Config.ProxyNetworks(s.Config.Hosted)
	if err != nil {
		return nil, err
	}
	text, err := consent.Load(s.Config.Consent)
	if err != nil {
		return nil, err
	}
	running, err := s.Policy.Running()
	if err != nil {
		return nil, err
	}
	asked, err := genuine.New(genuine.Config{Store: s.Store, Origin: strings.TrimSuffix(s.Config.Issuer, "/"),
		Senders: s.Config.Texts.Senders, Lines: hotlines(s.Config.Hotline, running),
		Listed: func(number string) bool { return s.Agencies.Listing().Has(number) }, Now: s.Clock.Wall})
	if err != nil {
		return nil, err
	}
	pages, err := holder.New(holder.Config{
		Consent:  text,
		Rules:    running,
		Agencies: s.Agencies,
		Genuine:  asked, SenderMark: s.Config.Texts.SenderMark(),
		Authority: s.Front(), Assets: assets, Origin: strings.TrimSuffix(s.Config.Issuer, "/"),
		Now: s.Clock.Wall, Logger: s.options.Logger, DomainChecks: s.Config.DomainChecks,
		Proxies: proxies, Hotline: s.Config.Hotline, InFlight: s.hostedBounds.inFlight, Ready: s.ready, Counter: s.Counter, Challenges: s.Vault,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	protocol.Routes(mux)
	mux.Handle("/", pages)
	return door.NewServer(mux, door.Bounds{
		Read:  20 * time.Second, // phones on poor networks
		Write: 30 * time.Second, Idle: 2 * time.Minute, HeaderBytes: 16 << 10,
	}, s.options.Logger), nil
}

// hotlines are the numbers that people may call: the national ones, the configured
// one, and the numbers of the running policy.
func hotlines(configured string, rules *policy.Running) func() []string {
	return func() []string {
		lines := []string{locale.NationalHotline, locale.MedicalLine, configured, rules.For("", "").Hotline}
		for _, r := range rules.Regions() {
			lines = append(lines, rules.For(r, "").Hotline)
		}
		return lines
	}
}
