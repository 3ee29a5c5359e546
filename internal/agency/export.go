package agency

import (
	"encoding/csv"
	"io"

	"github.com/liuma-pin/liuma/internal/store"
)

// Write writes agencies as a file that Import reads back unchanged. It need not
// escape cells that a spreadsheet would take for a formula, because no field begins
// with = + - or @.
func Write(w io.Writer, all []store.Agency) error {
	out := csv.NewWriter(w)
	cols := columns()
	line := make([]string, len(cols))
	for i, c := range cols {
		line[i] = c.headings[0]
	}
	err := out.Write(line)
	for i := 0; i < len(all) && err == nil; i++ {
		for k, c := range cols {
			line[k] = cellOf(&all[i], c)
		}
		err = out.Write(line)
	}
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	return err
}

// Cells are the columns of an agency and their values.
func Cells(a store.Agency) (cells [][2]string) {
	for _, c := range columns() {
		cells = append(cells, [2]string{c.headings[0], cellOf(&a, c)})
	}
	return cells
}

func cellOf(a *store.Agency, c column) string {
	switch c.headings[0] {
	case "region":
		if a.Region == "" {
			return "全国"
		}
	case "status":
		if a.Closed {
			return "closed"
		}
		return "open"
	case "sample":
		if a.Sample {
			return string(store.SaidYes)
		}
		return ""
	}
	return *c.cell(a)
}
