package oidc

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/liuma-pin/liuma"
)

func good(action string) map[string]any {
	m := map[string]any{"type": "liuma_pin", "action": action, "purpose": "办理", "business_no": "B-1"}
	switch action {
	case "enroll":
		m["holder"] = map[string]any{"id_number": "33050119500307612X", "name": "王奶奶", "phone": "13800001234"}
	case "link":
		m["holder"] = map[string]any{"id_number": "33050119500307612X", "name": "王奶奶"}
	default:
		m["holder"] = map[string]any{"card": "k3v9m2x7q4w8t6y1p5z0n8b3c7d2f6g4"}
	}
	return m
}

// hosted are the actions that a ceremony can be pushed for: all but freeze,
// which needs no page.
func hosted() []liuma.Action {
	return slices.DeleteFunc(liuma.Actions(), func(a liuma.Action) bool { return a == liuma.ActionFreeze })
}

func encode(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	return string(b)
}

func TestDetailsAreAccepted(t *testing.T) {
	d := newEnv(t).door
	for _, a := range hosted() {
		m := good(string(a))
		for _, change := range []func(){
			func() {},
			func() { m["region"] = "330500" },
			func() { m["challenge"], m["evidence"] = "c", "a.b.c" },
			func() { m["purpose"] = "查询 社保　缴费（年限）: A-1 €" },
			func() { m["purpose"] = strings.Repeat("办", 60) },
			func() {
				m["purpose"] = map[string]any{"zh-CN": strings.Repeat("办", 60), "en": strings.Repeat("x", 60)}
			},
			func() { m["purpose"] = map[string]any{"zh-CN": "查询 社保"} },
			func() { m["business_no"] = strings.Repeat("b", 64) },
			func() { m["evidence"] = strings.Repeat("e", 8192) },
		} {
			change()
			q, err := d.parseDetails(encode(t, []any{m}))
			if err != nil || q.Action != a {
				t.Errorf("%s %v: %+v, %v", a, m, q, err)
			}
		}
	}
}

// TestDetailsOfEvidenceAlone: to verify, and nothing else.
func TestDetailsOfEvidenceAlone(t *testing.T) {
	d := newEnv(t).door
	m := good("verify")
	for proof, alone := range map[string]bool{"pin": false, "evidence": true} {
		m["proof"] = proof
		if q, err := d.parseDetails(encode(t, []any{m})); err != nil || q.Alone != alone {
			t.Errorf("%s: %+v, %v", proof, q, err)
		}
	}
	for _, m := range []map[string]any{good("verify"), good("change"), good("reset"), good("link")} {
		m["proof"] = "evidence"
		if m["action"] == "verify" {
			m["proof"] = "face"
		}
		if _, err := d.parseDetails(encode(t, []any{m})); err == nil {
			t.Errorf("%v is taken", m)
		}
	}
}

func TestDetailsWithADocument(t *testing.T) {
	d := newEnv(t).door
	m := good("link")
	m["holder"] = map[string]any{"document": map[string]any{"type": "passport", "number": "DEU-C01X00T47"}, "name": "Anna Schmidt"}
	q, err := d.parseDetails(encode(t, []any{m}))
	if err != nil || q.Subject.IDNumber != "passport:DEU-C01X00T47" {
		t.Errorf("%q, %v", q.Subject.IDNumber, err)
	}
	m["holder"] = map[string]any{"id_number": "passport:DEU-C01X00T47", "name": "Anna Schmidt"}
	if _, err := d.parseDetails(encode(t, []any{m})); liuma.CodeOf(err) != liuma.CodeIDNumberInvalid {
		t.Errorf("a document as ID number: %v", err)
	}
}

