package policy

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/POLICY.md anew")

// TestDocsListEveryValue: docs/POLICY.md says of each value what it is nationally
// and how a layer may change it.
func TestDocsListEveryValue(t *testing.T) {
	const path, from, to = "../../docs/POLICY.md", "<!-- values -->\n", "<!-- end of values -->"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), from)
	old, after, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of values", path)
	}
	how := map[direction]string{less: "less", more: "more", on: "on", off: "off; a region may switch it on", nation: "less, in the nation's layer alone", sooner: "sooner; a region may choose freely",
		named: "off; a region may permit it, for channels whose own layer switches it on", free: "a region may choose; a channel does not set it", shorter: "less; a channel does not set it", lowered: "less; a channel does not set it", list: "strong; the nation's layer may set basic"}
	p := National()
	var table strings.Builder
	table.WriteString("| value | national | a layer may set |\n|---|---|---|\n")
	for _, v := range values() {
		if v.stricter != onlyCode {
			may, is := how[v.stricter], v.text(&p)
			if v.stricter == proofs {
				may = "a variant with more proofs: " + names(v.action())
			}
			if is == "" {
				is = "none"
			}
			fmt.Fprintf(&table, "| `%s` | %s | %s |\n", v.name, is, may)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+from+table.String()+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table.String() {
		t.Errorf("%s: the table is not the program's; go test ./internal/policy -run TestDocs -update", path)
	}
}
