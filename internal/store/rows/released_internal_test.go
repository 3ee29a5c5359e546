package rows

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/store"
)

var updateReleased = flag.Bool("update", false, "add the bodies of tables that testdata/released does not have yet")

// bodies is a value of every type that is a row's body, with no member empty.
func bodies() map[string]any {
	all := map[string]any{"cards": &whole{}, "claims": &claim{}, "holders": &holderClaim{}, "requests": &store.Request{}, "intents": &store.Intent{},
		"persons": &store.Person{}, "clients": &store.Client{}, "evidence": &usedEvidence{}, "seal_keys": &store.SealKey{},
		"starts": &start{}, "ceremonies": &store.Ceremony{}, "codes": &store.Code{}, "ticks": &mark{},
		"freeze_codes": &store.FreezeCode{}, "messages": &store.Message{}, "shared": &shared{},
		"resealing": &store.Resealing{}, "clock": &clock.State{}, "meters": &meter{},
		"sweeps": &store.Sweep{}, "archives": &store.Archive{},
		"conflicts": &store.Conflict{}, "person_changes": &store.PersonChange{},
		"corrections": &store.Correction{},
		"staff":       &store.Member{}, "staff_sessions": &store.StaffSession{}, "proposals": &store.Proposal{},
		"editions": &store.Edition{},
		"tickets":  &store.Ticket{}, "look_ups": &store.LookUp{}, "desk_pads": &store.DeskPad{},
		"tallies":         &store.Tally{},
		"former_contacts": &store.FormerContact{}, "closings": &store.ClosingDue{},
		"letters": &store.Letter{}, "agencies": &store.Agency{}, "notice_contacts": &store.NoticeContact{},
		"sums": &sum{}, "pad_offers": &store.PadOffer{}, "numbers": &number{}, "keyring": &keyring{}}
	for _, v := range all {
		n := 0
		fill(reflect.ValueOf(v).Elem(), &n)
	}
	return all
}

// fill gives every member of a value something of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.UnixMilli(int64(1_700_000_000_000 + *n)).UTC()
		return
	case *ledger.Tally:
		x.Spend(time.UnixMilli(int64(1_700_000_000_000+*n)), ledger.Known)
		return
	}
	switch {
	case v.Kind() == reflect.String:
		v.SetString(fmt.Sprint("text", *n))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(int64(*n))
	case v.CanUint():
		v.SetUint(uint64(*n))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	}
}

// TestReleasedBodiesAreRead: what a released version wrote is read, and written
// again as it was, by every later one. A member may be added; none is renamed,
// retyped or taken away without a migration.
func TestReleasedBodiesAreRead(t *testing.T) {
	const file = "testdata/released"
	content, err := os.ReadFile(file)
	if err != nil && !*updateReleased {
		t.Fatal(err)
	}
	all, f := bodies(), newForms()
	for _, table := range Tables() {
		if all[table.Name] == nil {
			t.Errorf("no value of table %s", table.Name)
		}
	}
	known := map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		name, text, _ := strings.Cut(lines.Text(), " ")
		body, err := hex.DecodeString(text)
		if err != nil || all[name] == nil {
			t.Fatalf("%s: %v", name, err)
		}
		known[name] = true
		v := reflect.New(reflect.TypeOf(all[name]).Elem()).Interface()
		if err := f.decode(body, v); err != nil {
			t.Errorf("%s of a released version: %v", name, err)
			continue
		}
		if again, err := f.encode(v); err != nil || !bytes.Equal(again, body) {
			t.Errorf("%s is written otherwise than it was: %v", name, err)
		}
	}
	for _, table := range Tables() {
		if known[table.Name] {
			continue
		}
		body, err := f.encode(all[table.Name])
		if err != nil || !*updateReleased {
			t.Errorf("%s has no body of table %s: %v", file, table.Name, err)
			continue
		}
		content = fmt.Appendf(content, "%s %x\n", table.Name, body)
	}
	if *updateReleased {
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheReleasedCopyOfTheRegistryGoes: 0.1.0 kept a holder's facts in the card's
// row. The next write of such a row drops them, and changes nothing else.
func TestTheReleasedCopyOfTheRegistryGoes(t *testing.T) {
	content, err := os.ReadFile("testdata/released")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(content), "\ncards ")
	text, _, _ := strings.Cut(rest, "\n")
	body, err := hex.DecodeString(text)
	if err != nil || !found {
		t.Fatal("no card of 0.1.0", err)
	}
	var was, now whole
	if err := errors.Join(newForms().decode(body, &was), newForms().decode(body, &now)); err != nil || len(was.Card.Sealed) == 0 {
		t.Fatal("the released row has no copy", err)
	}
	if err := (&Codec{}).encrypt(&now, 1); err != nil {
		t.Fatal(err)
	}
	if len(now.Card.Sealed) > 0 {
		t.Error("the copy is written again")
	}
	now.Card.Sealed = was.Card.Sealed
	if !reflect.DeepEqual(now, was) {
		t.Error("something else has changed with it")
	}
}
