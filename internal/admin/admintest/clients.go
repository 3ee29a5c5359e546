package admintest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// clients are registered, changed and listed, each change with its entry.
func clients(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	c, second := Channel(t, "zj"), Pair(t).Public
	strict := Channel(t, "strict")
	strict.StrictAudience = true
	for _, step := range []struct {
		note string
		do   func() error
	}{
		{"channel added id=zj", func() error { return a.AddClient(ctx, c) }},
		{"channel stopped id=zj", func() error { return a.StopClient(ctx, store.ClientChannel, "zj") }},
		{"channel resumed id=zj", func() error { return a.ResumeClient(ctx, store.ClientChannel, "zj") }},
		{"channel audience_strict id=zj", func() error { return a.SetAudience(ctx, "zj", true) }},
		{"channel audience_any id=zj", func() error { return a.SetAudience(ctx, "zj", false) }},
		{"channel added id=strict", func() error {
			return a.AddClient(ctx, strict)
		}},
		{"channel key_added id=zj", func() error { return a.AddClientKey(ctx, store.ClientChannel, "zj", second) }},
		{"channel key_removed id=zj", func() error { return a.RemoveClientKey(ctx, store.ClientChannel, "zj", c.Key.KeyID) }},
		{"provider added id=face", func() error {
			return a.AddClient(ctx, admin.Client{ID: "face", Kind: store.ClientProvider, Name: c.Name, Key: c.Key, StandIn: true})
		}},
		{"registry added id=cards", func() error {
			return a.AddClient(ctx, admin.Client{ID: "cards", Kind: store.ClientRegistry, Name: c.Name, Key: c.Key})
		}},
		{"hotline added id=h12333", func() error {
			return a.AddClient(ctx, admin.Client{ID: "h12333", Kind: store.ClientHotline, Name: c.Name, Key: c.Key})
		}},
		{"hotline stopped id=h12333", func() error { return a.StopClient(ctx, store.ClientHotline, "h12333") }},
	} {
		before := w.Entries(t)
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.note, err)
		}
		want := audit.Entry{At: Start, Actor: admin.Actor, Event: audit.ChannelRegistered, Outcome: "ok", Note: step.note}
		if strings.HasPrefix(step.note, "provider") {
			want.Event = audit.ProviderRegistered
		}
		if diff := cmp.Diff(append(before, want), w.Entries(t)); diff != "" {
			t.Errorf("%s: the record: %s", step.note, diff)
		}
	}
	for kind, want := range map[store.ClientKind]string{
		store.ClientChannel: fmt.Sprint("strict {浙江人社 <Zhejiang> & co} [33] [verify] false false true [", strict.Key.KeyID, "]",
			"zj {浙江人社 <Zhejiang> & co} [33] [verify] false false false [", second.KeyID, "]"),
		store.ClientHotline:  fmt.Sprint("h12333 {浙江人社 <Zhejiang> & co} [] [] true false false [", c.Key.KeyID, "]"),
		store.ClientProvider: fmt.Sprint("face {浙江人社 <Zhejiang> & co} [] [] false true false [", c.Key.KeyID, "]"),
		"no such kind":       "",
	} {
		list, err := a.Clients(ctx, kind)
		got := ""
		for _, c := range list {
			kids, err := admin.KeyIDs(c)
			must(t, err)
			got += fmt.Sprint(c.ID, " ", c.Name, " ", c.Regions, " ", c.Actions, " ", c.Stopped, " ", c.StandIn, " ", c.StrictAudience, " ", kids)
			if !c.At.Equal(Start) || c.Kind != kind {
				t.Errorf("%s: a %s registered at %v", c.ID, c.Kind, c.At)
			}
		}
		if got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", kind, got, err, want)
		}
	}
}

