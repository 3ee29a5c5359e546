package genuine

import (
	"strings"

	"github.com/liuma-pin/liuma/internal/written"
)

// numberOf is the digits of a telephone number, without its marks and China's +86.
func numberOf(s string) (number string, ok bool) {
	s = strings.TrimPrefix(written.Number(s), "+86")
	s = strings.ReplaceAll(strings.ReplaceAll(s, "(", ""), ")", "")
	if len(s) < 3 || len(s) > 20 || strings.Trim(s, "0123456789") != "" {
		return "", false
	}
	return s, true
}

// address reports something that is meant as the address of a page.
func address(s string) bool {
	if strings.Contains(s, "://") {
		return true
	}
	host, _, _ := strings.Cut(s, "/")
	host = strings.TrimSuffix(host, ".")
	i := strings.LastIndexByte(host, '.')
	return i > 0 && i < len(host)-1 && !strings.Contains(host, " ")
}
