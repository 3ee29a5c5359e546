package agency

// Syllables returns a reader of names that works like the search, one word a character: 六安
// is lu, an. The generator of the list of regions makes their Latin names with it, once.
func Syllables() func(name string) []string {
	r := newReader()
	return func(name string) (out []string) {
		runes := []rune(name)
		for i := 0; i < len(runes); {
			if s, ok := r.place(runes[i:]); ok {
				out = append(out, s.syllables...)
				i += len(s.han)
				continue
			}
			if s := r.syllable(runes[i]); s != "" {
				out = append(out, s)
			}
			i++
		}
		return out
	}
}
