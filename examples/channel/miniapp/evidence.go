package miniapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// evidence asks the provider to look at the person, and returns what it signed
// (实人认证凭证). The provider is registered with the authority; this channel
// only carries the token, and could not make one. How a real provider is
// reached is its own affair: mostly by its SDK on the phone.
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

// challenge makes sure that a flow has one. That of the answer
// evidence_required is there already.
func (a *App) challenge(ctx context.Context, f *flow) error {
	if f.Challenge != "" {
		return nil
	}
	c, err := a.door.Challenge(ctx)
	f.Challenge = c.Value
	return err
}
