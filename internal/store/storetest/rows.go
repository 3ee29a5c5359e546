package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

func cards(t *testing.T, open Open) {
	s, reopen := open(t)
	full, bare := card(1), bareCard(2)
	mustUpdate(t, s, func(tx store.Tx) error {
		if err := tx.InsertCard(full); err != nil {
			return err
		}
		return tx.InsertCard(bare)
	})
	for range 2 { // before and after opening again
		same(t, mustGet(t, s, getCard(full.ID)), full)
		same(t, mustGet(t, s, getCard(bare.ID)), bare)
		byHolder := mustGet(t, s, func(r store.Reader) (store.Card, error) { return r.CardByHolder(bare.Holder) })
		same(t, byHolder, bare)
		if n := mustGet(t, s, store.Reader.CountCards); n != 2 {
			t.Errorf("%d cards, want 2", n)
		}
		s = reopen()
	}
	second := card(3)
	second.Holder = full.Holder
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertCard(second) }), store.ErrExists)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertCard(full) }), store.ErrExists)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateCard(card(9)) }), store.ErrNotFound)

	// Every member changes, each into something else than zero and back.
	changed := card(1)
	changed.Holder, changed.Contested, changed.Region = index("holder", 77), false, ""
	changed.Version, changed.KeySet, changed.Verifier, changed.Reserved = 8, 2, liuma.Verifier{}, 9
	changed.PINSetAt, changed.Physical, changed.Frozen = at(50), liuma.PhysicalNormal, false
	changed.FrozenAt, changed.CreatedAt = time.Time{}, at(51)
	changed.ReportedAt, changed.ReportedUntil = time.Time{}, at(60)
	changed.Tally.Reset()
	mustUpdate(t, s, func(tx store.Tx) error { return rewrite(tx, changed) })
	same(t, mustGet(t, s, getCard(full.ID)), changed)
	taken := changed
	taken.Holder = bare.Holder
	wantErr(t, update(t, s, func(tx store.Tx) error { return rewrite(tx, taken) }), store.ErrExists)
	same(t, mustGet(t, s, getCard(full.ID)), changed)
	cardsAre(t, s, changed, bare)
}

// cardsAre expects exactly the given cards.
func cardsAre(t *testing.T, s store.Store, want ...store.Card) {
	t.Helper()
	for _, c := range want {
		same(t, mustGet(t, s, getCard(c.ID)), c)
	}
	if n := mustGet(t, s, store.Reader.CountCards); int(n) != len(want) {
		t.Errorf("%d cards, want %d", n, len(want))
	}
}

func link(i int) store.Link {
	return store.Link{Channel: "z", Card: cardID(1), Handle: store.Handle(fmt.Sprintf("z%d", i)), At: at(i),
		Proved: 1<<32 - 1, ProvedAt: at(9), Evidenced: 4, Wrong: 11}
}

func getLink(ch liuma.ChannelID, h store.Handle) func(store.Reader) (store.Link, error) {
	return func(r store.Reader) (store.Link, error) { return r.LinkByHandle(ch, h) }
}

func getLinks(id liuma.CardID) func(store.Reader) ([]store.Link, error) {
	return func(r store.Reader) ([]store.Link, error) { return r.Links(id) }
}

