package apitest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Bodies sends malformed requests: each must be refused with the reason that
// names its fault, before it has any effect.
func Bodies(t *testing.T, e *Env) {
	no := newNumbers(t)
	h := e.enroll(t, no)
	good := e.good(t, h, no)
	t.Run("forms", func(t *testing.T) { e.forms(t, good["/v1/verifications"]) })
	t.Run("members", func(t *testing.T) {
		for path, body := range good {
			e.members(t, path, body)
		}
	})
	t.Run("values", func(t *testing.T) { e.values(t, good) })
	t.Run("paths", func(t *testing.T) { e.paths(t, good["/v1/verifications"]) })
	// None of the requests changed the card.
	if v := e.verify(t, h, no.next(), h.PIN); !v.Right() {
		t.Errorf("afterwards: %+v", v)
	}
}

// good returns a well-formed body for each endpoint that takes one.
func (e *Env) good(t testing.TB, h holder, no *numbers) map[string]map[string]any {
	t.Helper()
	q := ask{who: e.A, businessNo: no.next(), purpose: purpose, challenge: e.challenge(t, e.SDK(t, e.A)), holder: h, newcomer: e.Person(t)}
	base := func(s ...slot) map[string]any {
		m := map[string]any{"business_no": q.businessNo, "purpose": q.purpose, "challenge": q.challenge.Value, "subject": q.subject(s[0].action)}
		for _, s := range s {
			m[s.member] = q.seal(t, s)
		}
		return plain(t, m)
	}
	all := slots()
	out := map[string]map[string]any{
		"/v1/cards":         base(all[0]),
		"/v1/links":         base(all[1]),
		"/v1/verifications": base(all[2]),
		"/v1/pin-changes":   base(all[3], all[4]),
		"/v1/freezes":       {"business_no": no.next(), "subject": map[string]any{"card": h.card}},
		"/v1/redemptions":   {"receipt": "a.b.c"},
	}
	out["/v1/cards"]["evidence"] = e.Evidence(t, q.challenge.Value, q.newcomer.IDNumber, q.newcomer.Name)
	return out
}