func TestDetailsAreRefused(t *testing.T) {
	d := newEnv(t).door
	holder := func(m map[string]any) map[string]any { return m["holder"].(map[string]any) }
	for name, c := range map[string]struct {
		action string
		change func(m map[string]any)
		why    reason
		field  string
	}{
		"no type":            {"verify", func(m map[string]any) { delete(m, "type") }, reasonMemberMissing, ".type"},
		"other type":         {"verify", func(m map[string]any) { m["type"] = "payment" }, reasonChoice, ".type"},
		"other type first":   {"verify", func(m map[string]any) { m["type"] = "payment"; m["actions"] = []any{"read"}; delete(m, "holder") }, reasonChoice, ".type"},
		"no action":          {"verify", func(m map[string]any) { delete(m, "action") }, reasonMemberMissing, ".action"},
		"freeze":             {"verify", func(m map[string]any) { m["action"] = "freeze" }, reasonChoice, ".action"},
		"action case":        {"verify", func(m map[string]any) { m["action"] = "Verify" }, reasonChoice, ".action"},
		"action is a list":   {"verify", func(m map[string]any) { m["action"] = []any{"verify"} }, reasonChoice, ".action"},
		"no holder":          {"verify", func(m map[string]any) { delete(m, "holder") }, reasonMemberMissing, ".holder"},
		"holder is text":     {"verify", func(m map[string]any) { m["holder"] = "x" }, reasonMemberType, ".holder"},
		"holder is null":     {"verify", func(m map[string]any) { m["holder"] = nil }, reasonMemberType, ".holder"},
		"no card":            {"verify", func(m map[string]any) { delete(holder(m), "card") }, reasonMemberMissing, ".holder.card"},
		"card short":         {"verify", func(m map[string]any) { holder(m)["card"] = "abc" }, reasonShort, ".holder.card"},
		"card long":          {"verify", func(m map[string]any) { holder(m)["card"] = strings.Repeat("a", 33) }, reasonLong, ".holder.card"},
		"card case":          {"verify", func(m map[string]any) { holder(m)["card"] = strings.Repeat("A", 32) }, reasonForm, ".holder.card"},
		"verify by name":     {"verify", func(m map[string]any) { holder(m)["name"] = "王奶奶" }, reasonMemberUnknown, ".holder.name"},
		"change by number":   {"change", func(m map[string]any) { m["holder"] = good("link")["holder"] }, reasonMemberMissing, ".holder.card"},
		"link by card":       {"link", func(m map[string]any) { holder(m)["card"] = strings.Repeat("a", 32) }, reasonMemberUnknown, ".holder.card"},
		"link with phone":    {"link", func(m map[string]any) { holder(m)["phone"] = "13800001234" }, reasonMemberUnknown, ".holder.phone"},
		"enroll, no phone":   {"enroll", func(m map[string]any) { delete(holder(m), "phone") }, reasonMemberMissing, ".holder.phone"},
		"enroll, no name":    {"enroll", func(m map[string]any) { holder(m)["name"] = "" }, reasonShort, ".holder.name"},
		"name of controls":   {"enroll", func(m map[string]any) { holder(m)["name"] = "王\n奶奶" }, reasonForm, ".holder.name"},
		"number is a number": {"link", func(m map[string]any) { holder(m)["id_number"] = 330501195003076129 }, reasonMemberType, ".holder.id_number"},
		"number long":        {"link", func(m map[string]any) { holder(m)["id_number"] = strings.Repeat("3", 65) }, reasonLong, ".holder.id_number"},
		"both numbers":       {"link", func(m map[string]any) { holder(m)["document"] = map[string]any{"type": "passport", "number": "DEU-1"} }, reasonDocument, ".holder.id_number"},
		"replaces, verify":   {"verify", func(m map[string]any) { m["replaces"] = strings.Repeat("a", 32) }, reasonMemberUnknown, ".replaces"},
		"neither number":     {"link", func(m map[string]any) { delete(holder(m), "id_number") }, reasonMemberMissing, ".holder.id_number"},
		"document is text":   {"enroll", func(m map[string]any) { delete(holder(m), "id_number"); holder(m)["document"] = "x" }, reasonMemberType, ".holder.document"},
		"document, no type": {"enroll", func(m map[string]any) {
			delete(holder(m), "id_number")
			holder(m)["document"] = map[string]any{"number": "1"}
		}, reasonMemberMissing, ".holder.document.type"},
		"document, type": {"enroll", func(m map[string]any) {
			delete(holder(m), "id_number")
			holder(m)["document"] = map[string]any{"type": "library_card", "number": "1"}
		}, reasonChoice, ".holder.document.type"},
		"document, more": {"enroll", func(m map[string]any) {
			delete(holder(m), "id_number")
			holder(m)["document"] = map[string]any{"type": "passport", "number": "1", "state": "DEU"}
		}, reasonMemberUnknown, ".holder.document.state"},
		"phone long":        {"enroll", func(m map[string]any) { holder(m)["phone"] = strings.Repeat("1", 33) }, reasonLong, ".holder.phone"},
		"no purpose":        {"verify", func(m map[string]any) { delete(m, "purpose") }, reasonMemberMissing, ".purpose"},
		"purpose empty":     {"verify", func(m map[string]any) { m["purpose"] = "" }, reasonShort, ".purpose"},
		"purpose long":      {"verify", func(m map[string]any) { m["purpose"] = strings.Repeat("办", 61) }, reasonLong, ".purpose"},
		"purpose lines":     {"verify", func(m map[string]any) { m["purpose"] = "办\n理" }, reasonForm, ".purpose"},
		"purpose a number":  {"verify", func(m map[string]any) { m["purpose"] = 1 }, reasonMemberType, ".purpose"},
		"purpose a list":    {"verify", func(m map[string]any) { m["purpose"] = []string{"办理"} }, reasonMemberType, ".purpose"},
		"purpose nothing":   {"verify", func(m map[string]any) { m["purpose"] = map[string]any{} }, reasonMemberMissing, ".purpose.zh-CN"},
		"purpose English":   {"verify", func(m map[string]any) { m["purpose"] = map[string]any{"en": "x"} }, reasonMemberMissing, ".purpose.zh-CN"},
		"purpose Uyghur":    {"verify", func(m map[string]any) { m["purpose"] = map[string]any{"zh-CN": "办", "ug": "x"} }, reasonMemberUnknown, ".purpose.ug"},
		"purpose zh":        {"verify", func(m map[string]any) { m["purpose"] = map[string]any{"zh-CN": "办", "zh-cn": "办"} }, reasonMemberUnknown, ".purpose.zh-cn"},
		"purpose zh long":   {"verify", func(m map[string]any) { m["purpose"] = map[string]any{"zh-CN": strings.Repeat("办", 61)} }, reasonLong, ".purpose.zh-CN"},
		"purpose en long":   {"verify", func(m map[string]any) { m["purpose"] = map[string]any{"zh-CN": "办", "en": strings.Repeat("x", 61)} }, reasonLong, ".purpose.en"},
		"purpose en empty":  {"verify", func(m map[string]any) { m["purpose"] = map[string]any{"zh-CN": "办", "en": ""} }, reasonShort, ".purpose.en"},
		"purpose en lines":  {"verify", func(m map[string]any) { m["purpose"] = map[string]any{"zh-CN": "办", "en": "a\nb"} }, reasonForm, ".purpose.en"},
		"purpose en turned": {"verify", func(m map[string]any) { m["purpose"] = map[string]any{"zh-CN": "办", "en": "a\u202eb"} }, reasonForm, ".purpose.en"},
		"purpose en nested": {"verify", func(m map[string]any) { m["purpose"] = map[string]any{"zh-CN": "办", "en": map[string]any{}} }, reasonMemberType, ".purpose.en"},
		"purpose spaces":    {"verify", func(m map[string]any) { m["purpose"] = " 办理" }, reasonForm, ".purpose"},
		"purpose turned":    {"verify", func(m map[string]any) { m["purpose"] = "办\u202e理" }, reasonForm, ".purpose"},
		"purpose unseen":    {"verify", func(m map[string]any) { m["purpose"] = "办\u200b理" }, reasonForm, ".purpose"},
		"no number":         {"verify", func(m map[string]any) { delete(m, "business_no") }, reasonMemberMissing, ".business_no"},
		"number of a path":  {"verify", func(m map[string]any) { m["business_no"] = "../1" }, reasonForm, ".business_no"},
		"region":            {"verify", func(m map[string]any) { m["region"] = "0333" }, reasonForm, ".region"},
		"region odd":        {"verify", func(m map[string]any) { m["region"] = "330" }, reasonForm, ".region"},
		"region empty":      {"verify", func(m map[string]any) { m["region"] = "" }, reasonShort, ".region"},
		"evidence alone":    {"enroll", func(m map[string]any) { m["evidence"] = "a.b.c" }, reasonMemberMissing, ".challenge"},
		"challenge alone":   {"enroll", func(m map[string]any) { m["challenge"] = "c" }, reasonMemberMissing, ".evidence"},
		"evidence long":     {"enroll", func(m map[string]any) { m["challenge"], m["evidence"] = "c", strings.Repeat("e", 8193) }, reasonLong, ".evidence"},
		"evidence bytes":    {"enroll", func(m map[string]any) { m["challenge"], m["evidence"] = "c", "a b" }, reasonForm, ".evidence"},
		"unknown":           {"verify", func(m map[string]any) { m["pin"] = "123456" }, reasonMemberUnknown, ".pin"},
		"unknown, personal": {"verify", func(m map[string]any) { m["33050119500307612X"] = 1 }, reasonMemberUnknown, ".?"},
		"deep":              {"verify", func(m map[string]any) { holder(m)["card"] = []any{[]any{}} }, reasonDeep, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := good(c.action)
			c.change(m)
			for range 3 { // the first fault must be the same one each time
				wantRefused(t, d, encode(t, []any{m}), c.why, c.field)
			}
		})
	}
}

