package main

// inParts shows every row of a list that is read part by part, each part after the last
// row of the one before. A part with fewer than most rows is the last. show returns the
// row's place in the list. none reports that there were no rows.
func inParts[T, K any](most int, read func(after K) ([]T, error), show func(T) (K, error)) (none bool, err error) {
	var after K
	for none = true; ; none = false {
		part, err := read(after)
		if err != nil {
			return false, err
		}
		for _, row := range part {
			if after, err = show(row); err != nil {
				return false, err
			}
		}
		if len(part) < most {
			return none && len(part) == 0, nil
		}
	}
}
