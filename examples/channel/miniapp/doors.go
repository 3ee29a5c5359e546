package miniapp

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// The actions that this channel is registered for.
const (
	actionEnroll = "enroll"
	actionLink   = "link"
	actionVerify = "verify"
	actionChange = "change"
	// Ways back for a holder who forgot the PIN, changed the phone, or froze
	// the card. They all take place on the authority's page.
	actionReset    = "reset"
	actionRebind   = "rebind"
	actionUnfreeze = "unfreeze"
	// actionFreeze takes no page: one call of our server's.
	actionFreeze = "freeze"
	// actionMedical is this app's own: a verify of the authority's, for another purpose
	// and with evidence. See medical.go.
	actionMedical = "medical"
)

const (
	longestForm = 8 << 10
	yearsOpen   = 5 * time.Minute // that contribution years stay open after a verdict
)

func (a *App) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /{$}":         a.showHome,
		"POST /person":     a.choosePerson,
		"POST /leave":      a.leavePerson,
		"POST /start":      a.start,
		"POST /resume":     a.resume,
		"GET /evidence":    a.showEvidence,
		"POST /evidence":   a.giveEvidence,
		"GET " + backPath:  a.evidenceBack,
		"GET /freeze":      a.showFreeze,
		"POST /freeze":     a.freeze,
		"GET /counter":     a.showCounter,
		"GET /callback":    a.callback,
		"POST /ask":        a.askAgain,
		"GET /result":      a.showResult,
		"GET /years":       a.showYears,
		"GET /medical":     a.showMedical,
		"POST /medical":    a.newCode,
		"POST /read":       a.readCode,
		"GET /medical.js":  a.showScript,
		"GET /card":        a.showCard,
		"GET /style.css":   a.showStyle,
		"GET /favicon.ico": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"GET /healthz":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"/":                func(w http.ResponseWriter, r *http.Request) { a.lost(w, r, http.StatusNotFound) },
	} {
		mux.HandleFunc(pattern, handle)
	}
	guard := http.NewCrossOriginProtection()
	if err := guard.AddTrustedOrigin(a.c.Origin); err != nil {
		return nil, err
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.lost(w, r, http.StatusForbidden) }))
	policy, err := a.contentPolicy()
	if err != nil {
		return nil, err
	}
	inner := guard.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, longestForm)
		inner.ServeHTTP(w, r)
	}), nil
}

// contentPolicy allows only the app's own stylesheet, and no script: the one page that
// has one adds it. Browsers hold the
// redirect after a form to form-action, so the origins of the authority and of the
// provider's page are in it.
func (a *App) contentPolicy() (string, error) {
	there, err := originOf(a.c.Issuer)
	if err != nil {
		return "", err
	}
	if a.c.EvidencePage != "" {
		provider, err := originOf(a.c.EvidencePage)
		if err != nil {
			return "", err
		}
		there += " " + provider
	}
	return "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' " + there +
		"; frame-ancestors 'none'; base-uri 'none'", nil
}

// The session's cookie. Browsers share cookies between ports, so two instances
// on one host need two names.
func (a *App) cookieName() string {
	if a.secure() {
		return "__Host-" + a.c.ClientID
	}
	return "sample-" + a.c.ClientID
}

