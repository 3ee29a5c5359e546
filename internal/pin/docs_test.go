package pin

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// With -update the tables of docs/PINS.md are written; without, they must agree
// with the measurements here.
const docPath = "../../docs/PINS.md"

var update = flag.Bool("update", false, "write the tables of docs/PINS.md")

func TestDocumentSaysWhatIsMeasured(t *testing.T) {
	raw, err := os.ReadFile(docPath)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	rows, all := readCounts(t), judgeAll(t)
	for name, table := range map[string]string{
		"rules":     ruleTable(t, rows, all),
		"list":      listTable(t, rows, all),
		"remaining": remainingTable(t, all),
	} {
		section := regexp.MustCompile(`(?s)(<!-- measured: ` + name + ` -->\n).*?(<!-- end -->)`)
		if n := len(section.FindAllString(doc, -1)); n != 1 {
			t.Errorf("%d sections for table %s", n, name)
			continue
		}
		now := section.ReplaceAllString(doc, "${1}"+table+"${2}")
		if now != doc && !*update {
			t.Errorf("table %s is not what is measured; run make update. Measured:\n%s", name, table)
		}
		doc = now
	}
	if *update {
		if err := os.WriteFile(docPath, []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// ruleSet has a bit for each rule that needs no holder, in the order of layers.
type ruleSet uint16

// layers are those rules, in the order of findings.
func layers() []Rule { return RulesForAll() }

const (
	patterns ruleSet = 1<<7 - 1 // what looks regular
	chinese  ruleSet = 7 << 7   // love numbers, years and dates
	listed   ruleSet = 1 << 10  // in the list
)

// judgeAll returns, for each of the million PINs, the layers that refuse it.
func judgeAll(t *testing.T) []ruleSet {
	t.Helper()
	j, nobody := newJudge(t, NationalRules()), newHolder(Facts{})
	bit := make(map[Rule]ruleSet)
	for i, r := range layers() {
		bit[r] = 1 << i
	}
	all := make([]ruleSet, 1_000_000)
	for n := range all {
		for _, r := range j.sixDigits((*[Digits]byte)([]byte(sixes(n))), nobody, false) {
			if bit[r] == 0 {
				t.Fatalf("%s without a holder", r)
			}
			all[n] |= bit[r]
		}
	}
	return all
}

func (r row) number(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(r.pin)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func ruleTable(t *testing.T, rows []row, all []ruleSet) string {
	var b strings.Builder
	b.WriteString("| rule | PINs it refuses | it alone | of them in the counts | times a random PIN's chance | choices it refuses | choices that pass it and all above | best 6 guesses then hit |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|---:|---:|\n")
	base, total := float64(len(rows))/1e6, sum(rows)
	fmt.Fprintf(&b, "| none | 0 | 0 | 0 | | 0 %% | 100 %% | %s |\n", share(sum(rows[:6]), total))
	for i, rule := range layers() {
		bit, stacked := ruleSet(1)<<i, ruleSet(1)<<(i+1)-1
		takes, alone := 0, 0
		for _, refused := range all {
			if refused&bit != 0 {
				takes++
			}
			if refused == bit {
				alone++
			}
		}
		var hit, pass []row
		for _, r := range rows {
			if all[r.number(t)]&bit != 0 {
				hit = append(hit, r)
			}
			if all[r.number(t)]&stacked == 0 {
				pass = append(pass, r)
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %.1f | %s | %s | %s |\n", rule, thousands(takes), thousands(alone), thousands(len(hit)),
			float64(len(hit))/float64(takes)/base, share(sum(hit), total), share(sum(pass), total), share(sum(pass[:6]), sum(pass)))
	}
	return b.String()
}

// listTable shows the effect of each list, with the patterns and without.
func listTable(t *testing.T, rows []row, all []ruleSet) string {
	var b strings.Builder
	b.WriteString("| refused | PINs refused in all | choosers refused once | best guess hits | best 6 guesses hit | best 30 guesses hit |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|\n")
	basic, err := loadList(ListBasic)
	if err != nil {
		t.Fatal(err)
	}
	inBasic := func(n int) bool { return basic[n/8]&(1<<(n%8)) != 0 }
	total := sum(rows)
	for _, c := range []struct {
		name string
		bad  func(n int) bool
	}{
		{"nothing", func(int) bool { return false }},
		{"the basic list", inBasic},
		{"patterns", func(n int) bool { return all[n]&patterns != 0 }},
		{"patterns and the basic list (`pin.list: basic`)", func(n int) bool { return all[n]&patterns != 0 || inBasic(n) }},
		{"love numbers, years and dates", func(n int) bool { return all[n]&chinese != 0 }},
		{"all (`pin.list: strong`)", func(n int) bool { return all[n] != 0 }},
	} {
		refused := 0
		for n := range all {
			if c.bad(n) {
				refused++
			}
		}
		pass := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return c.bad(r.number(t)) })
		best := func(k int) string { return share(sum(pass[:k]), sum(pass)) }
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", c.name, thousands(refused), share(total-sum(pass), total), best(1), best(6), best(30))
	}
	return b.String()
}

func remainingTable(t *testing.T, all []ruleSet) string {
	var b strings.Builder
	b.WriteString("| holder | refused for the holder alone | PINs that remain | six random guesses hit |\n|---|---:|---:|---:|\n")
	j := newJudge(t, NationalRules())
	for _, c := range []struct {
		name string
		f    Facts
	}{
		{"nothing known", Facts{}},
		{"born 1985-03-07, phone, card number of a letter and 8 digits", zhang},
		{"born 1962-11-24, phone, card number of 19 digits", li},
	} {
		h := newHolder(c.f)
		remain, personal := 0, 0
		for n, refused := range all {
			if refused != 0 {
				continue
			}
			if len(j.sixDigits((*[Digits]byte)([]byte(sixes(n))), h, false)) == 0 {
				remain++
			} else {
				personal++
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %.5f %% |\n", c.name, thousands(personal), thousands(remain), 600/float64(remain))
	}
	return b.String()
}

func sixes(n int) string { return strconv.Itoa(1_000_000 + n)[1:] }

func sum(rows []row) int {
	n := 0
	for _, r := range rows {
		n += r.count
	}
	return n
}

func share(part, whole int) string {
	p := 100 * float64(part) / float64(whole)
	if p > 0 && p < 0.1 {
		return fmt.Sprintf("%.4f %%", p)
	}
	return fmt.Sprintf("%.1f %%", p)
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// TestDiagonalPathsAreLeftAloneForAReason checks the reason that docs/PINS.md
// gives for not refusing diagonal paths.
func TestDiagonalPathsAreLeftAloneForAReason(t *testing.T) {
	listed := make(map[string]bool)
	rows := readCounts(t)
	for _, r := range rows {
		listed[r.pin] = true
	}
	added, hit := 0, 0
	for n := range 1_000_000 {
		s := sixes(n)
		d := (*[Digits]byte)([]byte(s))
		touching := true
		for i := 1; i < Digits; i++ {
			touching = touching && touch(d[i-1], d[i])
		}
		if touching && !path(d) {
			added++
			if listed[s] {
				hit++
			}
		}
	}
	raw, err := os.ReadFile(docPath)
	if err != nil || !strings.Contains(string(raw), "the "+thousands(added)+" PINs that this would add") {
		t.Errorf("docs/PINS.md does not say %s (%v)", thousands(added), err)
	}
	if float64(hit)/float64(added) >= float64(len(rows))/1e6 {
		t.Errorf("%d of %d are listed: more than by chance", hit, added)
	}
}
