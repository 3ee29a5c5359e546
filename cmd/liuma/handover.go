package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/locale"
)

// handover prints what the developer of a new client needs to know, in one block to
// copy. Nothing in it is secret.
func handover(t *terminal, conf config.Config, p admin.Client) error {
	var b strings.Builder
	say := t.shown()
	line := func(name, said string) { fmt.Fprintf(&b, "  %s %s\n", padded(name, 14), said) }
	fmt.Fprintf(&b, "%s\n\n  %s %s · %s / %s\n", say.HandoverSend(), kindName(t.shown(), p.Kind), p.ID, p.Name.ZH, p.Name.EN)
	line(say.HandoverClientID(), p.ID)
	line(say.HandoverKid(), p.Key.KeyID)
	line(say.HandoverIssuer(), conf.Issuer)
	if p.Kind == store.ClientProvider {
		line(say.HandoverEvidence(), say.HandoverEvidenceForm(p.ID, conf.Issuer))
		if p.StandIn {
			line(say.HandoverStandIn(), standInWords(say, conf.AllowStandIn))
		}
		line(say.HandoverRead(), say.HandoverReadEvidence())
		return finish(t.out, &b)
	}
	api := conf.APIAddress()
	if api == "" {
		api = "https://…"
		line(say.HandoverAPI(), say.HandoverAPIUnknown(conf.Channel.Listen, config.FileName))
	} else {
		line(say.HandoverAPI(), api)
	}
	line(say.HandoverTokens(), say.HandoverTokensForm(conf.Issuer))
	line(say.HandoverOpenapi(), api+"/openapi.json")
	switch p.Kind {
	case store.ClientChannel:
		channelHandover(line, say, conf, p, api)
	case store.ClientRegistry:
		line(say.HandoverReports(), "POST "+api+"/v1/physical-card-status")
		line(say.HandoverRead(), say.HandoverReadPhysical())
	case store.ClientHotline:
		line(say.HandoverFreezes(), "POST "+api+"/v1/hotline-freezes")
		line(say.HandoverRead(), say.HandoverReadFreeze())
	}
	line(say.HandoverToken(), fmt.Sprintf("liuma channel token --client %s --key PRIVATE_KEY_FILE --issuer %s --api %s", p.ID, conf.Issuer, api))
	return finish(t.out, &b)
}

// channelHandover adds the parts that only a channel has: the hosted door, and the
// registered actions and regions.
func channelHandover(line func(name, said string), say locale.Shown, conf config.Config, p admin.Client, api string) {
	line(say.HandoverJwks(), api+"/.well-known/jwks.json")
	if conf.Hosted.Listen != "" {
		line(say.HandoverDiscovery(), conf.Issuer+"/.well-known/openid-configuration")
		line("  "+say.HandoverPushes(), conf.Issuer+"/par")
		line("  "+say.HandoverBrowser(), conf.Issuer+"/authorize")
		line("  "+say.HandoverCodes(), conf.Issuer+"/token")
		assertions := say.HandoverAssertionsForm
		if p.StrictAudience {
			assertions = say.HandoverAssertionsStrict
		}
		line("  "+say.HandoverAssertions(), assertions(conf.Issuer))
	}
	line(say.HandoverRegions(), joined(shownRegions(say, p.Regions)))
	line(say.HandoverActions(), joined(actionNames(p.Actions)))
	switch {
	case len(p.RedirectURIs) > 0:
		line(say.HandoverRedirects(), say.HandoverCompared(joined(p.RedirectURIs)))
	case conf.Hosted.Listen != "":
		line(say.HandoverRedirects(), say.HandoverNoRedirects())
	}
	if conf.AllowStandIn {
		line(say.HandoverEvidence(), say.HandoverEvidenceTrial())
	}
	line(say.HandoverRead(), say.HandoverReadChannels())
}

func standInWords(say locale.Shown, allowed bool) string {
	if allowed {
		return say.HandoverStandInAllowed()
	}
	return say.HandoverStandInUseless()
}

func finish(w io.Writer, b *strings.Builder) error {
	_, err := fmt.Fprint(w, b.String())
	return err
}