func (a *App) session(r *http.Request) string {
	c, err := r.Cookie(a.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

func (a *App) setSession(w http.ResponseWriter, id string) {
	age := int(sessionLife / time.Second)
	if id == "" {
		age = -1
	}
	// Lax, not Strict: the holder comes back from the authority by a link.
	http.SetCookie(w, &http.Cookie{Name: a.cookieName(), Value: id, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: a.secure(), SameSite: http.SameSiteLaxMode})
}

// who is the person at the browser, or nil.
func (a *App) who(r *http.Request) *Person {
	var key string
	a.memory.with(a.session(r), func(s *session) { key = s.person })
	return a.person(key)
}

func (a *App) choosePerson(w http.ResponseWriter, r *http.Request) {
	p := a.person(r.PostFormValue("person"))
	if p == nil {
		a.lost(w, r, http.StatusBadRequest)
		return
	}
	a.setSession(w, a.memory.begin(a.session(r), p.Key))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *App) leavePerson(w http.ResponseWriter, r *http.Request) {
	a.memory.end(a.session(r))
	a.setSession(w, "")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// newFlow begins a request under a fresh business number.
func (a *App) newFlow(action string, p *Person) flow {
	of := a.holder(p)
	f := flow{Action: action, Person: of.Key, Camera: p.Key, Purpose: a.words.purpose(action), Started: a.c.Now()}
	f.BusinessNo = strings.ToUpper(a.c.ClientID) + "-" + a.c.Now().In(beijing()).Format("060102") + "-" + rand.Text()[:8]
	if needsCard(action) {
		f.Card = a.memory.card(of.Key)
	}
	return f
}

// needsCard says whether an action is about a card that this channel has a
// handle of. Only enroll and link name the holder.
func needsCard(action string) bool { return action != actionEnroll && action != actionLink }

// actFor is the act of the authority's that an action of this app takes.
func actFor(action string) string {
	if action == actionMedical {
		return actionVerify
	}
	return action
}

// evidenceFirst says whether the identity check comes before the push. For all others
// the authority says when it is time.
func evidenceFirst(action string) bool { return action == actionEnroll || action == actionMedical }

func (a *App) start(w http.ResponseWriter, r *http.Request) {
	p, action := a.who(r), r.PostFormValue("action")
	if p == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	switch action {
	case actionEnroll, actionLink, actionVerify, actionChange, actionReset, actionRebind, actionUnfreeze:
	case actionMedical:
		if _, open := a.opened(r, medicalOf); open {
			http.Redirect(w, r, medicalPath, http.StatusSeeOther)
			return
		}
	case actionFreeze:
		http.Redirect(w, r, "/freeze", http.StatusSeeOther)
		return
	default:
		a.lost(w, r, http.StatusBadRequest)
		return
	}
	f := a.newFlow(action, p)
	if f.Card == "" && needsCard(action) {
		http.Redirect(w, r, "/", http.StatusSeeOther) // the card first
		return
	}
	a.memory.keep(a.session(r), f)
	if evidenceFirst(action) {
		http.Redirect(w, r, "/evidence?no="+f.BusinessNo, http.StatusSeeOther)
		return
	}
	a.open(w, r, f, "")
}

// open pushes a flow and sends the browser to the authority's page.
func (a *App) open(w http.ResponseWriter, r *http.Request, f flow, evidence string) {
	// Of this session and the account in it. The business number stays: a push with
	// the same number continues the same ceremony.
	f.LogIn = a.request(f, evidence).LogIn(a.session(r), a.account(r))
	f.Pushed, f.Outcome = true, nil
	// The request is stored before it is sent, so that its business number is
	// known even if no answer comes.
	a.memory.update(a.session(r), f.BusinessNo, func(kept *flow) { *kept = f })
	address, err := a.push(r.Context(), f, evidence)
	if evidence != "" {
		f.Challenge = "" // answered, with any result
		a.memory.update(a.session(r), f.BusinessNo, func(kept *flow) { kept.Challenge = "" })
	}
	if err != nil {
		if no, ok := errors.AsType[*client.Problem](err); ok && no.Challenge != "" {
			f.Challenge = no.Challenge // evidence_required: bind it to this
		}
		a.finish(w, r, f, a.problem(f, err), "")
		return
	}
	a.memory.update(a.session(r), f.BusinessNo, func(kept *flow) { kept.Address = address })
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// account is whose log-in a browser's session is, or empty.
func (a *App) account(r *http.Request) string {
	if p := a.who(r); p != nil {
		return p.Key
	}
	return ""
}

// flowOf finds the flow that a page is about.
func (a *App) flowOf(r *http.Request) (flow, bool) {
	no := r.FormValue("no")
	return a.memory.flowBy(a.session(r), func(f *flow) bool { return f.BusinessNo == no })
}

// resume goes on with a ceremony that the person left open, under a new push.
func (a *App) resume(w http.ResponseWriter, r *http.Request) {
	f, ok := a.flowOf(r)
	switch {
	case !ok:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case f.Action == actionEnroll, evidenceFirst(f.Action) && f.Address == "", f.Outcome != nil && f.Outcome.wantsEvidence():
		http.Redirect(w, r, "/evidence?no="+f.BusinessNo, http.StatusSeeOther)
	case f.Outcome != nil && f.Outcome.Code == stateReturning && f.Address != "":
		// The PIN was given. The page leads back at once, in the browser where that
		// was; in any other it shows nothing.
		http.Redirect(w, r, f.Address, http.StatusSeeOther)
	default:
		a.open(w, r, f, "")
	}
}

func (a *App) giveEvidence(w http.ResponseWriter, r *http.Request) {
	f, ok := a.flowOf(r)
	if !ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	err := a.challenge(r.Context(), &f)
	if err == nil && a.c.EvidencePage != "" {
		a.sendToProvider(w, r, f)
		return
	}
	evidence := ""
	if err == nil {
		evidence, err = a.evidence(r.Context(), f)
	}
	if err != nil {
		a.finish(w, r, f, a.problem(f, err), "")
		return
	}
	f.Outcome = nil
	a.open(w, r, f, evidence)
}

// freeze stops the card, at once and in every channel. It needs no PIN and no
// page of the authority: a holder can undo it, and one who must freeze may just
// have lost phone and PIN.
func (a *App) freeze(w http.ResponseWriter, r *http.Request) {
	p := a.who(r)
	if p == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	f := a.newFlow(actionFreeze, p)
	if f.Card == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	f.Pushed = true
	a.memory.keep(a.session(r), f)
	v, err := a.door.Freeze(r.Context(), client.FreezeRequest{BusinessNo: f.BusinessNo, Subject: client.Subject{Card: f.Card}, Region: a.c.Region})
	switch {
	case err != nil:
		a.finish(w, r, f, a.problem(f, err), "")
	case !froze(f, v):
		a.finish(w, r, f, a.refused(v, f.Action), "")
	default:
		o := a.words.done(f.Action)
		o.Received = received(v)
		a.finish(w, r, f, o, "")
	}
}

// callback is the redirect URI. A code is redeemed only in the log-in that
// pushed, account included: else a thief pushes in an account of his own, has the
// owner type the PIN, and sees the owner's years. State and issuer show that a
// callback belongs to this flow; every other parameter may be forged.
func (a *App) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	id := a.session(r)
	f, ok := a.memory.takeState(id, q.Get("state"))
	if !ok {
		a.render(w, r, http.StatusBadRequest, "result", view{Outcome: ref(a.words.of("state", ""))})
		return
	}
	p, err := a.door.Return(r.Context(), f.LogIn, id, a.account(r), q)
	no, refused := errors.AsType[*client.Problem](err)
	switch {
	case err == nil:
		a.finish(w, r, f, a.proved(f, p), p.Card)
		return
	case errors.Is(err, client.ErrOtherLogIn):
		// A stranger's link, a reload, or an answer of another authority. Nothing in
		// it is used.
		a.render(w, r, http.StatusBadRequest, "result", view{Outcome: ref(a.words.of("state", ""))})
		return
	case refused && no.Code == client.CodeEvidenceRequired:
		a.sendForEvidence(w, r, f, no)
		return
	}
	a.c.Logger.WarnContext(r.Context(), "no proof", "business_no", f.BusinessNo, "err", err)
	// An error in the address may be forged, and an exchange may have failed on the
	// way. The result is fetched by business number.
	o, card := a.ask(r.Context(), f)
	if o.Code == stateReturning {
		// The code was not redeemed, so the page may bring another, with this state.
		a.memory.update(id, f.BusinessNo, func(kept *flow) { kept.LogIn.State = f.LogIn.State })
	}
	a.finish(w, r, f, o, card)
}

// sendForEvidence goes on to the evidence provider: the authority's page has shown
// the reason already. A challenge that was forged in the address would only be
// refused by the authority.
func (a *App) sendForEvidence(w http.ResponseWriter, r *http.Request, f flow, no *client.Problem) {
	f.Challenge = no.Challenge
	why := no.Code
	if no.Reason == client.ReasonSlowDown {
		why = client.CodeSlowDown // waiting helps, too
	}
	a.keepOutcome(r, f, a.words.of(why, f.Action))
	http.Redirect(w, r, "/evidence?no="+f.BusinessNo, http.StatusSeeOther)
}

func (a *App) askAgain(w http.ResponseWriter, r *http.Request) {
	f, ok := a.flowOf(r)
	if !ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	o, card := a.ask(r.Context(), f)
	a.finish(w, r, f, o, card)
}

// finish stores the result of a flow and shows it by a redirect, so that a
// reload repeats nothing.
func (a *App) finish(w http.ResponseWriter, r *http.Request, f flow, o outcome, card string) {
	to := "/result?no=" + f.BusinessNo
	if o.OK && card != "" && (f.Action == actionEnroll || f.Action == actionLink) {
		a.memory.setCard(f.Person, card)
	}
	if page := a.unlock(r, f, o); page != "" {
		to = page
	}
	if o.OK && f.Action == actionFreeze { // the card stops at once, and what it opened with it
		a.memory.with(a.session(r), func(s *session) { s.years, s.medical = access{}, access{} })
	}
	a.keepOutcome(r, f, o)
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// unlock opens the service that a proof is for, in this session and for a while, and
// returns its page; for whatever else there is none. Nothing but a proof opens.
func (a *App) unlock(r *http.Request, f flow, o outcome) (page string) {
	if !o.OK || o.Proof == nil {
		return ""
	}
	now := a.c.Now()
	switch f.Action {
	case actionVerify:
		page = "/years"
		a.memory.with(a.session(r), func(s *session) { s.years = access{now.Add(yearsOpen), f.Person, f.BusinessNo} })
	case actionMedical:
		page = medicalPath
		a.memory.with(a.session(r), func(s *session) { s.medical = access{now.Add(medicalOpen), f.Person, f.BusinessNo} })
		a.memory.draw(a.session(r), now)
	}
	return page
}

// opened is what a proof opened for the person at the browser, and whether it still is.
func (a *App) opened(r *http.Request, of func(*session) access) (got access, open bool) {
	a.memory.with(a.session(r), func(s *session) { got = of(s) })
	p := a.who(r)
	if p == nil || got.of != a.holder(p).Key {
		return access{}, false
	}
	return got, a.c.Now().Before(got.until)
}

func (a *App) keepOutcome(r *http.Request, f flow, o outcome) {
	f.Outcome = &o
	a.memory.update(a.session(r), f.BusinessNo, func(kept *flow) {
		state := kept.LogIn.State // may have been taken meanwhile
		*kept = f
		kept.LogIn.State = state
	})
}

func ref(o outcome) *outcome { return &o }
