package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/locale"
)

// channelTokenCmd is "liuma channel token".
type channelTokenCmd struct {
	Client string `name:"client" required:"" placeholder:"ID"`
	Key    string `name:"key" required:"" placeholder:"FILE"`
	KeyID  string `name:"kid" placeholder:"KID"`
	Hosted bool   `name:"hosted"`
	Issuer string `name:"issuer" placeholder:"URL"`
	API    string `name:"api" placeholder:"URL"`
	Quiet  bool   `name:"quiet" short:"q"`
}

// Run prints only the token to standard output, and how to use it to standard error.
// It reads a data directory only for values that were not given, because a channel's
// developer has none.
func (a *channelTokenCmd) Run(c *cli, t *terminal) error {
	if a.Issuer == "" || a.API == "" && !a.Quiet && !a.Hosted {
		conf, err := c.load()
		if err != nil {
			return refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.TokenSayThem(why) })
		}
		if a.Issuer == "" {
			a.Issuer = conf.Issuer
		}
		if a.API == "" {
			a.API = conf.APIAddress()
		}
	}
	pair, err := readKeyPair(a.Key, a.KeyID)
	if err != nil {
		return err
	}
	// Only Issuer is part of the signed content.
	signer, err := client.New(client.Config{BaseURL: a.Issuer, Issuer: a.Issuer, ID: a.Client, KeyID: pair.Public.KeyID, Key: pair.Private})
	if err != nil {
		return wrongUseFor("liuma channel token", err, func(w *locale.Words, why string) string {
			return w.Refused.Option("--issuer "+strconv.Quote(a.Issuer), why)
		})
	}
	sign := signer.Token
	if a.Hosted {
		sign = signer.Assertion
	}
	token, ends, err := sign()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(t.out, token); err != nil || a.Quiet {
		return err
	}
	return a.explain(t, c.Data, ends)
}

// explain prints how long the token is valid, and a line to copy that signs a fresh
// one each time it is run.
func (a *channelTokenCmd) explain(t *terminal, data string, ends time.Time) error {
	again := "liuma channel token -q --client " + quoted(a.Client) + " --key " + quoted(a.Key) + " --issuer " + quoted(a.Issuer)
	if a.KeyID != "" {
		again += " --kid=" + quoted(a.KeyID)
	}
	until, left, say := ends.UTC().Format(time.RFC3339), time.Until(ends).Round(time.Second).String(), t.shown()
	trial := locale.In(locale.Chinese).Terminal.Trial() // holders read it
	if a.Hosted {
		_, err := fmt.Fprintf(t.err, `%s
%s
curl -sS %s/par --data-urlencode client_assertion="$(%s --hosted)" \
  -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer -d client_id=%s \
  -d response_type=code -d scope=openid -d state=state-of-a-trial -d nonce=nonce-of-a-trial \
  -d code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM -d code_challenge_method=S256 \
  --data-urlencode redirect_uri=REDIRECT_URI \
  --data-urlencode authorization_details='[{"type":"liuma_pin","action":"link","business_no":"TRY-000001","purpose":"%s","holder":{"id_number":"ID_NUMBER","name":"NAME"}}]'
%s
`, say.TokenAssertion(until, left), say.TokenPutIn(), a.Issuer, again, quoted(a.Client), trial,
			say.TokenThen(a.Issuer+"/authorize?client_id="+a.Client+"&request_uri=REQUEST_URI"))
		return err
	}
	api := a.API
	if api == "" {
		api = "API" // behind a proxy: only the operator knows
	}
	_, err := fmt.Fprintf(t.err, `%s
curl -sS %s/v1/challenges -H 'Content-Type: application/json' -d '{}' \
  -H "Authorization: Bearer $(%s)"
%s
`, say.TokenBearer(until, left), api, again, say.TokenRest())
	return err
}

// quoted puts a word into single quotes for a shell, if it needs them.
func quoted(word string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./:", c)
	}
	if word != "" && strings.IndexFunc(word, func(c rune) bool { return !plain(c) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// readKeyPair reads the private key of a client.
func readKeyPair(file, kid string) (admin.KeyPair, error) {
	raw, err := readKey(file)
	if err != nil {
		return admin.KeyPair{}, err
	}
	defer clear(raw)
	pair, err := admin.ParseKeyPair(raw, kid)
	if err != nil {
		return admin.KeyPair{}, refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ClientKeyFile(file, why) })
	}
	return pair, nil
}
