package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/split"
)

// Begin makes a keeper's directory and begins its first key ceremony. keySet is the
// number of the key set, on which the members agree; 0 means 1.
//
// A crash in here leaves no keeper, an identity without a ceremony, or a ceremony that
// has begun. From the first two Begin continues; from the last, Status.
func (d Desk) Begin(w Who, keySet uint32) (Where, error) {
	return d.made(w, func(f *keeper.KeyFile) (Where, error) { return d.start(f, w, max(keySet, 1)) })
}

// Rotate begins the ceremony for another key set. Existing key sets stay in use. keySet
// is its number, which must be above all that this keeper has; 0 means the next number.
func (d Desk) Rotate(keySet uint32) (Where, error) {
	return d.within(func() (Where, error) {
		if err := d.free(); err != nil {
			return Where{}, err
		}
		f, err := keeper.OpenKeyFile(d.Disk, d.Dir, d.Custodian)
		if err != nil {
			return Where{}, err
		}
		defer f.Wipe()
		sets := f.KeySets()
		if len(sets) == 0 {
			return Where{}, &OrderError{quiet(f)}
		}
		last := sets[len(sets)-1]
		if keySet == 0 {
			keySet = last.ID + 1
		}
		if keySet <= last.ID {
			return Where{}, fmt.Errorf("%w: %d is not above %d", ErrSet, keySet, last.ID)
		}
		w := Who{ID: f.ID(), Member: last.Member, Shape: last.Shape}
		if err := w.check(); err != nil {
			return Where{}, err
		}
		return d.start(f, w, keySet)
	})
}

// start begins a ceremony. It first removes files that an earlier ceremony left to be
// carried, because they could be mistaken for files of this one.
func (d Desk) start(f *keeper.KeyFile, w Who, keySet uint32) (Where, error) {
	if err := f.BeginReceiving(); err != nil {
		return Where{}, err
	}
	m, err := keeper.NewMember(keySet, w.Shape, w.Member, w.ID, f.Custody())
	if err != nil {
		return Where{}, err
	}
	defer m.Wipe()
	if err := d.clearCarry(); err != nil {
		return Where{}, err
	}
	if err := d.save(m); err != nil {
		return Where{}, err
	}
	return d.where(f, m)
}

// Take takes in files of the other members, in any order. A file that was taken before
// does no harm. A file that comes too early gives an OrderError, and the files before
// it are taken; after any other fault nothing has changed.
func (d Desk) Take(files ...[]byte) (Where, error) {
	var list []message
	for _, data := range files {
		m, err := parse(data)
		if err != nil {
			return Where{}, err
		}
		if m.ask != nil || m.gift != nil {
			return Where{}, fmt.Errorf("%w: a file of %s, which gets its share keys back", ErrOther, m.ID)
		}
		list = append(list, m)
	}
	slices.SortStableFunc(list, func(a, b message) int { return a.rank() - b.rank() })
	return d.inCeremony(func(f *keeper.KeyFile, m *keeper.Member) (Where, error) {
		early := false
		for _, file := range list {
			err := take(f, m, file)
			if early = errors.Is(err, ErrOrder); early {
				break
			}
			if err != nil {
				return Where{}, err
			}
		}
		if err := d.save(m); err != nil {
			return Where{}, err
		}
		w, err := d.where(f, m)
		if early && err == nil {
			return Where{}, &OrderError{w}
		}
		return w, err
	})
}

// inCeremony runs do with the running ceremony; it returns an OrderError if there is
// none.
func (d Desk) inCeremony(do func(*keeper.KeyFile, *keeper.Member) (Where, error)) (Where, error) {
	return d.opened(func(f *keeper.KeyFile) (Where, error) {
		m, err := d.underWay(f)
		if err != nil {
			return Where{}, err
		}
		if m == nil {
			return Where{}, d.outOfOrder()
		}
		defer m.Wipe()
		return do(f, m)
	})
}

