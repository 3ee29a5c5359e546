package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Markdown writes the report as tables.
func (r FloodReport) Markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d processors, %d cards, %.0f s each, normal load %.0f verifications a second and a ceremony for each %d of them\n\n",
		r.Processors, r.Cards, r.Seconds, r.Load, hostedShare)
	if r.Quiet.Verify.Errors > 0 {
		b.WriteString("**This machine did not carry the normal load alone: the rows below say little. Choose a lower load, or a quieter time.**\n\n")
	}
	b.WriteString("| flood | sent /s | p50 ms before → beside | p99 ms before → beside | p50 × | p99 × | worst ms | errors | page p50 / p99 ms | page errors | processors | MiB before / peak / after | disk MiB/h | WAL peak MiB | log MiB/h |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range append([]FloodRow{r.Quiet}, r.Floods...) {
		p50, p99, times := fmt.Sprintf("%.1f", row.Verify.P50), fmt.Sprintf("%.1f", row.Verify.P99), "– | –"
		if row.Kind != r.Quiet.Kind {
			p50, p99 = fmt.Sprintf("%.1f → ", row.Before.P50)+p50, fmt.Sprintf("%.1f → ", row.Before.P99)+p99
			times = fmt.Sprintf("%.1f | %.1f", row.P50Ratio, row.P99Ratio)
		}
		fmt.Fprintf(&b, "| %s | %.0f | %s | %s | %s | %.0f | %s | %.0f / %.0f | %s | %.2f | %.0f / %.0f / %.0f | %.0f | %.1f | %.0f |\n",
			row.Kind, row.Rate, p50, p99, times, row.Verify.Worst, row.Verify.errors(),
			row.Hosted.P50, row.Hosted.P99, row.Hosted.errors(), row.CPU, row.RSSBefore, row.RSSPeak, row.RSSAfter, row.DiskHour, row.WALPeak, row.LogHour)
	}
	b.WriteString("\n| flood | what | answers |\n|---|---|---|\n")
	for _, row := range r.Floods {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row.Kind, row.What, counts(row.Answers))
	}
	if s := r.Stall; s != nil {
		fmt.Fprintf(&b, "\nA reset of a card with %d open ceremonies%s took %.0f ms, and the worst verification beside it %.0f ms; with none open, %.0f ms and %.0f ms.\n",
			s.Opened, suffix(s.Refused), s.Reset, s.Verify.Worst, s.Alone, s.VerifyNot.Worst)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// errors is how many of how many, and which.
func (n Noticed) errors() string {
	if n.Errors == 0 {
		return fmt.Sprintf("0 of %d", n.Sent)
	}
	return fmt.Sprintf("%d of %d (%s)", n.Errors, n.Sent, counts(n.Why))
}

func suffix(refused map[string]int) string {
	if len(refused) == 0 {
		return ""
	}
	return " (refused: " + counts(refused) + ")"
}

// counts lists what was counted, most first.
func counts(m map[string]int) string {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s: %d", name, m[name])
	}
	return strings.Join(names, ", ")
}
