package keyring

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/vault"
)

// A word for an identity is signed once and holds for ever, so that somebody who has the
// vault's key file and writes to the database could put back the words for one that was
// dismissed. So each directory keeps who was (in the file of heads), and tells the others
// by a statement in the row, signed; whoever finds it missing there puts it back.
//
// What was learned stays for good, and the file of heads is small. So each one that speaks
// may say it of heardMost identities and no more: who took a machine over would fill the
// file with statements about nobody, and its own dismissal, or the start of the others, would
// find no room.

const (
	goneLabel  = "liuma/1/keyring/gone"
	goneHead   = "gone-"
	heardHead  = "heard-" // how many were learned from one that was confirmed here
	viaHead    = "via-"   // and from all that are known through it
	goneDigits = 2 * len(store.KeyringGone{}.Print)

	// heardMost is far more than there are authorities, and with ten of them, which is far
	// more too, leaves two thirds of the file.
	heardMost = 16
)

func shortPrint(f vault.Fingerprint) (short [16]byte) {
	copy(short[:], f[:])
	return short
}

func headOf(short [16]byte) vault.Head { return vault.Head(goneHead + hex.EncodeToString(short[:])) }

// isGone reports whether this directory knows that an identity was dismissed.
func (k *Keyring) isGone(f vault.Fingerprint) bool { return k.c.Heads.Get(headOf(shortPrint(f))) > 0 }

// gone signs that an identity was dismissed.
func gone(short [16]byte, me *vault.IdentityKey) (store.KeyringGone, error) {
	sign, err := me.Sign(goneLabel, short[:])
	return store.KeyringGone{Print: short, By: me.Name, Sign: sign}, err
}

// said reports whether a statement is one of somebody who is trusted here.
func said(g store.KeyringGone, known map[string]vault.Identity) bool {
	by, ok := known[g.By]
	return ok && by.Verify(goneLabel, g.Sign, g.Print[:])
}

// learn keeps who was dismissed, by the word of one that is trusted here. Of two that
// dismissed each other the one whose word came first stays. Statements of one that has said
// it too often are left aside, with an error in the log.
//
// A crash between the two heads has counted one that was not learned: the next look learns it.
func (k *Keyring) learn(row *store.Keyring, me *vault.IdentityKey) error {
	if me == nil {
		return nil
	}
	known, through := k.trustedThrough(row, me.Identity)
	for _, g := range row.Gone {
		if k.c.Heads.Get(headOf(g.Print)) > 0 || !said(g, known) {
			continue
		}
		heard := heardFrom(known[through[g.By]], through[g.By] == g.By)
		n := k.c.Heads.Get(heard)
		if n >= heardMost {
			k.warnFull(g.By, heard)
			continue
		}
		if err := k.c.Heads.Raise(heard, n+1); err != nil {
			return err
		}
		if err := k.c.Heads.Raise(headOf(g.Print), 1); err != nil {
			return err
		}
		known, through = k.trustedThrough(row, me.Identity) // it may have been one of them
	}
	return nil
}

// heardFrom is the head that counts what was learned from one that was confirmed here, or
// from those known through it.
func heardFrom(i vault.Identity, itself bool) vault.Head {
	short := shortPrint(i.Fingerprint())
	if itself {
		return vault.Head(heardHead + hex.EncodeToString(short[:]))
	}
	return vault.Head(viaHead + hex.EncodeToString(short[:]))
}

// warnFull says once in a process that an authority dismisses more than there can be.
func (k *Keyring) warnFull(by string, heard vault.Head) {
	if k.full[heard] {
		return
	}
	if k.full == nil {
		k.full = map[vault.Head]bool{}
	}
	k.full[heard] = true
	k.c.Logger.Error("AN AUTHORITY DISMISSED MORE THAN THERE CAN BE: its word on that is heard no more. Was its machine taken over? Then dismiss it, at each authority that it was confirmed at", "authority", by)
}

// tell puts into the row who was dismissed, where it does not stand there by the word of
// one that is trusted.
func (k *Keyring) tell(row *store.Keyring, me *vault.IdentityKey) (changed bool, err error) {
	known := k.trusted(row, me.Identity)
	for _, head := range k.c.Heads.Names() {
		digits, is := strings.CutPrefix(string(head), goneHead)
		short, err := hex.DecodeString(digits)
		if !is || err != nil || len(digits) != goneDigits {
			continue
		}
		of := [16]byte(short)
		if slices.ContainsFunc(row.Gone, func(g store.KeyringGone) bool { return g.Print == of && said(g, known) }) {
			continue
		}
		g, err := gone(of, me)
		if err != nil {
			return false, err
		}
		row.Gone = append(slices.DeleteFunc(slices.Clone(row.Gone), func(g store.KeyringGone) bool { return g.Print == of }), g)
		changed = true
	}
	return changed, nil
}