// refusedClients change nothing, leave no entry, and say why in the same words.
func refusedClients(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	const kind = store.ClientChannel
	first := Channel(t, "zj")
	must(t, a.AddClient(ctx, first))
	before := w.Entries(t)
	spoiled := func(spoil func(*admin.Client)) error {
		c := Channel(t, "other")
		spoil(&c)
		return a.AddClient(ctx, c)
	}
	sameKID := Pair(t).Public
	sameKID.KeyID = first.Key.KeyID
	for name, tt := range map[string]struct {
		got  error
		want error
		says string
	}{
		"id taken":                 {a.AddClient(ctx, Channel(t, "zj")), admin.ErrTaken, "identifier is taken: zj is a channel"},
		"id taken by another kind": {spoiled(func(c *admin.Client) { c.ID = "zj" }), admin.ErrTaken, "identifier is taken: zj is a channel"},
		"bad id":                   {spoiled(func(c *admin.Client) { c.ID = "Zj" }), admin.ErrClient, `party is not filled in: identifier "Zj": want 1 to 40 of a-z, 0-9 and inner hyphens`},
		"no Chinese name":          {spoiled(func(c *admin.Client) { c.Name.ZH = "" }), admin.ErrClient, "party is not filled in: want a name in both languages, 1 to 40 characters that can be shown"},
		"no English name":          {spoiled(func(c *admin.Client) { c.Name.EN = "" }), admin.ErrClient, "party is not filled in: want a name in both languages, 1 to 40 characters that can be shown"},
		"long name":                {spoiled(func(c *admin.Client) { c.Name.ZH = strings.Repeat("长", 41) }), admin.ErrClient, "party is not filled in: want a name in both languages, 1 to 40 characters that can be shown"},
		"turned name":              {spoiled(func(c *admin.Client) { c.Name.EN = "a\u202eb" }), admin.ErrClient, "party is not filled in: want a name in both languages, 1 to 40 characters that can be shown"},
		"no action":                {spoiled(func(c *admin.Client) { c.Actions = nil }), admin.ErrClient, "party is not filled in: a channel needs at least one action and one region"},
		"no region":                {spoiled(func(c *admin.Client) { c.Regions = nil }), admin.ErrClient, "party is not filled in: a channel needs at least one action and one region"},
		"kind":                     {spoiled(func(c *admin.Client) { c.Kind = "king" }), admin.ErrClient, `party is not filled in: kind "king"`},
		"provider with actions":    {spoiled(func(c *admin.Client) { c.Kind = store.ClientProvider }), admin.ErrClient, "party is not filled in: only a channel has actions, regions and redirect URIs"},
		"hotline with actions":     {spoiled(func(c *admin.Client) { c.Kind = store.ClientHotline; c.Regions = nil }), admin.ErrClient, "party is not filled in: only a channel has actions, regions and redirect URIs"},
		"hotline with regions":     {spoiled(func(c *admin.Client) { c.Kind = store.ClientHotline; c.Actions = nil }), admin.ErrClient, "party is not filled in: only a channel has actions, regions and redirect URIs"},
		"stand-in channel":         {spoiled(func(c *admin.Client) { c.StandIn = true }), admin.ErrClient, "party is not filled in: only a provider can be a stand-in"},
		"no key":                   {spoiled(func(c *admin.Client) { c.Key = jose.JSONWebKey{} }), admin.ErrKey, "not a public key on P-256"},
		"private key":              {spoiled(func(c *admin.Client) { c.Key.Key = Pair(t).Private }), admin.ErrKey, "not a public key on P-256"},
		"another private key":      {a.AddClientKey(ctx, kind, "zj", jose.JSONWebKey{Key: Pair(t).Private, KeyID: "k"}), admin.ErrKey, "not a public key on P-256"},
		"hotline's audience": {spoiled(func(c *admin.Client) {
			c.Kind = store.ClientHotline
			c.Regions = nil
			c.Actions = nil
			c.StrictAudience = true
		}), admin.ErrClient, "party is not filled in: only a channel has an audience"},
		"audience of nobody":  {a.SetAudience(ctx, "nobody", true), admin.ErrUnknown, "no such party: nobody"},
		"stop nobody":         {a.StopClient(ctx, kind, "nobody"), admin.ErrUnknown, "no such party: nobody"},
		"stop a path":         {a.StopClient(ctx, kind, "../../x?y"), admin.ErrUnknown, "no such party: ../../x?y"},
		"stop another kind":   {a.StopClient(ctx, store.ClientProvider, "zj"), admin.ErrUnknown, "no such party: zj"},
		"resume another kind": {a.ResumeClient(ctx, store.ClientProvider, "zj"), admin.ErrUnknown, "no such party: zj"},
		"kid twice":           {a.AddClientKey(ctx, kind, "zj", sameKID), admin.ErrTaken, "identifier is taken: zj has a key with the kid " + first.Key.KeyID},
		"key of nobody":       {a.AddClientKey(ctx, kind, "nobody", sameKID), admin.ErrUnknown, "no such party: nobody"},
		"last key":            {a.RemoveClientKey(ctx, kind, "zj", first.Key.KeyID), admin.ErrLastKey, "a party needs at least one key"},
		"another key":         {a.RemoveClientKey(ctx, kind, "zj", "k9"), admin.ErrUnknown, "no such party: zj has no key with the kid k9"},
		"unknown key":         {a.RemoveClientKey(ctx, kind, "zj", ""), admin.ErrUnknown, "no such party: zj has no key with the kid "},
	} {
		if !errors.Is(tt.got, tt.want) || tt.got.Error() != tt.says {
			t.Errorf("%s: got %v, want %s", name, tt.got, tt.says)
		}
	}
	if diff := cmp.Diff(before, w.Entries(t)); diff != "" {
		t.Error("a refusal left an entry:", diff)
	}
	list, err := a.Clients(ctx, kind)
	if err != nil || len(list) != 1 || list[0].Stopped || list[0].Name != (liuma.Text{ZH: "浙江人社", EN: "<Zhejiang> & co"}) {
		t.Errorf("a refusal changed something: %+v, %v", list, err)
	}
}