func wantRefused(t *testing.T, d *Door, raw string, why reason, field string) {
	t.Helper()
	_, err := d.parseDetails(raw)
	e, ok := err.(*liuma.Error)
	if !ok || e.Code != liuma.CodeBadRequest {
		t.Fatalf("%s: %v", raw, err)
	}
	if e.Reason != string(why) || e.Field != "authorization_details"+field {
		t.Errorf("%s: %s at %s, want %s at %s", raw, e.Reason, e.Field, why, field)
	}
}

func TestDetailsThatAreNotOneObject(t *testing.T) {
	d := newEnv(t).door
	one := encode(t, good("verify"))
	for raw, why := range map[string]reason{
		"":                          reasonSyntax,
		"null":                      reasonCount,
		one:                         reasonCount,
		"[]":                        reasonCount,
		"[" + one + "," + one + "]": reasonCount,
		"[null]":                    reasonMemberType,
		"[" + one + "] []":          reasonSyntax,
		"[" + one + ",]":            reasonSyntax,
		"[" + one:                   reasonSyntax,
		"[[[[[]]]]]":                reasonDeep,
		strings.Repeat("[", 20000) + strings.Repeat("]", 20000):             reasonSyntax,
		strings.Replace("["+one+"]", `"action"`, `"type":"x","action"`, 1):  reasonMemberTwice,
		strings.Replace("["+one+"]", `"card"`, `"card":"x","card"`, 1):      reasonMemberTwice,
		strings.Replace("["+one+"]", `"card"`, `"card":"x","\u0063ard"`, 1): reasonMemberTwice,
		strings.Replace("["+one+"]", "办", `\ud800`, 1):                      reasonUTF8,
		strings.Replace("["+one+"]", "办", "\xff", 1):                        reasonUTF8,
	} {
		t.Run("", func(t *testing.T) {
			_, err := d.parseDetails(raw)
			e, ok := err.(*liuma.Error)
			if !ok || e.Reason != string(why) && !(why == reasonSyntax && e.Reason == string(reasonDeep)) || !strings.HasPrefix(e.Field, "authorization_details") {
				t.Errorf("%.80s: %v, want %s", raw, err, why)
			}
		})
	}
}

