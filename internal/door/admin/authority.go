package admin

import (
	"net/http"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/vault"
)

// Error codes of handing keys over between authorities.
const (
	CodeUnderWay Code = "keys_under_way"
	CodePeer     Code = "unknown_authority"
	CodeGone     Code = "authority_dismissed"
	CodeLately   Code = "key_signed_lately"
	CodeIdentity Code = "no_identity"
	CodeAtOther  Code = "at_another_authority"
)

// knownOfAuthorities are the errors of handing keys over.
func knownOfAuthorities() []knownError {
	return []knownError{
		{keyring.ErrUnconfirmed, CodeOthers, http.StatusConflict},
		{keyring.ErrUnderWay, CodeUnderWay, http.StatusConflict},
		{keyring.ErrMember, CodePeer, http.StatusNotFound},
		{keyring.ErrGone, CodeGone, http.StatusConflict},
		{keyring.ErrLately, CodeLately, http.StatusConflict},
		{vault.ErrNoIdentity, CodeIdentity, http.StatusConflict},
		{admin.ErrElsewhereConfirmed, CodeAtOther, http.StatusConflict},
	}
}

// authorityChange confirms an authority, or dismisses it.
type authorityChange struct {
	admin.AuthorityWord
	Dismiss bool `json:"dismiss,omitempty"`
}

func (d *Door) changeAuthority(r *http.Request) (any, error) {
	q, err := decode[authorityChange](r.Body)
	if err != nil {
		return nil, err
	}
	if q.Dismiss {
		err = d.admin.DismissAuthority(r.Context(), q.Name, q.Reason)
	} else {
		err = d.admin.ConfirmAuthority(r.Context(), q.AuthorityWord)
	}
	if err != nil {
		return nil, err
	}
	d.logger.InfoContext(r.Context(), "operator door: another authority confirmed or dismissed", "authority", q.Name, "dismissed", q.Dismiss)
	return done{}, nil
}
