package genuine

import "strings"

// address reports whether a text is meant as the address of a page.
func address(s string) bool {
	if strings.Contains(s, "://") {
		return true
	}
	host, _, _ := strings.Cut(s, "/")
	host = strings.TrimSuffix(host, ".")
	i := strings.LastIndexByte(host, '.')
	return i > 0 && i < len(host)-1 && !strings.Contains(host, " ")
}
