package registry

import (
	"strings"
	"testing"
)

// spellings are names with other spellings of each, as typed and imported files
// have them.
func spellings() map[string][]string {
	dots := func(a, b string) (all []string) {
		for _, dot := range []string{"•", "‧", "∙", "⋅", "・", "･", ".", "．", " · ", "·\u200b"} {
			all = append(all, a+dot+b)
		}
		return all
	}
	between := func(name string) (all []string) {
		for _, odd := range []string{" ", "\u3000", "\u00a0", "\u200b", "\u200d", "\ufeff", "\u2060", "\t"} {
			first, rest, _ := strings.Cut(name, "|")
			all = append(all, first+odd+rest)
		}
		return all
	}
	all := map[string][]string{
		"阿依古丽·买买提":       dots("阿依古丽", "买买提"),
		"古丽娜尔·艾山":        dots("古丽娜尔", "艾山"),
		"艾力·吐尔逊":         dots("艾力", "吐尔逊"),
		"热依汗·玉素甫":        dots("热依汗", "玉素甫"),
		"王秀英":            append(between("王|秀英"), "王秀英\ufe00", "⺩秀英", "王秀英"),
		"马晓䶮":            append(between("马|晓䶮"), "马晓\ue863", "⻢晓䶮"),
		"金玉石":            append(between("金|玉石"), "⾦玉石", "金⽟石", "金玉⽯", "⾦⽟⽯"),
		"高山水":            append(between("高|山水"), "⾼山水", "高⼭水", "高山⽔"),
		"Anna Müller":    {"ANNA MÜLLER", "anna müller", "Ａｎｎａ　Ｍüｌｌｅｒ", "Anna  Müller", "Anna Mu\u0308ller", "Anna\u00a0Müller"},
		"John O'Brien":   {"JOHN O'BRIEN", "John O’Brien", "John OʼBrien", "john o＇brien", "John O`Brien"},
		"Jean-Luc Petit": {"JEAN-LUC PETIT", "Jean‐Luc Petit", "Jean–Luc Petit", "Jean－Luc Petit", "Jean−Luc Petit"},
		"欧阳花":            append(between("欧阳|花"), "欧阳花\ufe0f", "欧 阳 花"),
		"诸葛亮":            append(between("诸葛|亮"), "诸葛亮\U000e0100", "诸 葛 亮"),
		"司马光":            append(between("司马|光"), "司⻢光", " 司马光 "),
		"李丽":             append(between("李|丽"), "\u202a李丽\u202c", "李\u00ad丽"),
		"龙大力":            append(between("龙|大力"), "⻰大力", "龙⼤力", "龙大⼒"),
	}
	return all
}

// TestOneNameInAllItsSpellings: a row that agrees in the name alone is the same
// person in whatever spelling, and no other name is.
func TestOneNameInAllItsSpellings(t *testing.T) {
	n := 0
	for name, others := range spellings() {
		for _, spelled := range others {
			n++
			if !SameName(name, spelled) {
				t.Errorf("%q and %q (%+q) are two names", name, spelled, spelled)
			}
		}
		for other := range spellings() {
			if other != name && SameName(name, other) {
				t.Errorf("%q and %q are one name", name, other)
			}
		}
	}
	if n < 120 {
		t.Errorf("%d spellings, want 120", n)
	}
	h := newHouse(t)
	h.mustImport(t, goodID+",阿依古丽·买买提,13800138000,A12345678,330502,normal")
	for i, spelled := range spellings()["阿依古丽·买买提"] {
		row := goodID + "," + spelled + ",,B0000000" + string(rune('0'+i)) + ",330502,"
		if rows, _, _ := h.left(t, ImportConfig{}, header+"\n"+row+"\n"); len(rows) > 0 {
			t.Errorf("%+q: %v", spelled, rows)
		}
	}
}
