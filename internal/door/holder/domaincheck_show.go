package holder

import (
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/liuma-pin/liuma"
)

const largestCheck = 64 << 10

var checkPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,120}\.(txt|html)$`)

// showDomainCheck serves what an operator put into the directory, so that a
// mini-program platform believes that the domain is theirs. Links that lead
// out of the directory are not followed (os.Root).
func (h *handler) showDomainCheck(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	content, ok := h.readCheck(name)
	if !ok {
		h.fault(w, r, http.StatusNotFound, liuma.CodeNotFound)
		return
	}
	kind := "text/plain; charset=utf-8"
	if strings.HasSuffix(name, ".html") {
		kind = "text/html; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	_, _ = w.Write(content) // an error here means that nobody is listening
}

func (h *handler) readCheck(name string) ([]byte, bool) {
	if !checkPattern.MatchString(name) {
		return nil, false
	}
	f, err := h.checks.Open(name)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > largestCheck {
		return nil, false
	}
	content, err := io.ReadAll(io.LimitReader(f, largestCheck))
	return content, err == nil
}
