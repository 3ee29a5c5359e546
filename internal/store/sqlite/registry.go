package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

const personColumns = "holder, card_no, sealed, region, physical, replaced_by, updated_at"

func scanPerson(r *row) store.Person {
	var p store.Person
	r.fixed(p.Holder[:])
	r.fixed(p.CardNo[:])
	p.Sealed = r.bytes()
	p.Region = liuma.Region(r.text())
	p.Physical = liuma.PhysicalStatus(r.text())
	r.fixed(p.ReplacedBy[:])
	p.UpdatedAt = r.time()
	return p
}

func (r *reader) Person(h vault.Index) (store.Person, error) {
	return one(r, scanPerson, "SELECT "+personColumns+" FROM persons WHERE holder = ?", h[:])
}

func (r *reader) CountPersons() (int64, error) { return r.count("SELECT count(*) FROM persons") }

func (t *tx) UpsertPerson(p store.Person) error {
	return t.insert(`INSERT INTO persons (`+personColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (holder) DO UPDATE SET card_no = excluded.card_no, sealed = excluded.sealed,
		region = excluded.region, physical = excluded.physical, replaced_by = excluded.replaced_by,
		updated_at = excluded.updated_at`,
		p.Holder[:], fixed(p.CardNo[:]), blob(p.Sealed), string(p.Region), string(p.Physical),
		fixed(p.ReplacedBy[:]), milli(p.UpdatedAt))
}

const clientColumns = "id, kind, name_zh, name_en, keys, regions, actions, redirect_uris, stand_in, stopped, at"

func scanClient(r *row) store.Client {
	var c store.Client
	c.ID = r.text()
	c.Kind = store.ClientKind(r.text())
	c.Name.ZH = r.text()
	c.Name.EN = r.text()
	c.Keys = r.bytes()
	if json.Unmarshal([]byte(r.text()), &c.Regions) != nil {
		r.fail("is not a list of regions")
	}
	if json.Unmarshal([]byte(r.text()), &c.Actions) != nil {
		r.fail("is not a list of actions")
	}
	if json.Unmarshal([]byte(r.text()), &c.RedirectURIs) != nil {
		r.fail("is not a list of redirect URIs")
	}
	c.StandIn = r.bool()
	c.Stopped = r.bool()
	c.At = r.time()
	return c
}

// clientValues binds all columns but the key. The lists are strings, so
// marshalling them cannot fail.
func clientValues(c store.Client) ([]driver.Value, error) {
	regions, err := json.Marshal(c.Regions)
	if err != nil {
		return nil, err
	}
	actions, err := json.Marshal(c.Actions)
	if err != nil {
		return nil, err
	}
	redirects, err := json.Marshal(c.RedirectURIs)
	if err != nil {
		return nil, err
	}
	return []driver.Value{string(c.Kind), c.Name.ZH, c.Name.EN, blob(c.Keys), string(regions), string(actions), string(redirects),
		flag(c.StandIn), flag(c.Stopped), milli(c.At)}, nil
}

func (r *reader) Client(id string) (store.Client, error) {
	return one(r, scanClient, "SELECT "+clientColumns+" FROM clients WHERE id = ?", id)
}

func (r *reader) Clients() ([]store.Client, error) {
	return list(r, scanClient, "SELECT "+clientColumns+" FROM clients ORDER BY id")
}

func (t *tx) InsertClient(c store.Client) error {
	vals, err := clientValues(c)
	if err != nil {
		return err
	}
	return t.insert("INSERT INTO clients ("+clientColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		append([]driver.Value{c.ID}, vals...)...)
}

func (t *tx) UpdateClient(c store.Client) error {
	vals, err := clientValues(c)
	if err != nil {
		return err
	}
	return t.change(`UPDATE clients SET kind = ?, name_zh = ?, name_en = ?, keys = ?, regions = ?, actions = ?,
		redirect_uris = ?, stand_in = ?, stopped = ?, at = ? WHERE id = ?`, append(vals, c.ID)...)
}

func (t *tx) InsertEvidence(provider string, jti vault.Index, until time.Time) error {
	return t.insert("INSERT INTO evidence (provider, jti, until) VALUES (?, ?, ?)", provider, jti[:], until.UnixMilli())
}

func (t *tx) PruneEvidence(now time.Time) (int64, error) {
	return t.write("DELETE FROM evidence WHERE until < ?", now.UnixMilli())
}
