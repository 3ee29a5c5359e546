package config

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryMemberHasAComment: the comments and the members are the same, each in
// one line that has a default unless it is a group.
func TestEveryMemberHasAComment(t *testing.T) {
	said := comments()
	members := Members()
	for _, m := range members {
		group := slices.ContainsFunc(members, func(o string) bool { return strings.HasPrefix(o, m+".") })
		switch text, ok := said[m]; {
		case !ok:
			t.Errorf("%s has no comment", m)
		case strings.Contains(text, "\n") || !group && !strings.Contains(text, "Default"):
			t.Errorf("%s: %q is not one line with a default", m, text)
		}
		delete(said, m)
	}
	for m := range said {
		t.Errorf("%s has a comment and is no member", m)
	}
}

// TestTheWrittenFileShowsEveryMember, and is read as what was written.
func TestTheWrittenFileShowsEveryMember(t *testing.T) {
	full := Default()
	full.Hosted = Door{Listen: "127.0.0.1:8601", BehindProxy: true, Bounds: Bounds{Requests: 5}}
	full.Issuer, full.Proxies = "https://pin.example.cn", []string{"10.0.0.0/8", "::1"}
	for name, c := range map[string]Config{"default": Default(), "full": full} {
		dir := t.TempDir()
		if err := Write(dir, c); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, FileName))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(raw)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%s: read back %+v (%v)\n%s", name, got, err, raw)
		}
		for _, m := range Members() {
			last := m[strings.LastIndex(m, ".")+1:]
			if !regexp.MustCompile(`(?m)^ *# .*\n *(# )?` + last + `:`).Match(raw) {
				t.Errorf("%s: %s does not stand in the file under a comment", name, m)
			}
		}
	}
}

// TestCommentsNameTheDefaults that are simple values.
func TestCommentsNameTheDefaults(t *testing.T) {
	for member, want := range map[string]any{
		"issuer": Default().Issuer, "channel_door.listen": Default().Channel.Listen, "texts.driver": Default().Texts.Driver,
		"texts.signature_zh": Default().Texts.SignatureZH, "texts.signature_en": Default().Texts.SignatureEN,
		"vault": Default().Vault, "database": Default().Database, "digests": Default().Digests, "keepers.shape": Default().Keepers.Shape,
		"log": Default().Log,
	} {
		if text := comments()[member]; !strings.Contains(text[strings.Index(text, "Default"):], want.(string)) {
			t.Errorf("%s: %q does not name the default %q", member, text, want)
		}
	}
}
