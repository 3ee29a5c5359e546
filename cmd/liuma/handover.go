package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/store"
)

// handover prints what the developer of a new client has to know, in one block to
// copy. Nothing in it is secret.
func handover(w io.Writer, conf config.Config, p admin.Client) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "Send this to its developer; nothing in it is secret:\n\n  %s %s · %s / %s\n", p.Kind, p.ID, p.Name.ZH, p.Name.EN)
	line("client id", "%s", p.ID)
	line("key id (kid)", "%s", p.Key.KeyID)
	line("issuer", "%s", conf.Issuer)
	if p.Kind == store.ClientProvider {
		line("evidence", "JWS with ES256, typ liuma-evidence+jwt, iss %s, aud %s", p.ID, conf.Issuer)
		if p.StandIn {
			line("stand-in", "%s", standInWords(conf.AllowStandIn))
		}
		line("read", "docs/SEALING.md, “The holder's hash in evidence”")
		return finish(w, &b)
	}
	api := conf.APIAddress()
	if api == "" {
		api = "https://…"
		line("API", "the public address of the channel door (%s): say it here, or once as api: in %s", conf.Channel.Listen, config.FileName)
	} else {
		line("API", "%s", api)
	}
	line("API tokens", "aud %s/v1, typ liuma-native+jwt, at most five minutes", conf.Issuer)
	line("OpenAPI", "%s/openapi.json", api)
	switch p.Kind {
	case store.ClientChannel:
		channelHandover(line, conf, p, api)
	case store.ClientRegistry:
		line("reports", "POST %s/v1/physical-card-status", api)
		line("read", "docs/API.md, “Physical card”")
	case store.ClientHotline:
		line("freezes", "POST %s/v1/hotline-freezes", api)
		line("read", "docs/API.md, “Freeze by hotline”")
	}
	line("a token", "liuma channel token --client %s --key PRIVATE_KEY_FILE --issuer %s --api %s", p.ID, conf.Issuer, api)
	return finish(w, &b)
}

// channelHandover adds what only a channel has: the hosted door, and what it was
// registered for.
func channelHandover(line func(string, string, ...any), conf config.Config, p admin.Client, api string) {
	line("JWKS", "%s/.well-known/jwks.json", api)
	if conf.Hosted.Listen != "" {
		line("discovery", "%s/.well-known/openid-configuration", conf.Issuer)
		line("  pushes", "%s/par", conf.Issuer)
		line("  browser", "%s/authorize", conf.Issuer)
		line("  codes", "%s/token", conf.Issuer)
		line("  assertions", "aud %s, typ JWT, each good for one call", conf.Issuer)
	}
	line("regions", "%s", joined(regionNames(p.Regions)))
	line("actions", "%s", joined(actionNames(p.Actions)))
	switch {
	case len(p.RedirectURIs) > 0:
		line("redirect URIs", "%s (compared byte for byte)", joined(p.RedirectURIs))
	case conf.Hosted.Listen != "":
		line("redirect URIs", "none: the hosted door serves it no page")
	}
	if conf.AllowStandIn {
		line("evidence", "'liuma evidence stand-in' signs it here: for development only, it proves nothing")
	}
	line("read", "docs/CHANNELS.md; a whole sample is in examples/channel")
}

func standInWords(allowed bool) string {
	if allowed {
		return "it proves nothing; the configuration allows that"
	}
	return "it proves nothing, and counts for nothing: the configuration does not allow stand-ins"
}

func finish(w io.Writer, b *strings.Builder) error {
	_, err := fmt.Fprint(w, b.String())
	return err
}