// Every refusal of details is RFC 9396's error.
func TestDetailsErrorAtTheDoor(t *testing.T) {
	e := newEnv(t)
	f := pushForm()
	f.Set("authorization_details", strings.Replace(goodDetails, "verify", "freeze", 1))
	w := e.post(PARPath, e.authed(f))
	m := wantProblem(t, w, 400, detailsError, liuma.CodeBadRequest, reasonChoice, "authorization_details.action")
	if !strings.HasPrefix(m["error_description"].(string), "authorization_details.action: ") {
		t.Errorf("%v", m["error_description"])
	}
}

func FuzzDetails(f *testing.F) {
	d := newEnv(f).door
	for _, a := range hosted() {
		f.Add(encode(f, []any{good(string(a))}))
	}
	for _, purpose := range []any{map[string]any{"zh-CN": "办理", "en": "Do it"}, map[string]any{"zh-CN": "办理"}, map[string]any{"en": "x", "ug": "y"}, map[string]any{"zh-CN": "a\nen:b"}} {
		d := good("verify")
		d["purpose"] = purpose
		f.Add(encode(f, []any{d}))
	}
	for _, s := range []string{"", "[]", "[[[[[", `[{"a":1,"a":2}]`, `["\ud800"]`, `[{"type":"liuma_pin","action":"verify","holder":{}}]`, "[1e400]", "null", `{"":null}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := d.parseDetails(raw)
		if err != nil {
			e, ok := err.(*liuma.Error)
			if !ok || e.Code != liuma.CodeBadRequest || !strings.HasPrefix(e.Field, detailsName) {
				t.Fatalf("refused with %v", err)
			}
			if !reasons().Has(reason(e.Reason)) {
				t.Errorf("reason %q", e.Reason)
			}
			return
		}
		// Accepted details satisfy the domain's own parsers and bounds.
		if _, err := liuma.ParseBusinessNo(string(q.BusinessNo)); err != nil {
			t.Error(err)
		}
		byCard, byPerson := q.Subject.Card != "", q.Subject.IDNumber != "" && q.Subject.Name != ""
		if byCard == byPerson || (q.Challenge == "") != (q.Evidence == "") || q.Action == liuma.ActionFreeze ||
			(q.Subject.Phone != "") != (q.Action == liuma.ActionEnroll) || byCard == (q.Action == liuma.ActionEnroll || q.Action == liuma.ActionLink) {
			t.Errorf("accepted %q", raw)
		}
		if err := q.Purpose.Check(); err != nil { // as the act checks it
			t.Errorf("purpose %q: %v", q.Purpose, err)
		}
	})
}

func FuzzForm(f *testing.F) {
	f.Add(pushForm().Encode())
	f.Add(tokenForm("c").Encode())
	for _, s := range []string{"", "a", "=", "a=b&a=b", "a=%zz", "a;b", "a=%ff", "%61=1&a=2", "a=&a=", strings.Repeat("a=b&", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := parseForm(body)
		if err != nil {
			if e, ok := err.(*liuma.Error); !ok || e.Code != liuma.CodeBadRequest || form != nil {
				t.Errorf("refused with %v", err)
			}
			return
		}
		// The standard library must find the same members and no more.
		values, err := url.ParseQuery(body)
		if err != nil || len(values) > maxParameters {
			t.Errorf("accepted %q: %v", body, err)
		}
		for name, all := range values {
			if len(all) != 1 || form[name] != all[0] || !utf8.ValidString(all[0]) {
				t.Errorf("%q is %q, read %q", name, all, form[name])
			}
		}
		for name, value := range form {
			if value == "" || values.Get(name) != value {
				t.Errorf("%q is %q", name, value)
			}
		}
	})
}
