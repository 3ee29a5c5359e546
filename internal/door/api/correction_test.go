package api_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestCorrectionsOfDocuments: a number of every type is corrected to one of another
// type, and back. There is one way to say each: a document's text in the place of an ID
// number is refused, and so are both members at once.
func TestCorrectionsOfDocuments(t *testing.T) {
	e, sys := openWith(t, testkit.Options{People: 1})
	var rows strings.Builder
	rows.WriteString("document_type,document_number,birth_date,name,phone,card_no,region\n")
	for i, p := range documented {
		born := ""
		if i < 3 || i == 4 { // whose number tells no birthday
			born = "19900101"
		}
		rows.WriteString(string(p.Type) + "," + p.Number + "," + born + "," + p.name + ",13800138000," + p.cardNo + ",330502\n")
	}
	if sum, err := sys.System.Registry.Import(t.Context(), strings.NewReader(rows.String()), registry.ImportConfig{}); err != nil || sum.Rejected > 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	bureau := e.SDK(t, e.Registry)
	for i, p := range documented {
		typed := liuma.Document{Type: p.Type, Number: p.typed}
		passport := liuma.Document{Type: liuma.DocumentPassport, Number: fmt.Sprintf("NLD-C01X00T%02d", i)}
		for n, q := range []client.CorrectionRequest{
			{FormerDocument: typed, Document: passport, CardNo: p.cardNo},
			{FormerDocument: passport, Document: typed, CardNo: p.cardNo},
		} {
			q.BusinessNo = fmt.Sprintf("doc-%d-%d", i, n)
			out, err := bureau.CorrectIDNumber(t.Context(), q)
			if err != nil || out.State != "done" {
				t.Errorf("%s, %d: %+v, %v", p.Type, n, out, err)
			}
		}
	}
	p := documented[0]
	for what, c := range map[string]struct {
		q           client.CorrectionRequest
		code, field string
	}{
		"a text for the former number": {client.CorrectionRequest{FormerIDNumber: "passport:" + p.Number, IDNumber: "11010519491231002X"}, "id_number_invalid", "former_id_number"},
		"a text for the new number":    {client.CorrectionRequest{FormerDocument: p.Document, IDNumber: "passport:NLD-C01X00T47"}, "id_number_invalid", "id_number"},
		"both for the former number":   {client.CorrectionRequest{FormerIDNumber: "11010519491231002X", FormerDocument: p.Document, IDNumber: "11010519491231002X"}, "bad_request", "former_document"},
		"both for the new number":      {client.CorrectionRequest{FormerDocument: p.Document, IDNumber: "11010519491231002X", Document: p.Document}, "bad_request", "document"},
		"a former passport's state":    {client.CorrectionRequest{FormerDocument: liuma.Document{Type: p.Type, Number: "C01X00T47"}, IDNumber: "11010519491231002X"}, "document_state_missing", "former_document.number"},
		"a new passport's state":       {client.CorrectionRequest{FormerDocument: p.Document, Document: liuma.Document{Type: p.Type, Number: "C01X00T47"}}, "document_state_missing", "document.number"},
	} {
		c.q.BusinessNo, c.q.CardNo = "no-"+strings.NewReplacer(" ", "-", "'", "").Replace(what), p.cardNo
		_, err := bureau.CorrectIDNumber(t.Context(), c.q)
		if no, ok := errors.AsType[*client.Problem](err); !ok || no.Code != c.code || no.Field != c.field {
			t.Errorf("%s: %v, want %s at %s", what, err, c.code, c.field)
		}
	}
}