// links checks that a card may have many links, several in one channel.
func links(t *testing.T, open Open) {
	s, reopen := twoCards(t, open)
	older, twin, younger := link(1), link(1), link(2)
	twin.Handle = "z1-too"
	whole(t, older)
	elsewhere := store.Link{Channel: "a", Card: cardID(1), Handle: older.Handle, At: at(3)} // same handle, another channel
	bare := store.Link{Channel: "a", Card: cardID(2), Handle: "bare"}
	put := func(l store.Link) error { return update(t, s, func(tx store.Tx) error { return tx.PutLink(l) }) }
	remove := func(l store.Link) error {
		return update(t, s, func(tx store.Tx) error { return tx.DeleteLink(l.Channel, l.Handle) })
	}
	for _, l := range []store.Link{younger, twin, elsewhere, bare, older} {
		must(t, put(l))
	}
	s = reopen()
	same(t, mustGet(t, s, getLinks(cardID(1))), []store.Link{older, twin, younger, elsewhere})
	same(t, mustGet(t, s, getLink("a", older.Handle)), elsewhere)
	same(t, mustGet(t, s, getLink("a", bare.Handle)), bare)
	if n := len(mustGet(t, s, getLinks(cardID(3)))); n != 0 {
		t.Errorf("%d links of a card that is not there", n)
	}

	older.Wrong, older.Proved, older.ProvedAt, older.Evidenced = 0, 0, time.Time{}, 0
	must(t, put(older))
	same(t, mustGet(t, s, getLink("z", older.Handle)), older)
	same(t, mustGet(t, s, getLink("z", twin.Handle)), twin)
	stolen := older
	stolen.Card = cardID(2)
	wantErr(t, put(stolen), store.ErrExists)
	same(t, mustGet(t, s, getLink("z", older.Handle)), older)
	wantErr(t, put(store.Link{Channel: "a", Card: cardID(3), Handle: "nobody's"}), store.ErrNotFound)

	must(t, remove(older))
	wantErr(t, remove(older), store.ErrNotFound)
	_, err := get(t, s, getLink("z", older.Handle))
	wantErr(t, err, store.ErrNotFound)
	same(t, mustGet(t, s, getLinks(cardID(1))), []store.Link{twin, younger, elsewhere})
	stolen.Handle = older.Handle
	must(t, put(stolen)) // the handle is free again
}

func getRequest(q store.Request) func(store.Reader) (store.Request, error) {
	return func(r store.Reader) (store.Request, error) { return r.Request(q.Channel, q.BusinessNo) }
}

// requestCeremony checks that the ceremony of a request stays as inserted.
func requestCeremony(t *testing.T, open Open) {
	s, reopen := open(t)
	q := request(1)
	q.Ceremony, q.Verdict, q.Code, q.TriesLeft, q.Until = ceremonyID(1), liuma.Right, liuma.CodeWrong, 3, at(7)
	q.Evidence, q.ReceiptID, q.DecidedAt, q.RedeemedAt, q.Handle = "face", "r1", at(8), at(9), "z1"
	q.Browser, q.ResetAt, q.Alone, q.PINAge, q.PhoneAge = [32]byte{1}, at(10), true, 40, 3
	q.Decided = true
	whole(t, q)
	later := request(2)
	later.Ceremony = ceremonyID(2)
	mustUpdate(t, s, func(tx store.Tx) error {
		if err := tx.InsertRequest(q); err != nil {
			return err
		}
		return tx.InsertRequest(later)
	})
	s = reopen()
	same(t, mustGet(t, s, getRequest(q)), q)
	other := later
	other.Ceremony, other.Decided, other.Verdict = ceremonyID(1), true, liuma.Wrong
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateRequest(other) })
	later.Decided, later.Verdict = true, liuma.Wrong
	same(t, mustGet(t, s, getRequest(later)), later)
}

