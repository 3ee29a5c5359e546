package browser

import (
	"io"
	"net/http"
	"regexp"
	"testing"
)

const heaviest = 60_000 // bytes over the wire, with all that a page brings

// TestPageWeight asks for each page as a first visit does, with everything that
// it refers to, packed as browsers ask for it.
func TestPageWeight(t *testing.T) {
	list, s := openGallery(t)
	weights := map[string]int{} // of what many pages refer to
	refers := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`)
	for _, language := range []string{"zh-CN", "en"} {
		for _, sc := range list {
			page, total := s.fetched(sc.Path, language, false)
			_, weight := s.fetched(sc.Path, language, true)
			assets := refers.FindAllStringSubmatch(string(page), -1)
			if len(assets) < 2 {
				t.Errorf("%s: refers to %d assets: %s", sc.Name, len(assets), page)
			}
			for _, m := range assets {
				if weights[m[1]] == 0 {
					_, weights[m[1]] = s.fetched(m[1], language, true)
				}
				weight += weights[m[1]]
			}
			if weight > heaviest || total > heaviest {
				t.Errorf("%s in %s: %d bytes over the wire", sc.Name, language, weight)
			}
		}
	}
}

// fetched gets an address and says how many bytes its head and body took.
func (s *site) fetched(path, language string, packed bool) (body []byte, wire int) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Accept-Language", language)
	r.Header.Set("Accept-Encoding", "identity")
	if packed {
		r.Header.Set("Accept-Encoding", "gzip")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		s.t.Fatal(err)
	}
	for name, values := range answer.Header {
		for _, v := range values {
			wire += len(name) + len(v) + len(": \r\n")
		}
	}
	return body, wire + len(body)
}
