package main

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/clock"
	"github.com/liuma-pin/liuma/internal/diskfile"
	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/admission"
	"github.com/liuma-pin/liuma/internal/keeper/host"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/internal/keeper/tokenkeys"
	"github.com/liuma-pin/liuma/internal/ledger"
	"github.com/liuma-pin/liuma/internal/process"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/locale"
)

// usageError is a wrong command line.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// wrong makes a usageError with a sentence from the catalogue.
func wrong(say func(locale.KeeperCommand) string) error { return &usageError{refuse(say)} }

// refuse makes an error with a sentence from the catalogue.
func refuse(say func(locale.KeeperCommand) string) error {
	return locale.Refuse(func(w *locale.Words) string { return say(w.KeeperCommand) })
}

// told returns an error's sentence, if there is one, and otherwise its own text.
func told(w *locale.Words, err error) string {
	if r, ok := errors.AsType[*locale.Refusal](err); ok {
		return r.Told(w, func(err error) string { return told(w, err) })
	}
	if said, ok := outOfOrder(w.KeeperCommand, err); ok {
		return said
	}
	if l, ok := errors.AsType[*process.ListenError](err); ok {
		return notListening(w.KeeperCommand, l)
	}
	for _, k := range append(ofTokens(), known()...) {
		if errors.Is(err, k.err) {
			return k.say(w.KeeperCommand)
		}
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		switch {
		case errors.Is(p, fs.ErrNotExist) && filepath.Base(p.Path) == "server.pem":
			return w.KeeperCommand.NoDoor(p.Path)
		case errors.Is(p, fs.ErrNotExist):
			return w.KeeperCommand.NoFile(p.Path)
		case errors.Is(p, fs.ErrExist):
			return w.KeeperCommand.NoFileExists(p.Path)
		case errors.Is(p, fs.ErrPermission):
			return w.KeeperCommand.NoPermission(p.Path)
		}
	}
	return err.Error()
}

// notListening says why a listener cannot be opened, and what to do.
func notListening(w locale.KeeperCommand, e *process.ListenError) string {
	setting := "host.json: " + e.Setting
	switch {
	case e.Taken():
		return w.NoListenTaken(e.Address, setting)
	case e.Elsewhere():
		return w.NoListenElsewhere(e.Address, setting)
	case e.Forbidden():
		return w.NoListenForbidden(e.Address, setting)
	}
	return w.NoListenOther(e.Address, e.Err.Error(), setting)
}

// saying is an error's sentence, with the next step.
type saying struct {
	err error
	say func(locale.KeeperCommand) string
}

// ofTokens are the sentences for a token's errors. They come first, because a token's
// refusal could otherwise look like a damaged file, or like members that differ.
func ofTokens() []saying {
	return []saying{
		{token.ErrNotBuilt, locale.KeeperCommand.NoTokenNotBuilt},
		{token.ErrModule, locale.KeeperCommand.NoTokenModule},
		{token.ErrNoToken, locale.KeeperCommand.NoTokenMissing},
		{token.ErrPIN, locale.KeeperCommand.NoTokenPIN},
		{token.ErrFull, locale.KeeperCommand.NoTokenFull},
		{token.ErrNoKey, locale.KeeperCommand.NoTokenNoKey},
		{token.ErrWeakKey, locale.KeeperCommand.NoTokenWeak},
		{token.ErrAmbiguous, locale.KeeperCommand.NoTokenWeak},
		{tokenkeys.ErrOther, locale.KeeperCommand.NoTokenWeak},
		{tokenkeys.ErrTaken, locale.KeeperCommand.NoTokenTaken},
		{tokenkeys.ErrNotSpare, locale.KeeperCommand.NoTokenNotSpare},
		{keeper.ErrMixed, locale.KeeperCommand.NoTokenMixed},
		{token.ErrWrappingKey, locale.KeeperCommand.NoTokenSpare},
		{keeper.ErrKept, locale.KeeperCommand.NoTokenKept},
		{keeper.ErrElsewhere, locale.KeeperCommand.NoTokenElsewhere},
		{tokenkeys.ErrUnbound, locale.KeeperCommand.NoKeyCeremony},
		{token.ErrCannot, locale.KeeperCommand.NoTokenCannot},
		{keeper.ErrShareKeys, locale.KeeperCommand.NoTokenAway},
		{token.ErrAway, locale.KeeperCommand.NoTokenAway},
		{token.ErrBusy, locale.KeeperCommand.NoTokenAway},
	}
}

