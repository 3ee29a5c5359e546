package miniapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// evidence asks the provider to look at the person, and returns the evidence
// that it signed (实人认证凭证). The provider is registered with the authority; this
// channel only passes the token on, and could not make one. A real provider is
// mostly reached by its SDK on the phone.
func (a *App) evidence(ctx context.Context, f flow) (string, error) {
	p, camera := a.person(f.Person), a.person(f.Camera)
	body, err := json.Marshal(map[string]string{
		"audience": a.c.Issuer, "challenge": f.Challenge, "id_number": p.IDNumber, "name": p.Name,
		// A real provider sees for itself who is there. The stand-in is told.
		"camera": camera.IDNumber,
	})
	if err != nil {
		return "", err
	}
	var answer struct {
		Evidence string `json:"evidence"`
	}
	if err := a.post(ctx, a.c.Evidence, "application/json", string(body), http.StatusOK, &answer); err != nil {
		return "", fmt.Errorf("evidence: %w", err)
	}
	if answer.Evidence == "" {
		return "", errors.New("evidence: the provider signed nothing")
	}
	return answer.Evidence, nil
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
