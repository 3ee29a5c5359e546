package admin

import (
	"context"
	"net/http"

	"github.com/liuma-pin/liuma/internal/admin"
)

// The routes of a freeze by phone.
const (
	pathPhoneFreeze = "/v1/phone/freeze"
	pathPhoneReport = "/v1/phone/report"
)

// The error codes of a freeze by phone.
const (
	CodeNoFreeze  Code = "nothing_to_freeze"
	CodeFreezes   Code = "freezes_spent"
	CodeNoReports Code = "loss_reports_off"
	CodeRepeated  Code = "request_repeated"
)

func knownOfFreezes() []knownError {
	return []knownError{
		{admin.ErrNoFreeze, CodeNoFreeze, http.StatusNotFound},
		{admin.ErrFreezes, CodeFreezes, http.StatusConflict},
		{admin.ErrNoReports, CodeNoReports, http.StatusConflict},
		{admin.ErrRepeated, CodeRepeated, http.StatusConflict},
	}
}

// freezeRoutes mounts these routes. The number is in the body, and is not logged.
func (d *Door) freezeRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST "+pathPhoneFreeze, d.answer(asked(d.admin.FreezeByPhone)))
	mux.HandleFunc("POST "+pathPhoneReport, d.answer(asked(d.admin.ReportLossByPhone)))
}

// FreezeByPhone asks the server to freeze the card of a holder who called.
func (r *Remote) FreezeByPhone(ctx context.Context, q admin.PhoneFreeze) (out admin.PhoneFrozen, err error) {
	err = r.call(ctx, http.MethodPost, pathPhoneFreeze, q, &out)
	return out, err
}

// ReportLossByPhone asks the server to take the report of a loss.
func (r *Remote) ReportLossByPhone(ctx context.Context, q admin.PhoneFreeze) (out admin.PhoneFrozen, err error) {
	err = r.call(ctx, http.MethodPost, pathPhoneReport, q, &out)
	return out, err
}