// plain turns Go values into the values that encoding/json decodes them to.
func plain(t testing.TB, v map[string]any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func text(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// forms are faults in how the body is written.
func (e *Env) forms(t *testing.T, good map[string]any) {
	body := string(text(t, good))
	inner := strings.TrimSuffix(strings.TrimPrefix(body, "{"), "}")
	for what, c := range map[string]struct{ body, reason, field string }{
		"empty":                     {"", "body_empty", ""},
		"blank":                     {" \n", "body_empty", ""},
		"not JSON":                  {"business_no=1", "json_syntax", ""},
		"an array":                  {"[" + body + "]", "json_syntax", ""},
		"null":                      {"null", "json_syntax", ""},
		"cut short":                 {body[:len(body)-1], "json_syntax", ""},
		"trailing comma":            {"{" + inner + ",}", "json_syntax", ""},
		"a second object":           {body + body, "json_trailing", ""},
		"rubbish behind":            {body + "x", "json_trailing", ""},
		"NUL behind":                {body + "\x00", "json_trailing", ""},
		"unknown member":            {"{" + inner + `,"colour":"red"}`, "member_unknown", "colour"},
		"unknown, and not repeated": {"{" + inner + `,"138000012345":"x"}`, "member_unknown", "?"},
		"upper-case member":         {"{" + inner + `,"Purpose":"x"}`, "member_unknown", "Purpose"},
		"member twice":              {"{" + inner + `,"purpose":"x"}`, "member_duplicate", "purpose"},
		"member twice, in disguise": {"{" + inner + `,"\u0070urpose":"x"}`, "member_duplicate", "purpose"},
		"inner member twice":        {strings.Replace(body, `"subject":{`, `"subject":{"card":"00000000000000000000000000000000",`, 1), "member_duplicate", "subject.card"},
		"inner unknown member":      {strings.Replace(body, `"subject":{`, `"subject":{"pin":"123456",`, 1), "member_unknown", "subject.pin"},
		"not UTF-8":                 {strings.Replace(body, purpose, "\xff\xfe", 1), "json_utf8", ""},
		"lone surrogate":            {strings.Replace(body, purpose, `\ud800`, 1), "json_syntax", "purpose"},
		"raw line break in a text":  {strings.Replace(body, purpose, "a\nb", 1), "json_syntax", "purpose"},
		"byte order mark":           {"\ufeff" + body, "json_syntax", ""},
	} {
		t.Run(what, func(t *testing.T) {
			a := e.send(t, request{path: "/v1/verifications", header: e.bearer(t, e.A), body: []byte(c.body)})
			a.refused(t, http.StatusBadRequest, "bad_request", c.reason, c.field)
		})
	}
	for what, set := range map[string][]string{
		"no content type":      {},
		"a form":               {"application/x-www-form-urlencoded"},
		"text":                 {"text/plain"},
		"another charset":      {"application/json; charset=gbk"},
		"two content types":    {"application/json", "application/json"},
		"JSON of another kind": {"application/merge-patch+json"},
	} {
		t.Run(what, func(t *testing.T) {
			h := e.bearer(t, e.A)
			h["Content-Type"] = set
			if len(set) == 0 {
				h["Content-Type"] = []string{""}
			}
			a := e.send(t, request{path: "/v1/verifications", header: h, body: []byte(body)})
			a.refused(t, http.StatusUnsupportedMediaType, "bad_request", "content_type", "")
		})
	}
	t.Run("compressed", func(t *testing.T) {
		h := e.bearer(t, e.A)
		h.Set("Content-Encoding", "gzip")
		a := e.send(t, request{path: "/v1/verifications", header: h, body: []byte(body)})
		a.refused(t, http.StatusUnsupportedMediaType, "bad_request", "content_encoding", "")
	})
	t.Run("too large", func(t *testing.T) {
		big := bytes.Repeat([]byte(" "), 16<<10-len(body)+1)
		a := e.send(t, request{path: "/v1/verifications", header: e.bearer(t, e.A), body: append(big, body...)})
		a.refused(t, http.StatusRequestEntityTooLarge, "too_large", "", "")
	})
}

// members drops each member, and gives each another type.
func (e *Env) members(t *testing.T, path string, good map[string]any) {
	for name, value := range good {
		without := plain(t, good)
		delete(without, name)
		a := e.send(t, request{path: path, header: e.bearer(t, e.A), body: text(t, without)})
		a.refused(t, http.StatusBadRequest, "bad_request", "member_missing", name)
		others := []any{nil, true, 1, -1.5, []any{}, otherThan(value)}
		if name == "purpose" {
			others = others[:len(others)-1] // the last one may be an object
		}
		for _, other := range others {
			with := plain(t, good)
			with[name] = other
			a := e.send(t, request{path: path, header: e.bearer(t, e.A), body: text(t, with)})
			a.refused(t, http.StatusBadRequest, "bad_request", "member_type", name)
		}
		inner, ok := value.(map[string]any)
		if !ok {
			continue
		}
		for member := range inner {
			short := plain(t, good)
			delete(short[name].(map[string]any), member)
			a := e.send(t, request{path: path, header: e.bearer(t, e.A), body: text(t, short)})
			if path == "/v1/verifications" && name == "subject" {
				a.refused(t, http.StatusBadRequest, "bad_request", "subject_mixed", "subject")
				continue
			}
			a.refused(t, http.StatusBadRequest, "bad_request", "member_missing", name+"."+member)
		}
	}
}

// otherThan returns a value of the other type: an object for a string, and a
// string for an object.
func otherThan(v any) any {
	if _, ok := v.(map[string]any); ok {
		return "text"
	}
	return map[string]any{}
}

// values are members of the right type with a faulty value.
func (e *Env) values(t *testing.T, good map[string]map[string]any) {
	for what, c := range map[string]struct {
		path, field string
		value       any
		reason      string
	}{
		"business number with a slash": {"/v1/verifications", "business_no", "a/b", "member_form"},
		"business number, long":        {"/v1/verifications", "business_no", strings.Repeat("a", 65), "member_long"},
		"business number, empty":       {"/v1/verifications", "business_no", "", "member_short"},
		"region of three digits":       {"/v1/verifications", "region", "330", "member_form"},
		"region in letters":            {"/v1/verifications", "region", "zj", "member_form"},
		"purpose of 61 characters":     {"/v1/verifications", "purpose", strings.Repeat("社", 61), "member_long"},
		"purpose, empty":               {"/v1/verifications", "purpose", "", "member_short"},
		"purpose with a tab":           {"/v1/verifications", "purpose", "a\tb", "member_form"},
		"purpose of blanks":            {"/v1/verifications", "purpose", "  ", "member_form"},
		"purpose that runs backwards":  {"/v1/links", "purpose", "查询\u202e社保", "member_form"},
		"purpose with a line end":      {"/v1/pin-changes", "purpose", "查询\u2028社保", "member_form"},
		"purpose as a number":          {"/v1/verifications", "purpose", 7, "member_type"},
		"purpose as a list":            {"/v1/verifications", "purpose", []string{"查询"}, "member_type"},
		"purpose without Chinese":      {"/v1/verifications", "purpose.zh-CN", map[string]any{"en": "See"}, "member_missing"},
		"purpose of no language":       {"/v1/links", "purpose.zh-CN", map[string]any{}, "member_missing"},
		"purpose of another language":  {"/v1/links", "purpose.ug", map[string]any{"zh-CN": "查询", "ug": "x"}, "member_unknown"},
		"Chinese purpose, long":        {"/v1/links", "purpose.zh-CN", map[string]any{"zh-CN": strings.Repeat("社", 61)}, "member_long"},
		"English purpose, long":        {"/v1/pin-changes", "purpose.en", map[string]any{"zh-CN": "查询", "en": strings.Repeat("x", 61)}, "member_long"},
		"English purpose, empty":       {"/v1/verifications", "purpose.en", map[string]any{"zh-CN": "查询", "en": ""}, "member_short"},
		"English purpose, backwards":   {"/v1/verifications", "purpose.en", map[string]any{"zh-CN": "查询", "en": "a\u202eb"}, "member_form"},
		"Chinese purpose of two lines": {"/v1/verifications", "purpose.zh-CN", map[string]any{"zh-CN": "a\u2028b", "en": "See"}, "member_form"},
		"challenge with a blank":       {"/v1/verifications", "challenge", "a b", "member_form"},
		"handle in upper case":         {"/v1/freezes", "subject.card", map[string]any{"card": strings.Repeat("A", 32)}, "member_form"},
		"handle, short":                {"/v1/freezes", "subject.card", map[string]any{"card": "abc"}, "member_short"},
		"receipt, long":                {"/v1/redemptions", "receipt", strings.Repeat("a", 4097), "member_long"},
		"name with a NUL":              {"/v1/links", "subject.name", map[string]any{"id_number": "x", "name": "a\x00"}, "member_form"},
	} {
		t.Run(what, func(t *testing.T) {
			body := plain(t, good[c.path])
			member, _, _ := strings.Cut(c.field, ".")
			body[member] = c.value
			a := e.send(t, request{path: c.path, header: e.bearer(t, e.A), body: text(t, body)})
			a.refused(t, http.StatusBadRequest, "bad_request", c.reason, c.field)
		})
	}
	t.Run("card and person", func(t *testing.T) {
		body := plain(t, good["/v1/verifications"])
		body["subject"].(map[string]any)["name"] = "王奶奶"
		a := e.send(t, request{path: "/v1/verifications", header: e.bearer(t, e.A), body: text(t, body)})
		a.refused(t, http.StatusBadRequest, "bad_request", "subject_mixed", "subject")
	})
	e.envelopes(t, good)
	e.events(t)
}

// envelopes returns bytes of an envelope's size that are no valid envelope.
func (e *Env) envelopes(t *testing.T, good map[string]map[string]any) {
	for _, s := range []struct{ path, member string }{
		{"/v1/cards", "new_pin"}, {"/v1/links", "pin"}, {"/v1/verifications", "pin"}, {"/v1/pin-changes", "old_pin"}, {"/v1/pin-changes", "new_pin"},
	} {
		body := plain(t, good[s.path])
		// The last character holds four bits that must be zero.
		envelope := body[s.member].(map[string]any)
		enc := envelope["enc"].(string)
		envelope["enc"] = enc[:len(enc)-1] + "_"
		a := e.send(t, request{path: s.path, header: e.bearer(t, e.A), body: text(t, body)})
		a.refused(t, http.StatusUnprocessableEntity, "envelope_invalid", "", s.member)
	}
}

// events are meaningless reports by the registry.
func (e *Env) events(t *testing.T) {
	report := func(m map[string]any) map[string]any {
		return change(map[string]any{"business_no": "r1", "id_number": "x", "card_no": "A1", "event": "lost"}, m)
	}
	for member, with := range map[string]any{"former_id_number": nil, "id_number": nil, "card_no": nil, "until": "now"} {
		reason := "member_missing"
		if with != nil {
			reason = "member_unknown"
		}
		a := e.send(t, request{path: "/v1/registry/corrections", header: e.bearer(t, e.Registry), body: text(t, change(map[string]any{
			"business_no": "r2", "former_id_number": "x", "id_number": "y", "card_no": "A1"}, map[string]any{member: with}))})
		a.refused(t, http.StatusBadRequest, "bad_request", reason, member)
	}
	for what, c := range map[string]struct {
		body          map[string]any
		reason, field string
	}{
		"unknown event":           {report(map[string]any{"event": "stolen"}), "member_choice", "event"},
		"replaced by nothing":     {report(map[string]any{"event": "replaced"}), "member_missing", "replaced_by"},
		"lost, and replaced":      {report(map[string]any{"replaced_by": "A2"}), "member_unknown", "replaced_by"},
		"without the card number": {report(map[string]any{"card_no": nil}), "member_missing", "card_no"},
	} {
		t.Run(what, func(t *testing.T) {
			a := e.send(t, request{path: "/v1/physical-card-status", header: e.bearer(t, e.Registry), body: text(t, c.body)})
			a.refused(t, http.StatusBadRequest, "bad_request", c.reason, c.field)
		})
	}
}

// paths are addresses and methods that do not exist.
func (e *Env) paths(t *testing.T, good map[string]any) {
	body := text(t, good)
	for what, c := range map[string]struct {
		method, path               string
		status                     int
		code, reason, field, allow string
	}{
		"unknown":             {"POST", "/v1/verification", 404, "not_found", "path", "", ""},
		"root":                {"GET", "/", 404, "not_found", "path", "", ""},
		"docs page":           {"GET", "/docs", 404, "not_found", "path", "", ""},
		"doubled slash":       {"POST", "/v1//verifications", 404, "not_found", "path", "", ""},
		"trailing slash":      {"POST", "/v1/verifications/", 404, "not_found", "path", "", ""},
		"dots":                {"POST", "/v1/../v1/verifications", 404, "not_found", "path", "", ""},
		"GET of a POST":       {"GET", "/v1/pin-changes", 405, "bad_request", "method", "", "POST"},
		"PUT":                 {"PUT", "/v1/cards", 405, "bad_request", "method", "", "POST"},
		"POST of a GET":       {"POST", "/healthz", 405, "bad_request", "method", "", "GET"},
		"query":               {"POST", "/v1/verifications?pin=1", 400, "bad_request", "query", "", ""},
		"empty query":         {"POST", "/v1/verifications?", 400, "bad_request", "query", "", ""},
		"business number":     {"GET", "/v1/verifications/a%2Fb", 400, "bad_request", "member_form", "business_no", ""},
		"business number, +":  {"GET", "/v1/verifications/-", 400, "bad_request", "member_form", "business_no", ""},
		"card":                {"GET", "/v1/cards/ABC", 400, "bad_request", "member_form", "card", ""},
		"unknown number":      {"GET", "/v1/verifications/never-used", 404, "not_found", "", "business_no", ""},
		"unknown card handle": {"GET", "/v1/cards/00000000000000000000000000000000", 404, "not_found", "", "card", ""},
	} {
		t.Run(what, func(t *testing.T) {
			a := e.send(t, request{method: c.method, path: c.path, header: e.bearer(t, e.A), body: body})
			if c.status == http.StatusNotFound && a.member("field") == "" {
				c.field = "" // a record that is not there need not name its member
			}
			a.refused(t, c.status, c.code, c.reason, c.field)
			if got := strings.Join(a.header.Values("Allow"), ", "); got != c.allow {
				t.Errorf("Allow: %q, want %q", got, c.allow)
			}
		})
	}
}
