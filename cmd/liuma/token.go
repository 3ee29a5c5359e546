package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/admin"
)

// channelTokenCmd is "liuma channel token".
type channelTokenCmd struct {
	Client string `name:"client" required:"" placeholder:"ID" help:"Identifier that the operator registered, of any kind of client."`
	Key    string `name:"key" required:"" placeholder:"FILE" help:"Its private key: PEM, as 'liuma channel keygen' writes it."`
	KeyID  string `name:"kid" placeholder:"KID" help:"The kid that the key is registered under. Default: the key's thumbprint, as keygen has it."`
	Hosted bool   `name:"hosted" help:"A client assertion for one call of the hosted door, instead of a bearer token for the native door."`
	Issuer string `name:"issuer" placeholder:"URL" help:"The authority's issuer. Default: the data directory's."`
	API    string `name:"api" placeholder:"URL" help:"The native door, for the line to copy. Default: the data directory's."`
	Quiet  bool   `name:"quiet" short:"q" help:"Print the token and no more, for a script."`
}

// Run prints the token, alone, to standard output, and how to use it to standard
// error. A data directory is looked at only for what was not given: a channel's
// developer has none.
func (a *channelTokenCmd) Run(c *cli, t *terminal) error {
	if a.Issuer == "" || a.API == "" && !a.Quiet && !a.Hosted {
		conf, err := c.load()
		if err != nil {
			return fmt.Errorf("%w; or say --issuer URL and --api URL, as the operator told you", err)
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
	// Only Issuer goes into what is signed.
	signer, err := client.New(client.Config{BaseURL: a.Issuer, Issuer: a.Issuer, ID: a.Client, KeyID: pair.Public.KeyID, Key: pair.Private})
	if err != nil {
		return badUsage("liuma channel token", "--issuer %q: %v", a.Issuer, err)
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
	return a.explain(t.err, c.Data, ends)
}

// explain says how long the token is good, and a line to copy that signs a fresh
// one each time it is run.
func (a *channelTokenCmd) explain(w io.Writer, data string, ends time.Time) error {
	again := "liuma channel token -q --client " + quoted(a.Client) + " --key " + quoted(a.Key) + " --issuer " + quoted(a.Issuer)
	if a.KeyID != "" {
		again += " --kid=" + quoted(a.KeyID)
	}
	left := time.Until(ends).Round(time.Second)
	if a.Hosted {
		_, err := fmt.Fprintf(w, `A client assertion for one call, until %s (%s). Push a request with a fresh one each time
(put in REDIRECT_URI, ID_NUMBER and NAME; state, nonce and challenge are drawn anew by a real channel):
curl -sS %s/par --data-urlencode client_assertion="$(%s --hosted)" \
  -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer -d client_id=%s \
  -d response_type=code -d scope=openid -d state=state-of-a-trial -d nonce=nonce-of-a-trial \
  -d code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM -d code_challenge_method=S256 \
  --data-urlencode redirect_uri=REDIRECT_URI \
  --data-urlencode authorization_details='[{"type":"liuma_pin","action":"link","business_no":"TRY-000001","purpose":"试一试","holder":{"id_number":"ID_NUMBER","name":"NAME"}}]'
Then open %s/authorize?client_id=%s&request_uri=REQUEST_URI in a browser. docs/HOSTED.md has the rest.
`, ends.UTC().Format(time.RFC3339), left, a.Issuer, again, quoted(a.Client), a.Issuer, a.Client)
		return err
	}
	api := a.API
	if api == "" {
		api = "API" // behind a proxy: only the operator knows
	}
	_, err := fmt.Fprintf(w, `Good for any number of requests until %s (%s). A first one, with a fresh token each time:
curl -sS %s/v1/challenges -H 'Content-Type: application/json' -d '{}' \
  -H "Authorization: Bearer $(%s)"
docs/API.md has the other requests.
`, ends.UTC().Format(time.RFC3339), left, api, again)
	return err
}

// quoted puts a word into single quotes for a shell, where it needs them.
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
		return admin.KeyPair{}, fmt.Errorf("key file %s: %w; 'liuma channel keygen' makes a good one", file, err)
	}
	return pair, nil
}
