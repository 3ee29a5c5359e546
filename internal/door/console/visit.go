package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/staff"
)

// Staff handles passkeys and sessions; *staff.Staff implements it.
type Staff interface {
	OfferLogIn() (json.RawMessage, error)
	LogIn(ctx context.Context, answer []byte) (staff.Session, error)
	OfferRegistration(ctx context.Context, code string) (json.RawMessage, error)
	Register(ctx context.Context, code string, answer []byte, software bool) (staff.Caller, error)
	OfferConfirm(ctx context.Context, by staff.Caller, act string) (json.RawMessage, error)
	Confirm(ctx context.Context, by staff.Caller, act string, answer []byte) error
	Who(ctx context.Context, t staff.Token) (staff.Caller, error)
	End(ctx context.Context, t staff.Token) error
}

// sessionCookie holds the token of a session. It ends with the browser; the server ends
// the session itself.
const sessionCookie = "desk"

// visit is one request of a member who is signed in.
type visit struct {
	h   *console
	w   http.ResponseWriter
	r   *http.Request
	who staff.Caller
	t   *wordings
}

// ctx tells the administration who calls.
func (v *visit) ctx() context.Context { return v.r.Context() }

// admin is the administration. It checks whether the member may call it.
func (v *visit) admin() admin.Administration { return v.h.c.Admin }

// typed is a field of the posted form, without blanks around it.
func (v *visit) typed(name string) string { return strings.TrimSpace(v.r.PostFormValue(name)) }

// may reports whether the member may call a method of the administration.
func (v *visit) may(method string) bool { return admin.Allowed(v.who, method) }

// errForm is a form that does not parse.
var errForm = errors.New("the form does not parse")

// behind allows a page or an act only with a session whose member may use it. The
// session is read at each request, so a suspension ends it at once.
func (h *console) behind(r Route) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		token := staff.Token(h.cookies.Get(q, sessionCookie))
		if !token.OfPages() {
			h.toSignIn(w, q, token != "")
			return
		}
		ctx := admin.From(q.Context(), admin.Origin{Session: token, Pages: true})
		q = q.WithContext(ctx)
		who, err := h.c.Admin.WhoAmI(ctx)
		if errors.Is(err, staff.ErrSession) || err == nil && who.ID == "" {
			h.cookies.Set(w, sessionCookie, "", -1)
			h.toSignIn(w, q, true)
			return
		}
		v := &visit{h: h, w: w, r: q, who: who, t: h.pages.wordings[h.door.Preferences(q).Lang]}
		if err == nil && r.Method != "" && !v.may(r.Method) {
			err = admin.ErrRole
		}
		if err == nil && q.Method == http.MethodPost && parse(q) != nil {
			err = errForm
		}
		if err != nil {
			h.refuse(v, nil, err)
			return
		}
		if visit := door.VisitOf(ctx); visit != nil {
			if err := visit.Admit("staff/" + string(who.ID)); err != nil {
				h.refuse(v, nil, err)
				return
			}
		}
		page, err := r.do(v)
		switch {
		case err != nil:
			h.refuse(v, r.again, err)
		case page != nil:
			h.show(w, q, http.StatusOK, v.dressed(page))
		}
	}
}

// parse reads a form, with files or without.
func parse(r *http.Request) error {
	if err := r.ParseMultipartForm(maxBody); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return err
	}
	return nil
}

// toSignIn leads to the page of signing in, and after that back to the page that was
// asked for. ended says that the browser had a session.
func (h *console) toSignIn(w http.ResponseWriter, r *http.Request, ended bool) {
	q := url.Values{}
	if r.Method == http.MethodGet && r.URL.Path != "/" && !strings.HasSuffix(r.URL.Path, "/offer") {
		q.Set("next", r.URL.RequestURI())
	}
	if ended {
		q.Set("why", "ended")
	}
	to := "/sign-in"
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// to leads to a page after an act; said names the sentence to show there.
func (v *visit) to(path, said string) (*view, error) {
	http.Redirect(v.w, v.r, path+"?said="+url.QueryEscape(said), http.StatusSeeOther)
	return nil, nil
}

// refuse shows why something was not done, above the form if there is one.
func (h *console) refuse(v *visit, again func(*visit) (*view, error), err error) {
	if v.r.Context().Err() != nil {
		return // the browser has gone
	}
	if errors.Is(err, staff.ErrSession) || errors.Is(err, staff.ErrNobody) {
		h.cookies.Set(v.w, sessionCookie, "", -1)
		h.toSignIn(v.w, v.r, true)
		return
	}
	said := v.t.because(err)
	if said.internal {
		h.c.Logger.Error("page of the console failed", "route", v.r.Pattern, "request", door.RequestID(v.r.Context()), "err", err)
	}
	var page *view
	if again != nil {
		page, _ = again(v) // if the page fails too, the refusal is shown alone
	}
	if page == nil {
		page = &view{Title: v.t.NotDone()}
	}
	page.Refusal = &notice{Title: said.Title, Text: said.Text, Detail: said.Detail}
	if said.internal {
		page.RequestID = door.RequestID(v.r.Context())
	}
	h.show(v.w, v.r, said.status, v.dressed(page))
}

// fault is the page for requests without a handler: unknown addresses, posts from other
// sites, panics.
func (h *console) fault(w http.ResponseWriter, r *http.Request, status int, code liuma.Code) {
	t := h.pages.wordings[h.door.Preferences(r).Lang]
	title, text := t.WhyNoPage(), t.WhyNoPageNext()
	switch {
	case status == http.StatusForbidden:
		title, text = t.WhyOtherSite(), t.WhyOtherSiteNext()
	case status != http.StatusNotFound && status != http.StatusMethodNotAllowed:
		e := t.all.Explanation(code, h.c.Hotline)
		title, text = e.What, e.Next
	}
	page := h.outside(r, title)
	page.Refusal = &notice{Title: title, Text: text}
	if status >= http.StatusInternalServerError {
		page.RequestID = door.RequestID(r.Context())
	}
	page.Blocks = []block{{Links: []link{{t.NavStart(), "/"}}}}
	h.show(w, r, status, page)
}
