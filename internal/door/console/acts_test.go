package console_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"html"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/admin/admintest"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/staff"
	"github.com/liuma-pin/liuma/internal/store"
)

// publicKey is a new one, as its owner pastes it.
func publicKey(t *testing.T) string {
	t.Helper()
	pair, err := admin.NewKeyPair()
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(&pair.Private.PublicKey)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// TestSubChannelsStopWithTheirChannel: registered, bounded and stopped over the door.
func TestSubChannelsStopWithTheirChannel(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	register := func(id, parent, regions string, actions ...string) page {
		form := []string{"kind", "channel", "id", id, "name_zh", "浙里办", "name_en", "Zheliban", "key", publicKey(t), "regions", regions, "parent", parent}
		for _, a := range actions {
			form = append(form, "action", a)
		}
		return operator.post("/channels/new", form...)
	}
	for _, c := range []struct {
		p    page
		want int
		says string
	}{
		{register("province", "", "33", "verify", "link"), http.StatusSeeOther, ""},
		{register("city", "province", "3305", "verify"), http.StatusSeeOther, ""},
		{register("town", "province", "330521", "verify"), http.StatusSeeOther, ""},
		{register("below", "city", "3305", "verify"), http.StatusConflict, "The channel above does not allow this"},
		{register("wider", "province", "31", "verify"), http.StatusConflict, "The channel above does not allow this"},
		{register("more", "province", "33", "enroll"), http.StatusConflict, "The channel above does not allow this"},
		{register("orphan", "nobody", "33", "verify"), http.StatusNotFound, "There is no such party"},
		{register("city", "", "33", "verify"), http.StatusConflict, "The identifier is taken"},
		{register("nowhere", "", "", "verify"), http.StatusUnprocessableEntity, "not filled in right"},
	} {
		if c.p.status != c.want || !c.p.says(c.says) {
			t.Errorf("%d, want %d and %q: %s", c.p.status, c.want, c.says, c.p.body)
		}
	}
	if p := operator.post("/channels/channel/town/stop"); p.status != http.StatusSeeOther {
		t.Fatal(p.body)
	}
	if p := officer.post("/channels/channel/province/stop"); p.status != http.StatusSeeOther {
		t.Fatal(p.body)
	}
	stopped := func() (out string) {
		all, err := h.admin.Clients(t.Context(), store.ClientChannel)
		must(t, err)
		for _, c := range all {
			if c.Stopped {
				out += c.ID + " "
			}
		}
		return out
	}
	if got := stopped(); got != "city province town " {
		t.Errorf("stopped: %s", got)
	}
	if actor := h.ActorOf(t, "channel stopped id=province with=city"); actor != "staff:li" {
		t.Errorf("recorded as %q", actor)
	}
	if p := operator.post("/channels/channel/city/resume"); p.status != http.StatusConflict || !p.says("The channel above does not allow this") {
		t.Errorf("a sub-channel was resumed alone: %d", p.status)
	}
	operator.post("/channels/channel/province/resume")
	if got := stopped(); got != "city town " {
		t.Errorf("after the channel above is back: %s", got)
	}
	if p := operator.post("/channels/channel/city/resume"); p.status != http.StatusSeeOther {
		t.Error(p.body)
	}
}

// TestKeysOfAChannel are added and removed, never the last, and never a private one.
func TestKeysOfAChannel(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	must(t, h.admin.AddClient(t.Context(), admintest.Channel(t, "app")))
	pair, err := admin.NewKeyPair()
	must(t, err)
	private, err := pair.PrivatePEM()
	must(t, err)
	if p := operator.post("/channels/channel/app/key", "key", string(private)); p.status != http.StatusUnprocessableEntity || p.says("PRIVATE KEY-----") {
		t.Errorf("%d %s", p.status, p.body)
	}
	kids := func() []string {
		p := operator.get("/channels/channel/app")
		var out []string
		for _, m := range regexp.MustCompile(`name="kid" value="([^"]+)"`).FindAllStringSubmatch(p.body, -1) {
			out = append(out, html.UnescapeString(m[1]))
		}
		return out
	}
	if p := operator.post("/channels/channel/app/key", "key", publicKey(t)); p.status != http.StatusSeeOther {
		t.Fatal(p.body)
	}
	two := kids()
	if len(two) != 2 {
		t.Fatalf("%v", two)
	}
	operator.post("/channels/channel/app/remove-key", "kid", two[0])
	if p := operator.post("/channels/channel/app/remove-key", "kid", two[1]); p.status != http.StatusConflict || !p.says("at least one key") {
		t.Errorf("%d %s", p.status, p.body)
	}
}

// TestFreezeByPhone: the number is on no page again, a member of another region finds
// nothing, and the record names the member.
func TestFreezeByPhone(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	phone := h.member(operator, officer, staff.NewMember{ID: "zhao", Name: "赵六", Region: "33", Roles: []liuma.StaffRole{liuma.RoleHotline}})
	other := h.member(operator, officer, staff.NewMember{ID: "qian", Name: "钱七", Region: "31", Roles: []liuma.StaffRole{liuma.RoleHotline}})
	no := regexp.MustCompile(`name="no" value="([^"]+)"`).FindStringSubmatch(phone.get("/freeze").body)
	if no == nil {
		t.Fatal("no number of the request")
	}
	p := phone.post("/freeze", "number", admintest.Frozen, "no", no[1])
	if p.status != http.StatusOK || !p.says("ends in 0026") || strings.Contains(p.body, admintest.Frozen) {
		t.Errorf("%d %s", p.status, p.body)
	}
	p = phone.post("/freeze/report", "number", admintest.Frozen, "no", no[1]+"b")
	if p.status != http.StatusOK || !p.says("2026-03-08") || strings.Contains(p.body, admintest.Frozen) {
		t.Errorf("%d %s", p.status, p.body)
	}
	for _, c := range []struct {
		b      *browser
		number string
		says   string
	}{{phone, "11010519491231002X", "No card that could be frozen"}, {other, admintest.Frozen, "No card that could be frozen"}} {
		p := c.b.post("/freeze", "number", c.number, "no", "desk-1")
		if p.status != http.StatusNotFound || !p.says(c.says) || strings.Contains(p.body, c.number) {
			t.Errorf("%d %s", p.status, p.body)
		}
	}
	acts := h.Server.Acts()
	if len(acts) != 2 || acts[0] != "staff:zhao froze" {
		t.Errorf("%v", acts)
	}
}

// TestConflictsAreDecided, masked, with a reason, under the member's name.
func TestConflictsAreDecided(t *testing.T) {
	h := newHouse(t)
	operator, _ := h.members()
	for _, row := range []string{"330521195503070026,王淑珍,13800138000,A12345678", "330521195503070026,李丽,13900139000,B12345678"} {
		_, err := h.Registry.Registry.Import(t.Context(), strings.NewReader("id_number,name,phone,card_no\n"+row+"\n"), registry.ImportConfig{})
		must(t, err)
	}
	list := operator.get("/conflicts")
	at := regexp.MustCompile(`/conflicts/[A-Za-z0-9_-]+`).FindString(list.body)
	one := operator.get(at)
	for _, p := range []page{list, one} {
		for _, whole := range []string{"330521195503070026", "13800138000", "13900139000", "A12345678", "王淑珍"} {
			if strings.Contains(p.body, whole) {
				t.Errorf("shows %s", whole)
			}
		}
	}
	if p := operator.post(at+"/keep", "reason", " "); p.status != http.StatusUnprocessableEntity {
		t.Errorf("%d", p.status)
	}
	if p := operator.get("/"); !p.says("Conflicts of the registry to decide") {
		t.Error("the start does not say it")
	}
	if p := operator.post(at+"/replace", "reason", "seen"); p.status != http.StatusSeeOther {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := operator.get(at); p.status != http.StatusNotFound || !p.says("There is no such conflict") {
		t.Errorf("%d", p.status)
	}
}

// upload proposes files of policy.
func (b *browser) upload(files map[string]string, reason string) page {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, text := range files {
		part, err := w.CreateFormFile("file", name)
		must(b.h.t, err)
		_, err = part.Write([]byte(text))
		must(b.h.t, err)
	}
	must(b.h.t, w.WriteField("reason", reason))
	must(b.h.t, w.Close())
	r := httptest.NewRequest(http.MethodPost, origin+"/policy/propose", &body)
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Origin", origin)
	return b.send(r)
}

// TestPolicyByTwo: a file with a fault is refused with its line; a change is shown, approved
// by the other with a touch and the digest of what was shown, and holds.
func TestPolicyByTwo(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	if p := operator.upload(map[string]string{"33.yaml": "layer: region 33\nlimits.attempts: 9\n"}, "more"); p.status != http.StatusUnprocessableEntity || !p.says("33.yaml:2") {
		t.Errorf("%d %s", p.status, p.body)
	}
	p := operator.upload(map[string]string{"33.yaml": "layer: region 33\nlimits.attempts: 3\n"}, "fewer tries")
	at, _, ok := strings.Cut(p.to, "?")
	if p.status != http.StatusSeeOther || !ok {
		t.Fatalf("%d %s", p.status, p.body)
	}
	shown := officer.get(at)
	digest := regexp.MustCompile(`name="digest" value="([0-9a-f]+)"`).FindStringSubmatch(shown.body)
	if digest == nil || !shown.says("limits.attempts", "fewer tries", "33 Zhejiang") {
		t.Fatalf("%d %s", shown.status, shown.body)
	}
	if p := officer.post(at+"/approve", "digest", digest[1]); p.status != http.StatusForbidden {
		t.Errorf("approved without a touch: %d", p.status)
	}
	if p := officer.post(at+"/approve", "answer", officer.touch(at+"/offer"), "digest", "00"); p.status != http.StatusConflict || !p.says("not what you were shown") {
		t.Errorf("%d %s", p.status, p.body)
	}
	if p := officer.post(at+"/approve", "answer", officer.touch(at+"/offer"), "digest", digest[1]); p.status != http.StatusSeeOther {
		t.Fatalf("%d %s", p.status, p.body)
	}
	if p := officer.get("/policy?region=3305"); !p.says("33.yaml:2", "wang, li", "61,247", `<svg`, "makes 30 guesses") {
		t.Errorf("%s", p.body)
	}
	if p := officer.get("/policy/history"); !p.says("fewer tries") {
		t.Errorf("%s", p.body)
	}
}

// TestATouchIsOfOneMemberAndOneProposal: nobody approves with another's passkey, or with
// a touch that was for something else.
func TestATouchIsOfOneMemberAndOneProposal(t *testing.T) {
	h := newHouse(t)
	operator, officer := h.members()
	propose := func(id string) string {
		p := operator.post("/staff/invite", "name", "赵六", "id", id, "role", "clerk")
		return regexp.MustCompile(`/proposals/[a-z0-9]+`).FindString(p.body)
	}
	one, two := propose("one"), propose("two")
	for name, answer := range map[string]string{
		"the sign-in":          officer.touch("/sign-in/offer"),
		"another proposal":     officer.touch(two + "/offer"),
		"the proposer's touch": operator.touch(one + "/offer"),
		"nothing":              "",
	} {
		if p := officer.post(one+"/approve", "answer", answer); p.status == http.StatusOK || p.status == http.StatusSeeOther {
			t.Errorf("approved with %s: %d", name, p.status)
		}
	}
	own := officer.key
	officer.key = operator.key
	if p := officer.post(one+"/approve", "answer", officer.touch(one+"/offer")); p.status != http.StatusForbidden {
		t.Errorf("approved with another's passkey: %d", p.status)
	}
	officer.key = own
	if p := officer.post(one+"/approve", "answer", officer.touch(one+"/offer")); p.status != http.StatusOK {
		t.Errorf("%d %s", p.status, p.body)
	}
}