func requests(t *testing.T, open Open) {
	s, _ := open(t)
	q := request(1)
	bare := store.Request{Channel: "zj-hrss", BusinessNo: "bare"}
	mustUpdate(t, s, func(tx store.Tx) error {
		if err := tx.InsertRequest(bare); err != nil {
			return err
		}
		return tx.InsertRequest(q)
	})
	same(t, mustGet(t, s, getRequest(q)), q)
	same(t, mustGet(t, s, getRequest(bare)), bare)

	change := func(q store.Request) error {
		return update(t, s, func(tx store.Tx) error { return tx.UpdateRequest(q) })
	}
	q.Decided, q.Verdict, q.Code, q.TriesLeft, q.Until = true, liuma.Wrong, liuma.CodeWrong, -1, at(7)
	q.Evidence, q.ReceiptID, q.DecidedAt, q.Version, q.Card = "face", "r1", at(8), 4, cardID(2)
	must(t, change(q))
	same(t, mustGet(t, s, getRequest(q)), q)

	// Decided: only RedeemedAt and Handle may be set, and once.
	for name, touch := range map[string]func(*store.Request){
		"decided": func(q *store.Request) { q.Decided = false },
		"verdict": func(q *store.Request) { q.Verdict = liuma.Right },
		"code":    func(q *store.Request) { q.Code = "" },
		"tries":   func(q *store.Request) { q.TriesLeft = 5 },
		"until":   func(q *store.Request) { q.Until = time.Time{} },
		"card":    func(q *store.Request) { q.Card = liuma.CardID{} },
		"version": func(q *store.Request) { q.Version++ },
		"digest":  func(q *store.Request) { q.Digest[5]++ },
		"purpose": func(q *store.Request) { q.Purpose[5]++ },
		"receipt": func(q *store.Request) { q.ReceiptID = "r2" },
		"time":    func(q *store.Request) { q.DecidedAt = at(9) },
	} {
		other := q
		touch(&other)
		if err := change(other); !isDecided(err) {
			t.Errorf("decided request, %s changed: error %v, want %v", name, err, store.ErrDecided)
		}
	}
	same(t, mustGet(t, s, getRequest(q)), q)
	requestsReset(t, s)
	q.RedeemedAt, q.Handle = at(10), "z1"
	must(t, change(q))
	must(t, change(q)) // the same change again changes nothing
	again := q
	again.Handle = "z2"
	wantErr(t, change(again), store.ErrDecided)
	again.Handle = ""
	wantErr(t, change(again), store.ErrDecided)
	again = q
	again.RedeemedAt = at(11)
	wantErr(t, change(again), store.ErrDecided)
	again.RedeemedAt = time.Time{}
	wantErr(t, change(again), store.ErrDecided)
	same(t, mustGet(t, s, getRequest(q)), q)
	wantErr(t, change(request(5)), store.ErrNotFound)
}

func getIntent(id liuma.CardID) func(store.Reader) (store.Intent, error) {
	return func(r store.Reader) (store.Intent, error) { return r.Intent(id) }
}

func intents(t *testing.T, open Open) {
	s, _ := open(t)
	one, three := intent(1), intent(3)
	two := store.Intent{Card: cardID(2)}
	mustUpdate(t, s, func(tx store.Tx) error {
		for _, i := range []store.Intent{three, one, two} {
			if err := tx.InsertIntent(i); err != nil {
				return err
			}
		}
		return nil
	})
	same(t, mustGet(t, s, getIntent(one.Card)), one)
	same(t, mustGet(t, s, getIntent(two.Card)), two)
	page := func(after liuma.CardID, limit int) []store.Intent {
		return mustGet(t, s, func(r store.Reader) ([]store.Intent, error) { return r.Intents(after, limit) })
	}
	same(t, page(liuma.CardID{}, 10), []store.Intent{one, two, three})
	same(t, page(one.Card, 1), []store.Intent{two})
	same(t, page(three.Card, 10), nil)

	one.State, one.Verifier, one.Owner, one.Lease = store.IntentCommitting, liuma.Verifier{1}, "p2", at(60)
	one.From, one.Version, one.KeySet = 5, 6, 7
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateIntent(one) })
	same(t, mustGet(t, s, getIntent(one.Card)), one)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteIntent(one.Card) })
	_, err := get(t, s, getIntent(one.Card))
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteIntent(one.Card) }), store.ErrNotFound)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateIntent(one) }), store.ErrNotFound)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertIntent(one) }) // the first has ended, so another may open
}

