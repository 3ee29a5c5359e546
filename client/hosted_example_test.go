package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"sync"

	"github.com/liuma-pin/liuma/client"
)

// pushed keeps the LogIns of pushes, by their state. A channel with several
// servers keeps them in its database, as JSON, and takes one out in a transaction.
type pushed struct {
	mu sync.Mutex
	in map[string][]byte // guarded by mu
}

func (p *pushed) keep(l client.LogIn) error {
	raw, err := json.Marshal(l)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in[l.State] = raw
	return err
}

// take finds a LogIn once.
func (p *pushed) take(state string) (l client.LogIn, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	raw, ok := p.in[state]
	delete(p.in, state)
	return l, ok && json.Unmarshal(raw, &l) == nil
}

// A channel's server has its own idea of who is logged in.
func sessionOf(*http.Request) (session, account string) { return "session", "account" }

// The hosted door: one handler pushes and sends the browser to the page, one is
// the redirect URI.
func ExampleClient_Push() {
	key, err := client.LoadKey("zj-hrss.pem") // made by 'liuma channel keygen'
	if err != nil {
		fmt.Println("no key here")
		return
	}
	c, err := client.New(client.Config{Issuer: "https://pin.example.cn", ID: "zj-hrss", Key: key})
	if err != nil {
		log.Fatal(err)
	}
	logIns := &pushed{in: map[string][]byte{}}

	http.HandleFunc("POST /years", func(w http.ResponseWriter, r *http.Request) {
		ask := client.HostedRequest{
			Action: client.Verify, BusinessNo: "ZJ20260401-000017", Purpose: "查询社保缴费年限",
			Holder: client.Subject{Card: "0123456789abcdef0123456789abcdef"}, RedirectURI: "https://app.zj-hrss.example/callback",
		}
		l := ask.LogIn(sessionOf(r))
		if err := logIns.keep(l); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		page, err := c.Push(r.Context(), l, ask)
		if problem, ok := errors.AsType[*client.Problem](err); ok {
			fmt.Fprintln(w, problem.TitleZH, problem.NextStepZH)
			return
		}
		if err != nil {
			http.Error(w, "ask by the business number", http.StatusBadGateway)
			return
		}
		http.Redirect(w, r, page.URL, http.StatusSeeOther)
	})

	http.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		l, ok := logIns.take(r.URL.Query().Get("state"))
		if !ok {
			http.Error(w, "this link was not opened from here", http.StatusBadRequest)
			return
		}
		session, account := sessionOf(r)
		proof, err := c.Return(r.Context(), l, session, account, r.URL.Query())
		switch {
		case err == nil:
			fmt.Fprintln(w, "the years of", proof.Card)
		case errors.Is(err, client.ErrOtherLogIn):
			http.Error(w, "this link was not opened from here", http.StatusBadRequest)
		case client.CodeOf(err) == client.CodeEvidenceRequired:
			fmt.Fprintln(w, "the camera page; then Push again, under the same number")
		default:
			v, err := c.Verification(r.Context(), l.BusinessNo) // opens nothing
			if err != nil {
				http.Error(w, "ask again later", http.StatusBadGateway)
				return
			}
			fmt.Fprintln(w, v.TitleZH, v.NextStepZH)
		}
	})
	// Output: no key here
}
