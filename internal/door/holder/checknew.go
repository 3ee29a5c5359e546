package holder

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/envelope"
)

// The results of a check, as the pad reads them.
const (
	checkGood    = "good"    // it may be set
	checkWeak    = "weak"    // it may not; Reason and Text say why
	checkUnknown = "unknown" // not checked: the pad goes on, and setting it will tell
	checkMoved   = "moved"   // this page is not the latest any more: look again
)

// checkAnswer is the answer of POST /c/{id}/new-pin.
type checkAnswer struct {
	Result string `json:"result"`
	Reason string `json:"reason,omitempty"` // the rule's name, with weak
	Title  string `json:"title,omitempty"`  // in the page's language, with weak
	Text   string `json:"text,omitempty"`
}

// checkNew judges the first entry of a new PIN, for the pad's script. If it cannot,
// the holder gets no error: the PIN is judged when it is set.
func (h *handler) checkNew(w http.ResponseWriter, r *http.Request) {
	id, by, ok := h.posted(w, r)
	if !ok {
		return
	}
	answer, err := h.checked(r, id, by)
	if r.Context().Err() != nil {
		return // the client has disconnected
	}
	if liuma.CodeOf(err) == liuma.CodeInternal && err != nil {
		h.log.ErrorContext(r.Context(), "new PIN not checked", "request", door.RequestID(r.Context()), "err", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the client has disconnected
}

// readSealed reads the fields of the form; ok is false if they cannot be read.
func readSealed(form url.Values) (try int, e envelope.Envelope, ok bool) {
	try, err := strconv.Atoi(form.Get("try"))
	sealed := form["check"]
	if err != nil || len(sealed) != 1 || len(sealed[0]) > longestEnvelope {
		return 0, e, false
	}
	err = json.Unmarshal([]byte(sealed[0]), &e) // the error may quote the field, so it is dropped
	return try, e, err == nil
}

func (h *handler) checked(r *http.Request, id string, by hand) (checkAnswer, error) {
	try, e, ok := readSealed(r.PostForm)
	if !ok {
		return checkAnswer{Result: checkUnknown}, nil
	}
	found, err := h.authority.CheckNew(r.Context(), id, by.Hand, try, e)
	switch code := liuma.CodeOf(err); {
	case err == nil && found.Reason == "":
		return checkAnswer{Result: checkGood}, nil
	case err == nil:
		t := h.pages.wordings[h.door.Preferences(r).Lang]
		_, title := t.explain(liuma.CodeWeakPIN)
		return checkAnswer{Result: checkWeak, Reason: found.Reason, Title: title, Text: t.all.Apart(t.of(found.Sentence))}, nil
	case code == liuma.CodeCeremonyMoved, code == liuma.CodeCeremonyExpired, code == liuma.CodeCeremonyElsewhere:
		return checkAnswer{Result: checkMoved}, nil
	}
	return checkAnswer{Result: checkUnknown}, err
}
