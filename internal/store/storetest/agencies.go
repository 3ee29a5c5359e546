package storetest

import (
	"fmt"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
)

// agency is a value with every member set.
func agency(i int) store.Agency {
	both := func(s string) liuma.Text { return liuma.Text{ZH: s, EN: "in English"} }
	return store.Agency{Code: liuma.Agency(fmt.Sprintf("office%02d", i)), Kind: store.AgencyOffice, Region: "330502", Name: both("吴兴区社保中心"),
		Address: both("东街 1 号"), Hours: both("工作日"), Telephone: "0572-12333", Documents: both("身份证"), Languages: both("普通话"),
		Services: both("社保卡"), Agent: store.SaidYes, StepFree: store.SaidNo, Closed: true, Sample: true, Pinyin: "wuxing", Initials: "wx", At: at(i)}
}

// agencies are put, replaced whole, and listed by their codes.
func agencies(t *testing.T, open Open) {
	s, reopen := open(t)
	one, two, three := agency(1), agency(2), agency(3)
	mustUpdate(t, s, func(tx store.Tx) error {
		for _, a := range []store.Agency{three, one, two} {
			if err := tx.PutAgency(a); err != nil {
				return err
			}
		}
		return nil
	})
	two = store.Agency{Code: two.Code, Kind: store.AgencyHotline, Telephone: "12333", At: at(9)}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.PutAgency(two) })
	s = reopen()
	from := func(after liuma.Agency, limit int) []store.Agency {
		return mustGet(t, s, func(r store.Reader) ([]store.Agency, error) { return r.Agencies(after, limit) })
	}
	same(t, from("", 10), []store.Agency{one, two, three})
	same(t, from("", 2), []store.Agency{one, two})
	same(t, from(two.Code, 2), []store.Agency{three})
	same(t, from(three.Code, 2), nil)
	same(t, mustGet(t, s, func(r store.Reader) (store.Agency, error) { return r.Agency(two.Code) }), two)
	_, err := get(t, s, func(r store.Reader) (store.Agency, error) { return r.Agency("nowhere") })
	wantErr(t, err, store.ErrNotFound)
}
