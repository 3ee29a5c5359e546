package oidc

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/locale"
)

// The examples of docs/HOSTED.md must match the door's behaviour.
func TestGuide(t *testing.T) {
	raw, err := os.ReadFile("../../../docs/HOSTED.md")
	must(t, err)
	guide := string(raw)
	d := newEnv(t).door
	var pushed, tokens, problems int
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(guide, -1) {
		if strings.HasPrefix(block[1], "[") {
			pushed++
			if _, err := d.parseDetails(block[1]); err != nil {
				t.Errorf("%s: %v", block[1], err)
			}
			continue
		}
		var m map[string]any
		must(t, json.Unmarshal([]byte(block[1]), &m))
		if _, is := m["id_token"]; is {
			tokens++
			wantMembers(t, m, tokenAnswer{Details: []grantedDetail{}})
			continue
		}
		problems++
		e := &liuma.Error{Code: liuma.CodeIDNumberInvalid, Field: "authorization_details.holder.id_number"}
		x := locale.Explain(e.Code, "")
		want := newProblem(httptest.NewRequest(http.MethodPost, PARPath, nil), door.Refusal{Error: e, What: x.What, Detail: x.What, Next: x.Next,
			BusinessNo: "ZJ20260401-000018", Instance: "urn:liuma:request:5f0c1b2a9d8e7f6a"})
		var got problem
		must(t, json.Unmarshal([]byte(block[1]), &got))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the shown problem (-door +guide):\n%s", diff)
		}
	}
	if pushed != 2 || tokens != 1 || problems != 1 {
		t.Errorf("found %d requests, %d tokens and %d problems", pushed, tokens, problems)
	}
	for _, x := range reasons() {
		if !strings.Contains(guide, "`"+string(x.Reason)+"`") {
			t.Errorf("reason %s is not in the guide", x.Reason)
		}
	}
	for _, path := range []string{DiscoveryPath, AuthorizePath, PARPath, TokenPath, KeysPath, keysPathToo, SchemaPath} {
		if !strings.Contains(guide, "`"+path+"`") {
			t.Errorf("path %s is not in the guide", path)
		}
	}
}

// wantMembers checks that a shown object has the members of an answer.
func wantMembers(t *testing.T, shown map[string]any, answer any) {
	t.Helper()
	raw, err := json.Marshal(answer)
	must(t, err)
	var want map[string]any
	must(t, json.Unmarshal(raw, &want))
	for name := range want {
		if _, ok := shown[name]; !ok {
			t.Errorf("%s is not shown", name)
		}
	}
	for name := range shown {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is shown, but not answered", name)
		}
	}
}