func persons(t *testing.T, open Open) {
	s, _ := open(t)
	p := store.Person{Holder: index("holder", 1), CardNo: index("no", 1), Sealed: []byte("sealed"), Region: "33",
		Physical: liuma.PhysicalNormal, ReplacedBy: index("no", 9), UpdatedAt: at(1)}
	bare := store.Person{Holder: index("holder", 2)}
	upsert := func(p store.Person) error {
		return update(t, s, func(tx store.Tx) error { return tx.UpsertPerson(p) })
	}
	byHolder := func(r store.Reader) (store.Person, error) { return r.Person(p.Holder) }
	must(t, upsert(p))
	must(t, upsert(bare))
	must(t, upsert(store.Person{Holder: index("holder", 3)})) // a second one without a card number
	same(t, mustGet(t, s, byHolder), p)
	same(t, mustGet(t, s, func(r store.Reader) (store.Person, error) { return r.Person(bare.Holder) }), bare)
	if n := mustGet(t, s, store.Reader.CountPersons); n != 1 { // the others are nobody
		t.Errorf("%d persons, want 1", n)
	}
	old := p.CardNo
	p.CardNo, p.Sealed, p.Region, p.Physical = index("no", 2), []byte("new"), "3305", liuma.PhysicalCancelled
	p.ReplacedBy, p.UpdatedAt = vault.Index{}, at(2)
	must(t, upsert(p))
	same(t, mustGet(t, s, byHolder), p)
	bare.CardNo = p.CardNo
	wantErr(t, upsert(bare), store.ErrExists)
	bare.CardNo = old // free again
	must(t, upsert(bare))
	insert := func(p store.Person) error {
		return update(t, s, func(tx store.Tx) error { return tx.InsertPerson(p) })
	}
	wantErr(t, insert(store.Person{Holder: p.Holder, Died: true}), store.ErrExists)
	wantErr(t, insert(store.Person{Holder: index("holder", 4), CardNo: old}), store.ErrExists)
	same(t, mustGet(t, s, byHolder), p)
	late := store.Person{Holder: index("holder", 5), CardNo: index("no", 5), Died: true, UpdatedAt: at(3)}
	must(t, insert(late))
	same(t, mustGet(t, s, func(r store.Reader) (store.Person, error) { return r.Person(late.Holder) }), late)
}

func clients(t *testing.T, open Open) {
	s, _ := open(t)
	c := store.Client{ID: "zj-hrss", Kind: store.ClientChannel, Name: liuma.Text{ZH: "浙里办", EN: "Zheliban"},
		Keys: []byte(`{"keys":[]}`), Regions: []liuma.Region{"", "33", "3305"}, Actions: liuma.Actions(),
		RedirectURIs: []string{"https://a.example/back?x=%20", "http://127.0.0.1:1/回"}, At: at(1)}
	bare := store.Client{ID: "a"}
	getClient := func(id string) func(store.Reader) (store.Client, error) {
		return func(r store.Reader) (store.Client, error) { return r.Client(id) }
	}
	mustUpdate(t, s, func(tx store.Tx) error {
		if err := tx.InsertClient(c); err != nil {
			return err
		}
		return tx.InsertClient(bare)
	})
	same(t, mustGet(t, s, getClient(c.ID)), c)
	same(t, mustGet(t, s, store.Reader.Clients), []store.Client{bare, c})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertClient(store.Client{ID: c.ID}) }), store.ErrExists)

	c.Kind, c.Name, c.Keys, c.Regions = store.ClientProvider, liuma.Text{ZH: "公安"}, []byte("{}"), []liuma.Region{""}
	c.Actions, c.RedirectURIs, c.StandIn, c.Stopped, c.At = nil, []string{"https://b.example/"}, true, true, at(2)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateClient(c) })
	same(t, mustGet(t, s, getClient(c.ID)), c)
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateClient(store.Client{ID: "b"}) }), store.ErrNotFound)
}

