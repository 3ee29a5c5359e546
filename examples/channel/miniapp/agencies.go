package miniapp

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/liuma-pin/liuma/client"
)

// agenciesLast is how long an answer about agencies may be kept.
const agenciesLast = 5 * time.Minute

// agencies are where the page "in person" sends people: the offices of the region that
// this app serves, as the authority's directory has them, kept as long as it allows. They
// are asked for by that region, and never by where a phone is. The zero value is empty.
type agencies struct {
	mu  sync.Mutex
	of  *client.Agencies // guarded by mu
	end time.Time        // guarded by mu
}

// office is an agency as the page shows it.
type office struct {
	Name, Address, Hours, Bring text
	Telephone                   string
	Sample                      bool
}

// nearest are the offices of the region. Nothing hangs on it: without an answer in time
// the page shows what was known last, or says whom to call, as it always does.
func (a *App) nearest(ctx context.Context) (near []office) {
	a.near.mu.Lock()
	defer a.near.mu.Unlock()
	if now := a.c.Now(); a.near.of == nil || !now.Before(a.near.end) {
		ctx, cancel := context.WithTimeout(ctx, standingLasts)
		defer cancel()
		if of, err := a.door.Agencies(ctx, a.c.Region); err != nil {
			a.c.Logger.WarnContext(ctx, "agencies", "err", err)
		} else {
			a.near.of, a.near.end = of, now.Add(agenciesLast)
		}
	}
	if a.near.of == nil {
		return nil
	}
	for _, o := range a.near.of.Offices {
		near = append(near, office{Name: both(o.Name), Address: both(o.Address), Hours: both(o.Hours), Bring: both(o.Documents), Telephone: o.Telephone, Sample: o.Sample})
	}
	return near
}

// both has Chinese in the place of English where an agency says nothing in that.
func both(t client.AgencyText) text {
	if t.EN == "" {
		t.EN = t.ZH
	}
	return text{ZH: t.ZH, EN: t.EN}
}

// where is the authority's own page about agencies, for another region or a name.
func (a *App) where() string {
	if a.c.Region == "" {
		return a.c.Issuer + "/where"
	}
	return a.c.Issuer + "/where?" + url.Values{"region": {a.c.Region}}.Encode()
}
