package authority

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/ration"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// freezeCodes is the ration of wrong freeze codes from one source. It refuses no right code,
// because codes are looked up before anything is counted; it only slows down wrong ones and shows
// an attack. Once the ration is spent, wrong codes are told to slow down, and write nothing. The
// answer is not delayed: a waiting answer would hold a place at the door that others behind the
// same address need. Sources beyond the first Sources are answered as wrong, and not counted.
func freezeCodes() ration.Codes {
	return ration.Codes{Kind: "freeze_codes", Source: 10, Sources: freezeSources, Alarm: 3000}
}

const freezeSources = 1 << 14

// freezeTries is what this process has counted of wrong freeze codes, for its audit entries and the
// alarm. It refuses nothing.
type freezeTries struct {
	codes ration.Codes
	all   ration.Wrong

	mu      sync.Mutex
	sources map[vault.Index]struct{} // guarded by mu: blind indexes of the sources
	wrong   uint64                   // guarded by mu: not yet in the record
	told    time.Time                // guarded by mu: time of the last entry
}

func newFreezeTries() *freezeTries {
	return &freezeTries{codes: freezeCodes(), sources: map[vault.Index]struct{}{}}
}

// add counts a wrong freeze code for the next entry.
func (f *freezeTries) add(source vault.Index) {
	f.all.Add()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wrong++
	if len(f.sources) < freezeSources {
		f.sources[source] = struct{}{}
	}
}

// wrongFreezeCode is the refusal of a wrong freeze code. It is counted in the database, so that all
// authorities count together and a restart loses no counts. A crash before the commit loses this
// one count.
func (a *Authority) wrongFreezeCode(ctx context.Context, source string) error {
	from, now := a.vault.Index(vault.IndexPhone, "freeze-source\x00"+source), a.Now()
	a.freezeTries.add(from)
	_, until, err := a.freezeTries.codes.Spend(ctx, a.store, from, now)
	if err != nil {
		return err
	}
	if !until.IsZero() {
		return &liuma.Error{Code: liuma.CodeFreezeCodeLimit, Until: until}
	}
	return liuma.Fail(liuma.CodeFreezeCodeInvalid, nil)
}

// saveFreezeTries adds the wrong codes of all sources to the sum over all authorities, for the
// alarm.
func (a *Authority) saveFreezeTries(ctx context.Context) error {
	alarm, err := a.freezeTries.all.Save(ctx, a.store, a.freezeTries.codes, a.Now())
	if alarm {
		a.log.ErrorContext(ctx, "ALARM: freeze codes are being guessed", "wrong", a.freezeTries.codes.Alarm, "within", ration.Period)
	}
	return err
}

// take returns the count of wrong freeze codes for an audit entry, if one is due; nothing if there
// were none.
func (f *freezeTries) take(now time.Time, every time.Duration) (wrong uint64, sources int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wrong == 0 || now.Sub(f.told) < every {
		return 0, 0
	}
	wrong, sources = f.wrong, len(f.sources)
	f.wrong, f.told = 0, now
	clear(f.sources)
	return wrong, sources
}

// tellFreezeTries writes how many freeze codes were wrong, in one entry for all of them. A crash,
// or a failure here, loses only that number.
func (a *Authority) tellFreezeTries(ctx context.Context, every time.Duration) error {
	wrong, sources := a.freezeTries.take(a.Now(), every)
	if wrong == 0 {
		return nil
	}
	return a.store.Update(ctx, func(store.Tx) (audit.Entry, error) {
		e := a.Entry("holder", audit.FreezeTried, liuma.CardID{}, "", string(liuma.CodeFreezeCodeInvalid))
		e.Note = fmt.Sprintf("wrong=%d;sources=%d", wrong, sources)
		return e, nil
	})
}
