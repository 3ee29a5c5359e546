package visitor

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// jar keeps cookies by origin. Browsers share them between the ports of a host;
// this jar does not, so that several servers on loopback stay apart.
type jar struct {
	now func() time.Time

	mu      sync.Mutex
	origins map[string]map[string]*kept // guarded by mu; by origin, then name and path
}

type kept struct {
	http.Cookie
	until time.Time // zero: until the browser closes
}

func newJar(now func() time.Time) *jar { return &jar{now: now, origins: map[string]map[string]*kept{}} }

// keep stores the cookies of an answer, if the answer may set them.
func (j *jar) keep(from *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range cookies {
		secure := from.Scheme == "https"
		switch {
		case c.Secure && !secure,
			c.Domain != "" && c.Domain != from.Hostname(),
			strings.HasPrefix(c.Name, "__Secure-") && !c.Secure,
			strings.HasPrefix(c.Name, "__Host-") && (!c.Secure || c.Path != "/" || c.Domain != ""):
			continue
		}
		if !strings.HasPrefix(c.Path, "/") {
			c.Path = from.Path[:strings.LastIndex(from.Path, "/")+1]
			if len(c.Path) > 1 {
				c.Path = strings.TrimSuffix(c.Path, "/")
			}
		}
		j.put(from, c)
	}
}

// put is called with mu held.
func (j *jar) put(from *url.URL, c *http.Cookie) {
	of := j.origins[originOf(from)]
	if of == nil {
		of = map[string]*kept{}
		j.origins[originOf(from)] = of
	}
	k := &kept{Cookie: *c}
	switch {
	case c.MaxAge > 0:
		k.until = j.now().Add(time.Duration(c.MaxAge) * time.Second)
	case c.MaxAge < 0:
		delete(of, c.Name+"\x00"+c.Path)
		return
	case !c.Expires.IsZero():
		k.until = c.Expires
	}
	of[c.Name+"\x00"+c.Path] = k
}

func (j *jar) plant(at *url.URL, name, value string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put(at, &http.Cookie{Name: name, Value: value, Path: "/"})
}

// at lists the cookies for an address, longer paths first.
func (j *jar) at(u *url.URL) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []*http.Cookie
	for key, k := range j.origins[originOf(u)] {
		if !k.until.IsZero() && !j.now().Before(k.until) {
			delete(j.origins[originOf(u)], key)
			continue
		}
		if within(u.Path, k.Path) {
			c := k.Cookie
			out = append(out, &c)
		}
	}
	slices.SortFunc(out, func(a, b *http.Cookie) int {
		return cmp.Or(cmp.Compare(len(b.Path), len(a.Path)), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func within(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || strings.HasSuffix(dir, "/") || rest[0] == '/') || dir == "/"
}
