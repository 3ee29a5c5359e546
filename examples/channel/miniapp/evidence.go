package miniapp

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const longestAnswer = 64 << 10

// refusal is why the provider signed nothing.
type refusal struct {
	Status int    `json:"-"`
	Kind   string `json:"error"`
}

// Error is for the log: nothing in it is personal.
func (r *refusal) Error() string { return fmt.Sprintf("status %d: %s", r.Status, r.Kind) }

// post sends one request to the provider, once.
func (a *App) post(ctx context.Context, address, body string, want int, answer any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != want {
		no := &refusal{Status: resp.StatusCode}
		if err := json.Unmarshal(raw, no); err != nil || no.Kind == "" {
			return fmt.Errorf("status %d without a reason", resp.StatusCode)
		}
		return no
	}
	return json.Unmarshal(raw, answer)
}

// evidence asks the provider to look at the person, and returns the evidence
// that it signed (实人认证凭证). The provider is registered with the authority; this
// channel only passes the token on, and could not make one. A real provider is
// mostly reached by its SDK on the phone.
func (a *App) evidence(ctx context.Context, f flow) (string, error) {
	p, camera := a.person(f.Person), a.person(f.Camera)
	body, err := json.Marshal(map[string]string{
		"audience": a.c.Issuer, "challenge": f.Challenge, "id_number": p.Text(), "name": p.Name,
		// A real provider sees for itself who is there. The stand-in is told.
		"camera": camera.Text(),
	})
	if err != nil {
		return "", err
	}
	var answer struct {
		Evidence string `json:"evidence"`
	}
	if err := a.post(ctx, a.c.Evidence, string(body), http.StatusOK, &answer); err != nil {
		return "", fmt.Errorf("evidence: %w", err)
	}
	if answer.Evidence == "" {
		return "", errors.New("evidence: the provider signed nothing")
	}
	return answer.Evidence, nil
}

// backPath is where the provider's page sends the holder back to.
const backPath = "/evidence/back"

// sendToProvider begins a check and sends the holder to its page. Nothing personal
// travels in the address.
func (a *App) sendToProvider(w http.ResponseWriter, r *http.Request, f flow) {
	f.Check = rand.Text()
	a.memory.update(a.session(r), f.BusinessNo, func(kept *flow) { kept.Check, kept.Challenge = f.Check, f.Challenge })
	p := a.person(f.Person)
	body, err := json.Marshal(map[string]string{
		"audience": a.c.Issuer, "challenge": f.Challenge, "id_number": p.Text(), "name": p.Name,
		"redirect_uri": a.c.Origin + backPath, "state": f.Check,
	})
	var answer struct {
		Page string `json:"page"`
	}
	if err == nil {
		err = a.post(r.Context(), a.c.EvidencePage, string(body), http.StatusCreated, &answer)
	}
	there, _ := originOf(a.c.EvidencePage) // checked when the app was made
	if here, bad := originOf(answer.Page); err == nil && (bad != nil || here != there) {
		err = errors.New("the page is not the provider's")
	}
	if err != nil {
		a.finish(w, r, f, a.problem(f, fmt.Errorf("evidence: %w", err)), "")
		return
	}
	http.Redirect(w, r, answer.Page, http.StatusSeeOther)
}

// evidenceBack is where the holder comes back from the provider's page. The state
// shows that this browser was sent there, once. What was signed is passed on
// unread: the authority checks it, and a forged address brings nothing.
func (a *App) evidenceBack(w http.ResponseWriter, r *http.Request) {
	q, id := r.URL.Query(), a.session(r)
	f, ok := a.memory.flowBy(id, func(f *flow) bool { return f.Check != "" && f.Check == q.Get("state") })
	if !ok {
		a.render(w, r, http.StatusBadRequest, "result", view{Outcome: ref(a.words.of("state", ""))})
		return
	}
	token, why := q.Get("evidence"), q.Get("error")
	f.Check, f.Outcome = "", nil
	if token == "" {
		f.Challenge = "" // the next check is about a new one
	}
	a.memory.update(id, f.BusinessNo, func(kept *flow) { kept.Check, kept.Challenge, kept.Outcome = "", f.Challenge, nil })
	switch {
	case token != "":
		a.open(w, r, f, token)
	case why == "left_by_holder":
		http.Redirect(w, r, "/evidence?no="+f.BusinessNo, http.StatusSeeOther)
	default:
		a.finish(w, r, f, a.words.of("face_mismatch", f.Action), "")
	}
}

// challenge returns the challenge to bind evidence to: the one that came with
// evidence_required, or else a new one.
func (a *App) challenge(ctx context.Context, f *flow) error {
	if f.Challenge != "" {
		return nil
	}
	c, err := a.door.Challenge(ctx)
	f.Challenge = c.Value
	return err
}
