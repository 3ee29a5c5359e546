package api_test

import (
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/door/api/apitest"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// documented are people who are known by other documents, as a file of the registry
// names them.
var documented = []struct {
	liuma.Document
	typed, name, cardNo string // typed: another spelling of the number
}{
	{liuma.Document{Type: liuma.DocumentPassport, Number: "DEU-C01X00T47"}, "deu c01x00t47", "Anna Schmidt", "D00000001"},
	{liuma.Document{Type: liuma.DocumentHKMacaoPermit, Number: "H01234567"}, "h0123456702", "陈大文", "D00000002"},
	{liuma.Document{Type: liuma.DocumentTaiwanPermit, Number: "01234567"}, "0123456703(B)", "林四", "D00000003"},
	{liuma.Document{Type: liuma.DocumentPermanentResidence, Number: "931276196402081232"}, " 931276 19640208 1232", "Hans Meier", "D00000004"},
	{liuma.Document{Type: liuma.DocumentForeignerNumber, Number: "AUT0P1234567"}, "aut0 p1234567", "Eva Berger", "D00000005"},
	{liuma.Document{Type: liuma.DocumentIDNumber, Number: "810000199001011230"}, "810000-19900101-1230", "陈小文", "D00000006"},
}

// TestDocumentsAtTheNativeDoor: whoever is known by a document enrols, and is found by
// a report about the physical card and by a hotline, however its number is spelled.
func TestDocumentsAtTheNativeDoor(t *testing.T) {
	e, sys := openWith(t, testkit.Options{People: 1})
	var rows strings.Builder
	rows.WriteString("document_type,document_number,birth_date,name,phone,card_no,region\n")
	for _, p := range documented {
		rows.WriteString(string(p.Type) + "," + p.Number + ",," + p.name + ",13800138000," + p.cardNo + ",330502\n")
	}
	file := rows.String()
	for _, p := range documented[:3] { // whose number tells no birthday
		file = strings.Replace(file, p.Number+",,", p.Number+",19900101,", 1)
	}
	file = strings.Replace(file, documented[4].Number+",,", documented[4].Number+",19900101,", 1)
	sum, err := sys.System.Registry.Import(t.Context(), strings.NewReader(file), registry.ImportConfig{})
	if err != nil || sum.Rejected > 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	channel, desk, bureau := e.SDK(t, e.A), e.SDK(t, e.Hotline), e.SDK(t, e.Registry)
	for i, p := range documented {
		number := "doc-" + string(rune('a'+i))
		typed := liuma.Document{Type: p.Type, Number: p.typed}
		ch, err := channel.Challenge(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d := client.DeviceRequest{Channel: e.A.ID, Action: client.Enroll, BusinessNo: number, Purpose: "申领电子社保卡", Challenge: ch,
			Subject: client.Subject{Document: typed, Name: p.name, Phone: "13800138000"}}
		sealed, err := d.SealPIN([]byte("407193"))
		if err != nil {
			t.Fatal(err)
		}
		id, err := registry.ParseDocument(p.Document)
		if err != nil {
			t.Fatal(err)
		}
		v, err := channel.Enroll(t.Context(), client.EnrollRequest{BusinessNo: number, Subject: d.Subject, Purpose: d.Purpose, Challenge: ch.Value,
			Evidence: e.Evidence(t, ch.Value, id.Canonical(), p.name), NewPIN: sealed})
		if err != nil || v.Card == "" {
			t.Errorf("%s: enroll: %+v, %v", p.Type, v, err)
			continue
		}
		standing := func(want string) {
			t.Helper()
			if c, err := channel.Card(t.Context(), v.Card); err != nil || c.Standing != want {
				t.Errorf("%s: %+v, %v, want %s", p.Type, c, err, want)
			}
		}
		report := client.PhysicalRequest{BusinessNo: number + "-lost", Document: typed, CardNo: p.cardNo, Event: "lost"}
		if _, err := bureau.PhysicalStatus(t.Context(), report); err != nil {
			t.Errorf("%s: report: %v", p.Type, err)
		}
		standing("suspended")
		if _, err := desk.HotlineFreeze(t.Context(), client.HotlineFreezeRequest{BusinessNo: number + "-call", Document: typed}); err != nil {
			t.Errorf("%s: hotline: %v", p.Type, err)
		}
		standing("frozen")
		// Another type with the same number is another person, and none here.
		other := liuma.Document{Type: liuma.DocumentPassport, Number: "FRA-" + p.typed}
		if p.Type == liuma.DocumentPassport {
			other.Number = "FRA-C01X00T47"
		}
		if _, err := desk.HotlineFreeze(t.Context(), client.HotlineFreezeRequest{BusinessNo: number + "-other", Document: other}); err == nil {
			t.Errorf("%s: froze by %s of France", p.Type, p.Number)
		}
	}
}

// TestConsentAtTheNativeDoor: the text that is there can be asked for, and an enrolment
// that names another version, or none where one is demanded, is refused before anything
// else is said of the holder; with the present one it is kept with the card.
func TestConsentAtTheNativeDoor(t *testing.T) {
	for _, demanded := range []bool{false, true} {
		e, sys := openWith(t, testkit.Options{People: 4, Configure: func(c *config.Config) { c.NativeConsent = demanded }})
		text, err := e.SDK(t, e.A).Consent(t.Context())
		builtin, err2 := consent.Builtin()
		if err != nil || err2 != nil || text.Version != builtin.Version || text.Required != demanded || len(text.Whole.ZH) == 0 || len(text.Short.EN) == 0 || len(text.SHA256) != 64 {
			t.Fatalf("%+v, %v, %v", text, err, err2)
		}
		if _, err := e.SDK(t, e.Hotline).Consent(t.Context()); client.CodeOf(err) != client.CodeForbidden {
			t.Errorf("a hotline asks for the text: %v", err)
		}
		for i, named := range []string{"", "0", text.Version} {
			p := e.Person(t)
			want := ""
			if named == "0" || named == "" && demanded {
				want = client.CodeConsentRequired
			}
			v, err := enrolWith(t, e, p, "consent-"+string(rune('a'+i)), named)
			if client.CodeOf(err) != want {
				t.Errorf("demanded %v, version %q: %v, want %q", demanded, named, err, want)
			}
			if want != "" {
				continue
			}
			kept := consentsOf(t, sys, e.A.ID, v.Card)
			switch {
			case named == "" && len(kept) != 0:
				t.Errorf("nothing was agreed to, and %+v kept", kept)
			case named != "" && (len(kept) != 1 || kept[0].Version != text.Version || kept[0].Text != builtin.Hash() || string(kept[0].Channel) != e.A.ID):
				t.Errorf("kept %+v", kept)
			}
		}
		// Who is nobody is told of the text first.
		if _, err := enrolWith(t, e, e.Stranger(t), "consent-x", "0"); client.CodeOf(err) != client.CodeConsentRequired {
			t.Errorf("a stranger: %v", err)
		}
	}
}

func enrolWith(t *testing.T, e *apitest.Env, p apitest.Person, number, version string) (*client.Verification, error) {
	t.Helper()
	c := e.SDK(t, e.A)
	ch, err := c.Challenge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d := client.DeviceRequest{Channel: e.A.ID, Action: client.Enroll, BusinessNo: number, Purpose: "申领电子社保卡", Challenge: ch,
		Subject: client.Subject{IDNumber: p.IDNumber, Name: p.Name, Phone: p.Phone}}
	sealed, err := d.SealPIN([]byte(p.PIN))
	if err != nil {
		t.Fatal(err)
	}
	return c.Enroll(t.Context(), client.EnrollRequest{BusinessNo: number, Subject: d.Subject, Purpose: d.Purpose, Challenge: ch.Value,
		Evidence: e.Evidence(t, ch.Value, p.IDNumber, p.Name), ConsentVersion: version, NewPIN: sealed})
}

func consentsOf(t *testing.T, sys *testkit.Env, channel, handle string) (all []store.Consent) {
	t.Helper()
	err := sys.System.Store.View(t.Context(), func(r store.Reader) error {
		l, err := r.LinkByHandle(liuma.ChannelID(channel), store.Handle(handle))
		if err != nil {
			return err
		}
		c, err := r.Card(l.Card)
		all = c.Consents
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
