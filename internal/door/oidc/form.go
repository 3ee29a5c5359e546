package oidc

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

const (
	maxBody       = 64 << 10 // bytes
	maxParameters = 64
)

// form is a request's parameters: each once, none empty.
type form map[string]string

// readForm reads a request's body. A query is refused, because proxies log addresses.
func readForm(w http.ResponseWriter, r *http.Request) (form, error) {
	if err := door.OnlyType(r.Header, "application/x-www-form-urlencoded"); err != nil {
		return nil, err
	}
	if err := door.NoQuery(r); err != nil {
		return nil, err
	}
	body, err := door.ReadBody(w, r, maxBody)
	if err != nil {
		return nil, err
	}
	return parseForm(string(body))
}

// parseForm reads application/x-www-form-urlencoded. Every parameter that comes twice
// is refused, known or not (RFC 6749, 3.1), because two readers could take different
// ones. A parameter without a value counts as absent. Text that does not parse is not
// quoted in the error, because it may be personal.
func parseForm(body string) (form, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, refuse(reasonMany, "")
	}
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, refuse(reasonFormSyntax, "")
	}
	f := make(form, len(values))
	for name, all := range values {
		if len(all) != 1 {
			return nil, refuse(reasonDuplicate, strictjson.SafeName(name))
		}
		if !utf8.ValidString(name) || !utf8.ValidString(all[0]) {
			return nil, refuse(reasonUTF8, strictjson.SafeName(name))
		}
		if all[0] != "" {
			f[name] = all[0]
		}
	}
	return f, nil
}

// charset says which bytes a parameter may have.
type charset func(byte) bool

// unreserved is RFC 3986's, and so RFC 7636's.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

func base64url(c byte) bool { return unreserved(c) && c != '.' && c != '~' }

// visible is RFC 6749's VSCHAR.
func visible(c byte) bool { return c >= ' ' && c <= '~' }

// jwsChar reports whether a compact JWS may hold a character.
func jwsChar(c byte) bool { return base64url(c) || c == '.' }

// text returns a required parameter of shortest to longest bytes.
func (f form) text(name string, shortest, longest int, of charset) (string, error) {
	s, ok := f[name]
	switch {
	case !ok:
		return "", refuse(reasonMissing, name)
	case len(s) < shortest:
		return "", refuse(reasonShort, name)
	case len(s) > longest:
		return "", refuse(reasonLong, name)
	}
	if !all(s, of) {
		return "", refuse(reasonForm, name)
	}
	return s, nil
}

// is checks a required parameter that has one right value.
func (f form) is(name, want string, why reason) error {
	s, ok := f[name]
	if !ok {
		return refuse(reasonMissing, name)
	}
	if s != want {
		return refuse(why, name)
	}
	return nil
}

func all(s string, of charset) bool {
	for i := range len(s) {
		if !of(s[i]) {
			return false
		}
	}
	return true
}