func evidence(t *testing.T, open Open) {
	s, _ := open(t)
	used := func(provider string, i int) bool { return evidenceUsed(t, s, provider, index("jti", i)) }
	insert := func(provider string, i, until int) error {
		return update(t, s, func(tx store.Tx) error {
			return tx.InsertEvidence(provider, index("jti", i), at(until))
		})
	}
	must(t, insert("p", 1, 10))
	must(t, insert("p", 2, 20))
	must(t, insert("q", 1, 30)) // another provider may use the same jti
	wantErr(t, insert("p", 1, 99), store.ErrExists)
	if !used("p", 1) || used("p", 3) || used("q", 2) {
		t.Error("used evidence is not told from unused")
	}
	prune := func(now int) (n int64) {
		mustUpdate(t, s, func(tx store.Tx) (err error) {
			n, err = tx.PruneEvidence(at(now))
			return err
		})
		return n
	}
	if n := prune(10); n != 0 || !used("p", 1) {
		t.Errorf("pruned %d rows that may still pass", n)
	}
	if n := prune(21); n != 2 || used("p", 1) || used("p", 2) || !used("q", 1) {
		t.Errorf("pruned %d rows, want the two that are past", n)
	}
}

func sealKeys(t *testing.T, open Open) {
	s, reopen := open(t)
	key := func(id string, made int) store.SealKey {
		return store.SealKey{ID: id, Public: []byte{4, 1}, Sealed: []byte{0, 9}, MadeAt: at(made),
			RetireAt: at(made + 10), GoneAt: at(made + 20)}
	}
	a, b, c := key("a", 2), key("b", 3), key("c", 1)
	mustUpdate(t, s, func(tx store.Tx) error {
		for _, k := range []store.SealKey{a, b, c} {
			if err := tx.InsertSealKey(k); err != nil {
				return err
			}
		}
		return nil
	})
	same(t, mustGet(t, s, store.Reader.SealKeys), []store.SealKey{b, a, c})
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.InsertSealKey(key("a", 9)) }), store.ErrExists)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.DeleteSealKey("a") })
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.DeleteSealKey("a") }), store.ErrNotFound)
	c.Wraps = []vault.Wrap{{To: []byte{4, 2}, Given: []byte{1, 2, 3}}, {To: []byte{4, 3}}}
	mustUpdate(t, s, func(tx store.Tx) error { return tx.UpdateSealKey(c) })
	wantErr(t, update(t, s, func(tx store.Tx) error { return tx.UpdateSealKey(a) }), store.ErrNotFound)
	same(t, mustGet(t, reopen(), store.Reader.SealKeys), []store.SealKey{b, c})
}

func keepersSeen(t *testing.T, open Open) {
	s, _ := open(t)
	save := func(seen map[string]uint64) error {
		return update(t, s, func(tx store.Tx) error { return tx.SaveKeepersSeen(seen) })
	}
	same(t, mustGet(t, s, store.Reader.KeepersSeen), nil)
	must(t, save(map[string]uint64{"k1": 5, "k2": 1 << 62}))
	must(t, save(map[string]uint64{"k1": 4, "k3": 1}))
	same(t, mustGet(t, s, store.Reader.KeepersSeen), map[string]uint64{"k1": 5, "k2": 1 << 62, "k3": 1})
	must(t, save(map[string]uint64{"k1": 6}))
	same(t, mustGet(t, s, store.Reader.KeepersSeen), map[string]uint64{"k1": 6, "k2": 1 << 62, "k3": 1})
	if save(map[string]uint64{"k1": 1 << 63}) == nil {
		t.Error("a sequence that cannot be compared was kept")
	}
}

// savedClock: the time is kept without an entry, never falls, and goes with the
// transaction that it is saved in.
func savedClock(t *testing.T, open Open) {
	s, reopen := open(t)
	_, err := get(t, s, store.Reader.Clock)
	wantErr(t, err, store.ErrNotFound)
	save := func(c clock.State, fail error) error {
		return s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) { return audit.Entry{}, errors.Join(tx.SaveClock(c), fail) })
	}
	first := clock.State{High: at(5), Boot: 7, BootID: "one"}
	before := mustGet(t, s, Record)
	must(t, save(first, nil))
	must(t, save(clock.State{High: at(4), Boot: 9, BootID: "two"}, nil))
	wantErr(t, save(clock.State{High: at(6)}, store.ErrConflict), store.ErrConflict)
	same(t, mustGet(t, s, store.Reader.Clock), first)
	later := clock.State{High: at(5), Boot: 1, BootID: "two"} // another start of the machine, at the same time
	must(t, save(later, nil))
	same(t, mustGet(t, s, Record), before)
	wantErr(t, s.Update(t.Context(), func(tx store.Tx) (audit.Entry, error) {
		return audit.Entry{}, errors.Join(tx.SaveClock(later), tx.SaveKeepersSeen(map[string]uint64{"k1": 1}))
	}), store.ErrNoAudit)
	same(t, mustGet(t, reopen(), store.Reader.Clock), later)
}

