package registry

import (
	"maps"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

func (h *house) importFile(t *testing.T, lines ...string) (sum Summary, rejected, cells map[int]string) {
	t.Helper()
	rejected, cells = map[int]string{}, map[int]string{}
	sum, err := h.Import(t.Context(), strings.NewReader(strings.Join(lines, "\n")+"\n"), ImportConfig{
		Reject: func(line int, reason string) { rejected[line] = reason },
		Cell:   func(line int, reason string) { cells[line] = reason },
	})
	must(t, err)
	return sum, rejected, cells
}

func TestImportDocuments(t *testing.T) {
	h := newHouse(t)
	_, rejected, cells := h.importFile(t,
		"id_number,document_type,document_number,birth_date,household,name,card_no",
		goodID+",,,,H-1,王秀英,B00000001",                                                     // 2
		",passport,DEU-C01X00T47,1990-02-28,H-1,Anna Schmidt,B00000002",                    // 3: a dash is dropped
		",护照,aut c01x00t47,1990/2/9,,Anna Schmidt,B00000003",                               // 4
		",hk_macao_permit,H0123456702,,,陈大文,B00000004",                                     // 5
		",passport,C01X00T47,,,Anna Schmidt,B00000005",                                     // 6
		",library_card,123,,,Anna Schmidt,B00000006",                                       // 7
		",,DEU-C01X00T48,,,Anna Schmidt,B00000007",                                         // 8
		withCheck("33050219900101123")+",passport,DEU-C01X00T49,,,李四,B00000008",            // 9
		",passport,,,,Anna Schmidt,B00000009",                                              // 10
		withCheck("33050219900102123")+",,,19900103,,李四,B00000010",                         // 11: not the number's
		",taiwan_permit,01234567,2月,"+strings.Repeat("h", 65)+",林四,B00000011",              // 12
		",permanent_residence,"+withCheck("93127619640208123")+",,,Anna Schmidt,B00000012", // 13
		",passport,DEU-C01X00T47,,,Anna Schmidt,B00000013",                                 // 14: again
	)
	want := map[int]string{6: ReasonDocumentState, 7: ReasonDocument, 8: ReasonDocument, 9: ReasonDocumentTwice, 10: ReasonIDNumber, 14: ReasonDuplicate}
	want[10] = ReasonDocument
	if !maps.Equal(rejected, want) {
		t.Errorf("rejected %v, want %v", rejected, want)
	}
	if cells[11] != ReasonBirthDate || cells[12] == "" || cells[5] != ReasonBirthDateMissing || len(cells) != 3 {
		t.Errorf("cells %v", cells)
	}
	for number, c := range map[string]struct {
		born, household string
		region          liuma.Region
	}{
		goodID:                         {"19491231", "H1", "110105"},
		"passport:deu c01x00t47":       {"19900228", "H1", ""},
		"passport:AUT-C01X00T47":       {"19900209", "", ""},
		"hk_macao_permit:H01234567":    {"", "", ""},
		withCheck("93127619640208123"): {"19640208", "", "31"},
	} {
		_, f, err := h.find(t, number)
		if err != nil || f.Born() != c.born || f.Household != c.household || f.Region != c.region {
			t.Errorf("%s: born %q, household %q, region %q, %v", number, f.Born(), f.Household, f.Region, err)
		}
	}
}

// The one column of a Chinese export, with a column for the type.
func TestImportOneNumberColumnWithTypes(t *testing.T) {
	h := newHouse(t)
	_, rejected, _ := h.importFile(t, "证件类型,证件号码,姓名,社保卡号",
		"居民身份证,"+goodID+",王秀英,B00000001", "护照,DEU-C01X00T47,Anna Schmidt,B00000002", ","+withCheck("33050219900101123")+",李四,B00000003")
	if len(rejected) > 0 {
		t.Errorf("rejected %v", rejected)
	}
	if _, _, err := h.find(t, "passport:DEU-C01X00T47"); err != nil {
		t.Error(err)
	}
}

// A Chinese export with a column for the ID number beside type and number of the
// document, and one whose documents have no birthday.
func TestImportNumberBesideTypeAndNumber(t *testing.T) {
	h := newHouse(t)
	second := withCheck("33050219900101123")
	sum, rejected, cells := h.importFile(t, "社会保障号码,证件类型,证件号码,姓名,社保卡号",
		goodID+",居民身份证,"+goodID+",王秀英,B00000001",          // 2
		",护照,DEU-C01X00T47,Anna Schmidt,B00000002",        // 3
		second+",,,李四,B00000003",                          // 4
		second+",居民身份证,"+goodID+",李四,B00000004",           // 5: two numbers
		second+",护照,DEU-C01X00T48,Anna Schmidt,B00000005", // 6: two documents
	)
	if want := map[int]string{5: ReasonDocumentTwice, 6: ReasonDocumentTwice}; !maps.Equal(rejected, want) {
		t.Errorf("rejected %v, want %v", rejected, want)
	}
	if want := map[int]string{3: ReasonBirthDateMissing}; !maps.Equal(cells, want) || sum.Cells != 1 {
		t.Errorf("cells %v, want %v; %+v", cells, want, sum)
	}
	for _, number := range []string{goodID, "passport:DEU-C01X00T47", second} {
		if _, _, err := h.find(t, number); err != nil {
			t.Errorf("%s: %v", number, err)
		}
	}
	if _, err := h.Import(t.Context(), strings.NewReader("社会保障号码,证件号码,姓名,社保卡号\n"), ImportConfig{}); err == nil || !strings.Contains(err.Error(), `"证件号码" comes twice`) {
		t.Errorf("without a type: %v", err)
	}
}

// What a later file does not say stays; an empty household is left, an empty
// birthday takes nothing away.
func TestBirthDateAndHouseholdAreUpdated(t *testing.T) {
	h := newHouse(t)
	const row = "passport,DEU-C01X00T47,Anna Schmidt,B00000002"
	facts := func() (born, household string) {
		_, f, err := h.find(t, "passport:DEU-C01X00T47")
		must(t, err)
		return f.Born(), f.Household
	}
	h.importFile(t, "document_type,document_number,name,card_no,birth_date,household", row+",19900228,h1")
	h.importFile(t, "document_type,document_number,name,card_no", row)
	if born, household := facts(); born != "19900228" || household != "H1" {
		t.Errorf("after a file without the columns: %q, %q", born, household)
	}
	h.importFile(t, "document_type,document_number,name,card_no,birth_date,household", row+",,")
	if born, household := facts(); born != "19900228" || household != "" {
		t.Errorf("after empty cells: %q, %q", born, household)
	}
	sum, _, _ := h.importFile(t, "document_type,document_number,name,card_no,birth_date,household", row+",19900301,H2")
	if born, household := facts(); born != "19900301" || household != "H2" || sum.Unchanged != 0 {
		t.Errorf("after new ones: %q, %q, %+v", born, household, sum)
	}
}

// TestAddressIsUpdated: a column that is not there and a cell that cannot be read leave
// the address, an empty cell takes it, and it comes back in the one spelling.
func TestAddressIsUpdated(t *testing.T) {
	h := newHouse(t)
	const row = goodID + ",王秀英,A12345678"
	for _, c := range []struct{ header, cells, address, postcode, left string }{
		{",通讯地址,邮政编码", ",浙江省湖州市吴兴区　爱山街道\u200b１２３号２幢301室,３１３０００", "浙江省湖州市吴兴区 爱山街道123号2幢301室", "313000", ""},
		{"", "", "浙江省湖州市吴兴区 爱山街道123号2幢301室", "313000", ""},
		{",address,postcode", ",<b>here</b>,3130", "浙江省湖州市吴兴区 爱山街道123号2幢301室", "313000", "address postcode"},
		{",address", "," + strings.Repeat("街", 61), "浙江省湖州市吴兴区 爱山街道123号2幢301室", "313000", "address"},
		{",address", ",12345 678", "浙江省湖州市吴兴区 爱山街道123号2幢301室", "313000", "address"},
		{",address", "," + strings.Repeat("街", 60), strings.Repeat("街", 60), "313000", ""},
		{",address,postcode", ",,", "", "", ""},
		{",住址", `,"7 Nanjing Road (Flat 3), Shanghai"`, "7 Nanjing Road (Flat 3), Shanghai", "", ""},
	} {
		sum, _, _ := h.importFile(t, "id_number,name,card_no"+c.header, row+c.cells)
		_, f, err := h.find(t, goodID)
		must(t, err)
		if f.Address != c.address || f.Postcode != c.postcode || sum.Cells != int64(len(strings.Fields(c.left))) || sum.Kept != 1 {
			t.Errorf("%q: %q %q, %+v", c.cells, f.Address, f.Postcode, sum)
		}
	}
}

// Rows that 0.1.0 sealed are read as they are, whether zeros follow or not, and a
// person without the later members is stored as they were.
func TestStoredFactsOfTheRelease(t *testing.T) {
	old := func(name string) []byte {
		out := []byte{1}
		for _, m := range []string{name, goodID, "", "B00000001", "33"} {
			out = append(append(out, byte(len(m))), m...)
		}
		for len(out)%32 != 0 {
			out = append(out, 0)
		}
		return out
	}
	for n := range 33 { // every length of padding, none too
		f := Facts{Name: strings.Repeat("a", n), IDNumber: goodID, CardNo: "B00000001", Region: "33"}
		got, err := ParseFacts(old(f.Name))
		if err != nil || got != f {
			t.Errorf("%d: %v, same %v", n, err, got == f)
		}
		if stored, err := f.Marshal(); err != nil || string(stored) != string(old(f.Name)) {
			t.Errorf("%d: stored otherwise, %v", n, err)
		}
		f.BirthDate, f.Household = "20000101", "H1"
		stored, err := f.Marshal()
		must(t, err)
		if got, err := ParseFacts(stored); err != nil || got != f {
			t.Errorf("%d: %v, same %v", n, err, got == f)
		}
		f.Address, f.Postcode = strings.Repeat("街", 60), "313000"
		stored, err = f.Marshal()
		must(t, err)
		if got, err := ParseFacts(stored); err != nil || got != f {
			t.Errorf("%d, with an address: %v, same %v", n, err, got == f)
		}
	}
}
