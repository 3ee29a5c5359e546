package world

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/registry"
)

// Sample makes a registry of n made-up people, as it is imported, and lists the
// people whose physical card is in use. The same seed makes the same people.
func Sample(n int, seed uint64) (file []byte, inUse []registry.Facts, err error) {
	var b bytes.Buffer
	if err := registry.Sample(&b, n, seed); err != nil {
		return nil, nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
	if err != nil {
		return nil, nil, err
	}
	for _, r := range rows[1:] {
		if r[5] != string(liuma.PhysicalNormal) {
			continue
		}
		region, err := liuma.ParseRegion(r[4])
		if err != nil {
			return nil, nil, err
		}
		inUse = append(inUse, registry.Facts{IDNumber: r[0], Name: r[1], Phone: r[2], CardNo: r[3], Region: region})
	}
	return b.Bytes(), inUse, nil
}

// Import imports people into the registry. It is an error if a row is rejected
// or no person is kept. progress may be nil.
func (w *World) Import(ctx context.Context, file io.Reader, progress func(int64)) (kept int64, err error) {
	sum, err := w.System.Registry.Import(ctx, file, registry.ImportConfig{Progress: progress})
	if err != nil {
		return 0, err
	}
	if sum.Rejected != 0 || sum.Kept == 0 {
		return 0, fmt.Errorf("world: import: %d people kept, %d rejected", sum.Kept, sum.Rejected)
	}
	return sum.Kept, nil
}
