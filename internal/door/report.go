package door

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// meter lets a limited number of events through per period. Anybody can send
// reports; they must not fill the log.
type meter struct {
	most int
	per  time.Duration

	mu    sync.Mutex
	since time.Time // guarded by mu
	n     int       // guarded by mu
}

func (m *meter) take(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Sub(m.since) >= m.per || now.Before(m.since) {
		m.since, m.n = now, 0
	}
	m.n++
	return m.n <= m.most
}

var directivePattern = regexp.MustCompile(`^[a-z-]{1,40}$`)

// report logs a browser's content-policy report. Anybody can send one, and it may
// quote addresses, so only the directive and the origins are kept.
func (d *Pages) report(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Report struct {
			Effective string `json:"effective-directive"`
			Violated  string `json:"violated-directive"`
			Blocked   string `json:"blocked-uri"`
			Document  string `json:"document-uri"`
		} `json:"csp-report"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	if err == nil && d.reports.take(d.now()) {
		directive, _, _ := strings.Cut(body.Report.Effective+" "+body.Report.Violated, " ")
		if !directivePattern.MatchString(directive) {
			directive = "other"
		}
		d.log.WarnContext(r.Context(), "content policy refused something", "directive", directive,
			"blocked", blocked(body.Report.Blocked), "page", firstElement(body.Report.Document), "request", RequestID(r.Context()))
	}
	w.WriteHeader(http.StatusNoContent)
}

func blocked(uri string) string {
	switch uri {
	case "inline", "eval", "data", "blob", "self", "trusted-types-policy", "trusted-types-sink":
		return uri
	}
	if u, err := url.Parse(uri); err == nil && u.Host != "" && len(u.Host) < 100 {
		return u.Scheme + "://" + u.Host
	}
	return "other"
}

func firstElement(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return ""
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if !directivePattern.MatchString(first) {
		return ""
	}
	return "/" + first
}