// evidenceUsed finds out by trying to use the evidence, in an Update that keeps
// nothing.
func evidenceUsed(t testing.TB, s store.Store, provider string, jti vault.Index) bool {
	t.Helper()
	keepNothing := errors.New("keep nothing")
	err := update(t, s, func(tx store.Tx) error {
		if err := tx.InsertEvidence(provider, jti, at(0)); err != nil {
			return err
		}
		return keepNothing
	})
	if !errors.Is(err, keepNothing) && !errors.Is(err, store.ErrExists) {
		t.Fatal(err)
	}
	return errors.Is(err, store.ErrExists)
}

// empty makes every kind of read on an empty store.
func empty(t *testing.T, open Open) {
	s, _ := open(t)
	err := s.View(t.Context(), func(r store.Reader) error {
		_, card := r.Card(cardID(1))
		_, byHolder := r.CardByHolder(index("holder", 1))
		_, byHandle := r.LinkByHandle("a", "h")
		_, request := r.Request("a", "b")
		_, intent := r.Intent(cardID(1))
		_, person := r.Person(index("holder", 1))
		_, client := r.Client("a")
		_, ceremony := r.Ceremony("a")
		_, byURI := r.CeremonyByRequestURI(vault.Home{}, hash("uri", 1))
		_, byCode := r.CeremonyByCode(vault.Home{}, hash("code", 1))
		_, contact := r.Contact(cardID(1))
		_, code := r.Code("a")
		_, freeze := r.FreezeCode(vault.MAC{1})
		_, message := r.Message("a")
		_, byRef := r.MessageByRef("a")
		for i, err := range []error{card, byHolder, byHandle, request, intent, person, client, ceremony,
			byURI, byCode, contact, code, freeze, message, byRef} {
			if err != store.ErrNotFound { //nolint:errorlint // the contract says this error itself
				t.Errorf("look-up %d: %v, want %v", i, err, store.ErrNotFound)
			}
		}
		cards, err1 := r.CountCards()
		persons, err2 := r.CountPersons()
		if cards != 0 || persons != 0 || err1 != nil || err2 != nil {
			t.Errorf("counts %d, %d (%v, %v)", cards, persons, err1, err2)
		}
		return nil
	})
	must(t, err)
	same(t, entries(t, s), nil)
}

// times checks how times are stored that are not whole UTC milliseconds, and
// the time that a database could take for none.
func times(t *testing.T, open Open) {
	s, _ := open(t)
	c := bareCard(1)
	c.PINSetAt = at(1).Add(999 * time.Microsecond).In(time.FixedZone("CST", 8*3600))
	c.FrozenAt = time.UnixMilli(0)
	c.CreatedAt = time.Date(1949, 10, 1, 15, 0, 0, 0, time.UTC)
	mustUpdate(t, s, func(tx store.Tx) error { return tx.InsertCard(c) })
	got := mustGet(t, s, getCard(c.ID))
	if !got.PINSetAt.Equal(at(1)) || got.PINSetAt.Location() != time.UTC {
		t.Errorf("time %v, want %v", got.PINSetAt, at(1))
	}
	if got.FrozenAt.IsZero() || got.FrozenAt.UnixMilli() != 0 {
		t.Errorf("the first millisecond of 1970 came back as %v", got.FrozenAt)
	}
	same(t, got.CreatedAt, c.CreatedAt)
	last := entries(t, s)
	if e := last[len(last)-1]; e.Event != audit.CardEnrolled || !e.At.Equal(at(0)) {
		t.Errorf("entry %+v", e)
	}
}