// known are the errors that have sentences. The first one that matches is used.
func known() []saying {
	return []saying{
		{keys.ErrReading, locale.KeeperCommand.NoKeyReading},
		{keys.ErrServes, locale.KeeperCommand.NoKeyServes},
		{keys.ErrDiffer, locale.KeeperCommand.NoKeyDiffer},
		{keys.ErrState, locale.KeeperCommand.NoKeyFileState},
		{keys.ErrOther, locale.KeeperCommand.NoKeyOther},
		{keys.ErrTwice, locale.KeeperCommand.NoKeyTwice},
		{keys.ErrSet, locale.KeeperCommand.NoKeySetOther},
		{keys.ErrAlone, locale.KeeperCommand.NoKeyAlone},
		{keys.ErrLacking, locale.KeeperCommand.NoKeyLacking},
		{keys.ErrName, locale.KeeperCommand.NoName},
		{keys.ErrBusy, locale.KeeperCommand.NoBusy},
		{keys.ErrFile, locale.KeeperCommand.NoKeyCeremony},
		{keeper.ErrCeremony, locale.KeeperCommand.NoKeyCeremony},
		{keeper.ErrExists, locale.KeeperCommand.NoKeyExists},
		{host.ErrNoHost, locale.KeeperCommand.NoHost},
		{host.ErrExists, locale.KeeperCommand.NoExists},
		{keeper.ErrOwner, locale.KeeperCommand.NoOwner},
		{keeper.ErrMode, locale.KeeperCommand.NoMode},
		{diskfile.ErrNoFile, locale.KeeperCommand.NoRegularFile},
		{admission.ErrName, locale.KeeperCommand.NoName},
		{admission.ErrAddress, locale.KeeperCommand.NoAddress},
		{host.ErrFile, locale.KeeperCommand.NoHostFile},
		{host.ErrAct, locale.KeeperCommand.NoAct},
		{host.ErrHeardTime, locale.KeeperCommand.NoHeardTime},
		{clock.ErrNotAhead, locale.KeeperCommand.NoNotAhead},
		{clock.ErrBehind, locale.KeeperCommand.NoBehind},
		{host.ErrBusy, locale.KeeperCommand.NoBusy},
		{host.ErrServed, locale.KeeperCommand.NoServed},
		{host.ErrNotServed, locale.KeeperCommand.NoNotServed},
		{host.ErrNoIssuerKey, locale.KeeperCommand.NoIssuerKey},
		{host.ErrPath, locale.KeeperCommand.NoPath},
		{host.ErrSocket, locale.KeeperCommand.NoSocket},
		{host.ErrNotAPeer, locale.KeeperCommand.NoNotAPeer},
		{host.ErrRepairing, locale.KeeperCommand.NoRepairing},
		{keeper.ErrPeers, locale.KeeperCommand.NoPeers},
		{ledger.ErrLeased, locale.KeeperCommand.NoLeased},
		{keeper.ErrNoKeySet, locale.KeeperCommand.NoKeySet},
		{keeper.ErrStranger, locale.KeeperCommand.NoStranger},
		{keeper.ErrFile, locale.KeeperCommand.NoKeyFile},
		{admission.ErrFormat, locale.KeeperCommand.NoFormat},
		{admission.ErrRole, locale.KeeperCommand.NoRole},
		{admission.ErrKey, locale.KeeperCommand.NoKey},
		{admission.ErrOtherKey, locale.KeeperCommand.NoOtherKey},
		{admission.ErrFingerprint, locale.KeeperCommand.NoFingerprint},
		{admission.ErrUnheard, locale.KeeperCommand.NoUnheard},
		{admission.ErrTerm, locale.KeeperCommand.NoTerm},
		{admission.ErrEnded, locale.KeeperCommand.NoEnded},
		{admission.ErrEarly, locale.KeeperCommand.NoEarly},
		{admission.ErrIssuer, locale.KeeperCommand.NoIssuer},
		{admission.ErrTaken, locale.KeeperCommand.NoTaken},
		{admission.ErrUnknown, locale.KeeperCommand.NoUnknown},
		{admission.ErrDismissed, locale.KeeperCommand.NoDismissed},
		{admission.ErrFull, locale.KeeperCommand.NoFull},
	}
}
