package bench

import "slices"

// Figure is the median of the values of a run's slices, with the least and the most.
type Figure struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Slices []float64 `json:"slices"` // in the order of time
}

// figure takes a value of each slice.
func figure[S any](slicesOf []S, of func(S) float64) Figure {
	var f Figure
	for _, s := range slicesOf {
		f.Slices = append(f.Slices, of(s))
	}
	f.Median, f.Min, f.Max = median(f.Slices), slices.Min(f.Slices), slices.Max(f.Slices)
	return f
}

// median of an even number of values is the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
