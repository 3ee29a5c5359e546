package admintest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// furnish makes rows that a status counts.
func furnish(t *testing.T, w *World) {
	t.Helper()
	_, err := w.Admin.ImportRegistry(t.Context(), w.File(t, Sample(t, 20)), admin.ImportConfig{})
	must(t, err)
	must(t, w.Store.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		err := errors.Join(tx.SaveKeepersSeen(map[string]uint64{"k1": 3, "k2": 9}),
			tx.InsertSealKey(store.SealKey{ID: "sk1", Public: make([]byte, 65), Sealed: []byte("sealed"), MadeAt: Start.Add(-time.Hour), RetireAt: Start.Add(time.Hour), GoneAt: Start.Add(2 * time.Hour)}))
		return audit.Entry{At: Start, Actor: "test", Event: audit.KeeperSeen, Outcome: "ok"}, err
	}))
}

var sealKey = &admin.SealKey{ID: "sk1", MadeAt: Start.Add(-time.Hour), RetireAt: Start.Add(time.Hour)}

// status of a directory without a server.
func status(t *testing.T, w *World, a admin.Administration) {
	empty, err := a.Status(t.Context())
	want := admin.Status{At: Start, Issuer: "https://pin.example.cn", Shape: "2/3", Retention: admin.Retention{Record: 1095}, Policy: edition.State{Since: Start, Layers: []edition.LayerName{}}, Children: registry.Children{Complete: true}, Texts: admin.Texts{Driver: "none"}, Authorities: []admin.AuthorityState{}}
	if diff := cmp.Diff(want, empty); diff != "" || err != nil {
		t.Error("empty:", diff, err)
	}
	furnish(t, w)
	_, err = a.RotateSigningKey(t.Context())
	must(t, err)
	got, err := a.Status(t.Context())
	want.People, want.SealKey = 20, sealKey
	want.Keepers = []admin.KeeperState{{ID: "k1", Sequence: 3}, {ID: "k2", Sequence: 9}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error("furnished:", diff, err)
	}
}

// servedStatus includes the running server: its own state, and sequence numbers
// of keepers that are newer than the saved ones.
func servedStatus(t *testing.T, w *World, a admin.Administration) {
	furnish(t, w)
	keys, err := vault.At(w.KeyFile).SigningKeys()
	must(t, err)
	told := Start
	want := admin.Status{At: Start, Issuer: "https://pin.example.cn", Shape: "2/3", Retention: admin.Retention{Record: 1095}, Policy: edition.State{Since: Start, Layers: []edition.LayerName{}}, Children: registry.Children{Complete: true}, People: 20, SealKey: sealKey,
		Serving: &admin.Serving{Since: Start.Add(-time.Hour), Ready: true, Signs: keys[0].ID, Keys: []string{keys[0].ID},
			Guesses: admin.Guesses{Decided: 90, Wrong: 70, Slowed: 12, Alarms: []admin.SprayAlarm{{Kind: "value_sprayed", At: Start, Channel: "app", Wrong: 61}}},
			Codes:   []admin.ChannelCodes{{Channel: "app", Hour: 300, HourMost: 300, Day: 300, DayMost: 2000, Spent: true, Judged: 90, Returned: 4, Unreturned: true}},
			Rations: admin.Rations{High: []admin.RationUse{{Client: "mohrss", Kind: "registry", Act: "cancellation", Hour: 50, Day: 60,
				OfHour: 50, OfDay: 200, Refused: 7, Alarm: &told}},
				Totals: []admin.RationTotal{{Act: "cancellation", Hour: 52, Day: 63, Refused: 7}}}},
		Authorities: []admin.AuthorityState{},
		Keepers:     []admin.KeeperState{{ID: "k1", Sequence: 7}, {ID: "k2", Sequence: 9}},
		Texts: admin.Texts{Driver: "none", Behind: true,
			Codes:   admin.TextQueue{Since: &admin.TextCounts{}},
			Notices: admin.TextQueue{Waiting: 2, Overdue: 1, Oldest: 90, Dead: 3, Since: &admin.TextCounts{Sent: 4, Late: 1, Retried: 2, Delivered: 3, Dead: 1}}},
	}
	got, err := a.Status(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error("ready:", diff, err)
	}
	w.Server.Ail(errors.New("two of three keepers are silent"))
	want.Serving.Ready, want.Serving.Why = false, "two of three keepers are silent"
	got, err = a.Status(t.Context())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error("not ready:", diff, err)
	}
}

// signingKeys change for a server that starts later.
func signingKeys(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	first := signing(t, w)
	made, err := a.RotateSigningKey(ctx)
	if want := (admin.RotatedKey{KID: signing(t, w)}); made != want || err != nil || made.KID == first {
		t.Errorf("rotated: %+v, %v, want %+v", made, err, want)
	}
	refusedKeys(t, w, a)
	dropped, err := a.DropSigningKey(ctx, first) // no digest was made yet
	if dropped != (admin.DroppedKey{}) || err != nil {
		t.Errorf("dropped: %+v, %v", dropped, err)
	}
	left, err := vault.At(w.KeyFile).SigningKeys()
	if len(left) != 1 || left[0].ID != made.KID || err != nil {
		t.Errorf("left %+v, %v", left, err)
	}
	for range 20 {
		if _, err = a.RotateSigningKey(ctx); err != nil {
			break
		}
	}
	if err == nil || err.Error() != vault.ErrSigningKeys.Error() {
		t.Errorf("too many keys: %v", err)
	}
}

// servedKeys: a server signs with the key that it has read, and publishes it,
// until it is started again.
func servedKeys(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	first := signing(t, w)
	made, err := a.RotateSigningKey(ctx)
	if want := (admin.RotatedKey{KID: signing(t, w), Restart: true}); made != want || err != nil {
		t.Errorf("rotated: %+v, %v, want %+v", made, err, want)
	}
	s, err := a.Status(ctx)
	if !s.Restart || s.Serving.Signs != first || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := a.DropSigningKey(ctx, first); !errors.Is(err, admin.ErrKeyInUse) || err.Error() != admin.ErrKeyInUse.Error() {
		t.Errorf("the key that the server signs with: %v", err)
	}
	refusedKeys(t, w, a)
	// A key that no server has read is dropped without a warning.
	again, err := a.RotateSigningKey(ctx)
	must(t, err)
	dropped, err := a.DropSigningKey(ctx, made.KID)
	if dropped != (admin.DroppedKey{}) || err != nil || signing(t, w) != again.KID {
		t.Errorf("dropped: %+v, %v", dropped, err)
	}
}

func refusedKeys(t *testing.T, w *World, a admin.Administration) {
	t.Helper()
	before, err := vault.At(w.KeyFile).SigningKeys()
	must(t, err)
	if _, err := a.DropSigningKey(t.Context(), signing(t, w)); !errors.Is(err, vault.ErrKeySigns) {
		t.Errorf("the key that signs: %v", err)
	}
	for _, kid := range []string{"nothing", "", "../x"} {
		if _, err := a.DropSigningKey(t.Context(), kid); !errors.Is(err, vault.ErrNoSuchKey) {
			t.Errorf("%q: %v", kid, err)
		}
	}
	after, err := vault.At(w.KeyFile).SigningKeys()
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Error("a refusal changed something:", diff, err)
	}
}

// signing is the kid of the key file's signing key.
func signing(t *testing.T, w *World) string {
	t.Helper()
	keys, err := vault.At(w.KeyFile).SigningKeys()
	must(t, err)
	for _, k := range keys {
		if k.State == vault.KeySigning {
			return k.ID
		}
	}
	t.Fatal("no key signs")
	return ""
}