// take takes in one file.
func take(f *keeper.KeyFile, m *keeper.Member, file message) error {
	own := m.Hello()
	if file.shape() != own.Shape {
		return fmt.Errorf("%w: %s says %s, this keeper %s", ErrSet, file.ID, file.shape(), own.Shape)
	}
	if file.Member == own.Member {
		return ownFile(m, file)
	}
	if file.hello != nil {
		return meet(m, file.hello)
	}
	meeting, err := m.Meeting()
	if err != nil {
		return &OrderError{view(f, m)}
	}
	var of keeper.Hash
	if file.offers != nil {
		of = file.offers.Meeting
	} else {
		of = file.prints.Meeting
	}
	if of != meeting || m.Members()[file.Member-1] != file.ID {
		return fmt.Errorf("%w: a file of %s", ErrOther, file.ID)
	}
	if file.offers != nil {
		return accept(m, file.offers)
	}
	if stage, _ := m.Stage(); stage == keeper.AwaitsOffers {
		return &OrderError{view(f, m)}
	}
	return check(m, file.prints)
}

// ownFile accepts this keeper's own file of this ceremony, because the files of all
// members may be in one place. A different file with this keeper's number is refused.
func ownFile(m *keeper.Member, file message) error {
	own := m.Hello()
	h := file.hello
	if h != nil && h.ID == own.ID && h.KeySet == own.KeySet && bytes.Equal(h.Identity, own.Public) && h.Nonce == own.Nonce {
		return nil
	}
	if meeting, err := m.Meeting(); err == nil && file.ID == own.ID &&
		(file.offers != nil && file.offers.Meeting == meeting || file.prints != nil && file.prints.Meeting == meeting) {
		return nil // it contains nothing to take
	}
	return fmt.Errorf("%w: a file of member %d, which is this keeper's number", ErrTwice, file.Member)
}

// meet takes in a hello.
func meet(m *keeper.Member, f *helloFile) error {
	own := m.Hello()
	if f.KeySet != own.KeySet {
		return fmt.Errorf("%w: %s begins key set %d, this keeper %d", ErrSet, f.ID, f.KeySet, own.KeySet)
	}
	draft, err := m.Draft()
	if err != nil {
		return err
	}
	defer draft.Wipe()
	for _, h := range draft.Met {
		if h.Member != f.Member {
			continue
		}
		if h.ID == f.ID && bytes.Equal(h.Public, f.Identity) && h.Nonce == f.Nonce {
			return nil
		}
		return fmt.Errorf("%w: a hello of member %d", ErrTwice, f.Member)
	}
	return m.Meet(f.message())
}

// accept takes in the offers of a file that are for this member.
func accept(m *keeper.Member, f *offersFile) error {
	own := m.Hello()
	if stage, from := m.Stage(); stage != keeper.AwaitsOffers || !slices.Contains(from, f.Member) {
		return nil // taken before, or none of the offers is for this member
	}
	for _, o := range f.Offers {
		if o.To != own.Member {
			continue
		}
		if err := m.Accept(keeper.Offer{KeySet: f.KeySet, Subset: o.Subset, From: f.Member, To: o.To, Sealed: o.Sealed}); err != nil {
			return err
		}
	}
	if stage, from := m.Stage(); stage == keeper.AwaitsOffers && slices.Contains(from, f.Member) {
		return fmt.Errorf("%w: the offers of %s lack one for this keeper", ErrFile, f.ID)
	}
	return nil
}

// check takes in fingerprints.
func check(m *keeper.Member, f *printsFile) error {
	var of []split.Subset
	for _, p := range f.Prints {
		if err := m.Check(keeper.Fingerprint{Member: f.Member, Subset: p.Subset, Sum: p.Sum}); err != nil {
			return fmt.Errorf("%w: %w", ErrDiffer, err)
		}
		of = append(of, p.Subset)
	}
	if !slices.Equal(of, f.shape().SubsetsOf(f.Member)) {
		return fmt.Errorf("%w: the fingerprints of %s are not complete", ErrFile, f.ID)
	}
	return nil
}

// view describes the state of the ceremony.
func view(f *keeper.KeyFile, m *keeper.Member) Where {
	h, ids := m.Hello(), m.Members()
	stage, from := m.Stage()
	w := Where{ID: h.ID, KeySet: h.KeySet, Shape: h.Shape, Member: h.Member, Others: others(h.Member, ids, h.Shape), Sets: f.KeySets()}
	w.Stage = map[keeper.Stage]Stage{keeper.AwaitsHellos: Hellos, keeper.AwaitsOffers: Offers, keeper.AwaitsPrints: Prints, keeper.AwaitsReading: Reading}[stage]
	for _, i := range from {
		w.Waits = append(w.Waits, Party{Member: i, ID: ids[i-1]})
	}
	return w
}

