package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// written DIR NUMBER leaves two letters about a registered person in the queue, which have
// waited for three days.
func wroteLetters(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: written DIR NUMBER")
	}
	inDirectory(ts, args[0], func(data *server.Data) error {
		ago := time.Now().Add(-72 * time.Hour)
		queue, err := letter.New(letter.Config{Store: data.Store, Vault: data.Vault, Registry: data.Registry, Now: func() time.Time { return ago }})
		ts.Check(err)
		return data.Store.Update(context.Background(), func(tx store.Tx) (audit.Entry, error) {
			c := store.Card{ID: liuma.CardID{8}, Holder: data.Vault.Index(vault.IndexIDNumber, args[1]), Region: "330502"}
			ts.Check(tx.InsertCard(c))
			for _, template := range []string{"pin_set", "ticket_opened"} {
				ts.Check(queue.Write(tx, letter.Message{Card: c.ID, Template: template, Region: c.Region, Freeze: "A3K7Q9MX2WD", Until: ago.AddDate(0, 2, 0)}))
			}
			return audit.Entry{At: time.Now(), Actor: "test", Event: audit.PINSet, Card: c.ID, Outcome: "ok"}, nil
		})
	})
}

// batch VARIABLE DIR sets a variable to the name of the one batch whose file is in a
// directory.
func batch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: batch VARIABLE DIR")
	}
	ts.Setenv(args[0], theBatch(ts, args[1]))
}

func theBatch(ts *testscript.TestScript, dir string) string {
	found, err := filepath.Glob(filepath.Join(ts.MkAbs(dir), "letters-*.html"))
	ts.Check(err)
	if len(found) != 1 {
		ts.Fatalf("%d files of letters in %s", len(found), dir)
	}
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), "letters-"), ".html")
}