// clientsAtOnce: many callers change clients at the same time.
func clientsAtOnce(t *testing.T, w *World, a admin.Administration) {
	var all sync.WaitGroup
	for i := range 8 {
		id, key := fmt.Sprint("c", i), Pair(t).Public
		c := Channel(t, id)
		all.Go(func() {
			ctx := t.Context()
			_, err := a.Status(ctx)
			err = errors.Join(err, a.AddClient(ctx, c), a.StopClient(ctx, c.Kind, id), a.AddClientKey(ctx, c.Kind, id, key),
				a.RemoveClientKey(ctx, c.Kind, id, c.Key.KeyID), a.ResumeClient(ctx, c.Kind, id))
			if err != nil {
				t.Error(id, err)
			}
		})
	}
	file := w.File(t, Sample(t, 1500))
	all.Go(func() {
		if sum, err := a.ImportRegistry(t.Context(), file, admin.ImportConfig{}); err != nil || sum.Kept != 1500 {
			t.Errorf("%+v, %v", sum, err)
		}
	})
	all.Wait()
	list, err := a.Clients(t.Context(), store.ClientChannel)
	if err != nil || len(list) != 8 {
		t.Errorf("%d channels, %v", len(list), err)
	}
	if got := len(w.Entries(t)); got != 8*5+2 {
		t.Errorf("%d entries, want 5 a client and 2 of the import", got)
	}
}

// failingStore: every method returns the store's error.
func failingStore(t *testing.T, w *World, a admin.Administration) {
	ctx := t.Context()
	file := w.File(t, Sample(t, 10))
	w.Broken.Store(true)
	_, list := a.Clients(ctx, store.ClientChannel)
	_, status := a.Status(ctx)
	_, texts := a.Texts(ctx, "", "")
	_, retry := a.RetryText(ctx, textID(1))
	sum, imported := a.ImportRegistry(ctx, file, admin.ImportConfig{})
	for name, err := range map[string]error{
		"list": list, "add": a.AddClient(ctx, Channel(t, "zj")), "stop": a.StopClient(ctx, store.ClientChannel, "zj"),
		"status": status, "texts": texts, "retry": retry, "import": imported,
	} {
		if !errors.Is(err, store.ErrFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if sum.Kept != 0 {
		t.Errorf("kept %+v", sum)
	}
}
