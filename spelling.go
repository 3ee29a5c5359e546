package liuma

// The spellings of names and numbers. Each verification asks for several of them, and a
// regular expression takes ten times as long as these loops; TestSpellings compares them
// with the regular expressions in the comments.

const (
	maxName       = 40
	maxBusinessNo = 64
	maxRegion     = 6
)

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// isName reports whether s matches ^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$
func isName(s string) bool {
	if len(s) == 0 || len(s) > maxName || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && !isLower(c) && c != '-' {
			return false
		}
	}
	return true
}

// isBusinessNo reports whether s matches ^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$
func isBusinessNo(s string) bool {
	if len(s) == 0 || len(s) > maxBusinessNo {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if isDigit(c) || isLower(c) || isUpper(c) || i > 0 && (c == '_' || c == '.' || c == '-') {
			continue
		}
		return false
	}
	return true
}

// isRegion reports whether s matches ^[1-9][0-9](?:[0-9]{2}){0,2}$
func isRegion(s string) bool {
	if len(s) < 2 || len(s) > maxRegion || len(s)%2 != 0 || s[0] == '0' {
		return false
	}
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}