// where describes the state of a saved ceremony, and writes the files that must be
// carried now.
func (d Desk) where(f *keeper.KeyFile, m *keeper.Member) (Where, error) {
	w := view(f, m)
	stage, _ := m.Stage()
	who := Who{ID: w.ID, Member: w.Member, Shape: w.Shape}
	files := []func(*keeper.Member, Who) (string, any, error){writeHello}
	if stage >= keeper.AwaitsOffers {
		files = append(files, writeOffers)
	}
	if stage >= keeper.AwaitsPrints {
		files = append(files, writePrints)
	}
	for _, write := range files {
		what, body, err := write(m, who)
		if errors.Is(err, keeper.ErrKept) {
			continue // the keys are locked: all members have had their offers, or there would be no digits
		}
		if err != nil {
			return Where{}, err
		}
		if body == nil {
			continue
		}
		path, err := d.present(fileOf(w.ID, what, w.KeySet), body)
		if err != nil {
			return Where{}, err
		}
		w.Carry = append(w.Carry, path)
	}
	if stage == keeper.AwaitsReading {
		t, err := m.Transcript()
		if err != nil {
			return Where{}, fmt.Errorf("%w: %w", ErrDiffer, err)
		}
		w.Digits = d.digitsOf(t)
	}
	return w, nil
}

// present writes a file that is to be carried, unless it exists and is whole. Sealed
// share keys differ each time, so a file that was already carried must not be replaced.
func (d Desk) present(name string, body any) (string, error) {
	path := filepath.Join(d.Dir, CarryDir, name)
	if data, err := os.ReadFile(path); err == nil {
		if _, err := parse(data); err == nil {
			return path, nil
		}
	}
	data, err := marshal(body)
	if err != nil {
		return "", err
	}
	return d.carry(name, data)
}

func writeHello(m *keeper.Member, _ Who) (string, any, error) {
	return kindHello, helloOf(m.Hello()), nil
}

// writeOffers makes the offers file; it returns nothing for a member that makes no
// share key.
func writeOffers(m *keeper.Member, w Who) (string, any, error) {
	meeting, err := m.Meeting()
	if err != nil {
		return "", nil, err
	}
	list, err := m.Offer()
	if err != nil || len(list) == 0 {
		return "", nil, err
	}
	f := offersFile{head: headOf(kindOffers, w), KeySet: m.Hello().KeySet, Meeting: meeting}
	for _, o := range list {
		f.Offers = append(f.Offers, offer{Subset: o.Subset, To: o.To, Sealed: o.Sealed})
	}
	return kindOffers, f, nil
}

func writePrints(m *keeper.Member, w Who) (string, any, error) {
	meeting, err := m.Meeting()
	if err != nil {
		return "", nil, err
	}
	list, err := m.Fingerprints()
	if err != nil {
		return "", nil, err
	}
	f := printsFile{head: headOf(kindPrints, w), KeySet: m.Hello().KeySet, Meeting: meeting}
	for _, p := range list {
		f.Prints = append(f.Prints, shown{Subset: p.Subset, Sum: p.Sum})
	}
	return kindPrints, f, nil
}

// Finish takes the key set into use. heard are the digits that another member read
// aloud. The first key set also makes the keeper's ledger.
//
// A crash in here leaves the ceremony as it was, with or without an empty ledger, or a
// keeper that has the key set.
func (d Desk) Finish(ctx context.Context, heard string) (Where, error) {
	return d.inCeremony(func(f *keeper.KeyFile, m *keeper.Member) (Where, error) {
		w, err := d.where(f, m)
		if err != nil {
			return Where{}, err
		}
		if w.Stage != Reading {
			return Where{}, &OrderError{w}
		}
		if !sameDigits(heard, w.Digits) {
			return Where{}, ErrReading
		}
		set, err := m.Done()
		if err != nil {
			return Where{}, err
		}
		if len(w.Sets) == 0 {
			if err := f.MakeLedger(ctx); err != nil {
				return Where{}, err
			}
		}
		if err := f.Add(keeper.NewSet{KeySet: set, Members: m.Members()}); err != nil {
			return Where{}, err
		}
		if err := d.finished(f); err != nil {
			return Where{}, err
		}
		// The files to be carried stay: another member may still need them, and the
		// digits.
		out := quiet(f)
		out.Digits = w.Digits
		return out, nil
	})
}
