package vault

import (
	"bytes"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/liuma-pin/liuma/internal/diskfile"
)

// An authority that joins others on their database needs their key file and their file of
// heads, and has no key yet that the keyring could seal to: its own identity is sealed by the
// vault. So it makes a key pair for this one thing, in JoinFile, and gives out the public half
// in a file (AskToJoin); one of the others seals both files to it (Invite); and it opens that
// (TakeInvitation), which destroys the private half. Two people read the digits of both files to
// one another: of the first, so that the keys go to no machine but this one; of the second, so
// that this one takes nobody else's keys for those of the others.
//
// Until the last step there is no key file here, and no authority starts without one. Each step
// may be done again after a crash.

// JoinFile is the name of the private half, beside the place of the key file. It is there
// until the invitation is taken.
const JoinFile = "join.key"

const (
	askMagic     = "liuma-join-ask 1\n"
	inviteMagic  = "liuma-join-keys 1\n"
	joinMagic    = "liuma-join-key 1\n"
	joinLabel    = "liuma/1/vault/join"
	joinFileSize = len(joinMagic) + scalarSize
	askSize      = len(askMagic) + pointSize

	// MaxAsk bounds the file of who asks, MaxCarried the one that is sealed to them, which brings
	// a configuration and its files.
	MaxAsk     = 64 << 10
	MaxCarried = 16 << 20
)

// Errors of joining.
var (
	// ErrHasKeys says that there is a key file here.
	ErrHasKeys = errors.New("vault: this directory has a key file already, and joins nobody: use another one, or go on with what is there")
	// ErrNotAsked says that the directory did not ask, or took its invitation before.
	ErrNotAsked = errors.New("vault: this directory has not asked to join: begin with 'liuma keys ask' here")
	// ErrJoinFile says that the private half is damaged, or others can reach it.
	ErrJoinFile = errors.New("vault: join.key is damaged, or others can read or write it: delete it, and begin anew with 'liuma keys ask'")
	// ErrAsk says that something is no file of one who asks.
	ErrAsk = errors.New("vault: this is no file that 'liuma keys ask' wrote")
	// ErrInvitation says that an invitation does not open here.
	ErrInvitation = errors.New("vault: this is no file that 'liuma keys invite' wrote for this directory; nothing was taken")
	// ErrCarriedTooMuch says that an invitation would be too long.
	ErrCarriedTooMuch = fmt.Errorf("vault: what is to be carried has more than %d bytes", MaxCarried)
	// ErrCarriedDigits says that digits are those of another file.
	ErrCarriedDigits = errors.New("vault: these are not the digits of this file: hear them by phone or in person from whoever made it, and carry the file again; nothing was done")
)

// CarriedFingerprint is what is read aloud of a file that is carried.
func CarriedFingerprint(file []byte) Fingerprint { return sha256.Sum256(file) }

// AskToJoin makes the key pair of a directory that joins, or reads the one that is there, and
// returns the file to carry. keyFile is where the key file is going to be. ErrHasKeys,
// ErrJoinFile. A crash leaves no private half, or one that the next call reads.
func AskToJoin(keyFile string) (ask []byte, err error) {
	if _, err := os.Lstat(keyFile); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(ErrHasKeys, err)
	}
	key, err := joinKey(keyFile)
	if errors.Is(err, ErrNotAsked) {
		key, err = makeJoinKey(keyFile)
	}
	if err != nil {
		return nil, err
	}
	return askOf(key), nil
}

func askOf(key hpke.PrivateKey) []byte { return append([]byte(askMagic), key.PublicKey().Bytes()...) }

// Invite seals the key file, the file of heads beside it, and more that is carried with them
// (nil: nothing), to one who asks, whose digits somebody compared. A key file that is sealed to tokens stays so: the other authority needs
// one of these. Nothing here is changed. ErrAsk, ErrCarriedDigits.
func Invite(keyFile string, ask []byte, digits string, more []byte) (invitation []byte, err error) {
	if len(ask) != askSize || !bytes.HasPrefix(ask, []byte(askMagic)) {
		return nil, ErrAsk
	}
	public, err := wrapKEM().NewPublicKey(ask[len(askMagic):])
	if err != nil {
		return nil, ErrAsk
	}
	if !CarriedFingerprint(ask).Heard(digits) {
		return nil, ErrCarriedDigits
	}
	keys, _, err := readPrivate(keyFile)
	if err != nil {
		return nil, err
	}
	defer clear(keys)
	if _, err := checked(keys); err != nil {
		return nil, err
	}
	heads, err := readHeads(headsBeside(keyFile))
	if err != nil {
		return nil, err
	}
	content := appendField(appendField(make([]byte, 0, len(keys)+len(heads)+len(more)+12), keys), heads)
	if more != nil {
		content = appendField(content, more)
	}
	defer clear(content)
	sealed, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES256GCM(), joinInfo(ask), content)
	if err != nil {
		return nil, fmt.Errorf("vault: invite: %w", err)
	}
	if len(sealed)+len(inviteMagic) > MaxCarried {
		return nil, ErrCarriedTooMuch
	}
	return append([]byte(inviteMagic), sealed...), nil
}

// joinInfo binds an invitation to the file of who asked.
func joinInfo(ask []byte) []byte { return appendField(appendField(nil, []byte(joinLabel)), ask) }

func headsBeside(keyFile string) string { return filepath.Join(filepath.Dir(keyFile), HeadsFile) }

func joinBeside(keyFile string) string { return filepath.Join(filepath.Dir(keyFile), JoinFile) }

// TakeInvitation puts the others' heads and key file into a directory that asked, and destroys
// the private half. ErrHasKeys, ErrNotAsked, ErrJoinFile, ErrInvitation, ErrCarriedDigits: nothing
// was taken.
//
// put is handed what is carried with them, nil where that is nothing, and puts it into its place
// before the keys; its error leaves nothing of the keys here. It may be called again after a
// crash, and keeps nothing of what it is handed.
//
// The key file comes last, in one rename: a crash before it leaves a directory without one, in
// which this is done again. After it the private half may be left, which doing it again destroys.
func TakeInvitation(keyFile string, invitation []byte, digits string, put func(more []byte) error) error {
	key, err := joinKey(keyFile)
	if err != nil {
		if _, there := os.Lstat(keyFile); there == nil {
			return ErrHasKeys
		}
		return err
	}
	sealed, ok := bytes.CutPrefix(invitation, []byte(inviteMagic))
	if !ok || len(invitation) > MaxCarried {
		return ErrInvitation
	}
	if !CarriedFingerprint(invitation).Heard(digits) {
		return ErrCarriedDigits
	}
	content, err := hpke.Open(key, hpke.HKDFSHA256(), hpke.AES256GCM(), joinInfo(askOf(key)), sealed)
	if err != nil {
		return ErrInvitation
	}
	defer clear(content)
	keys, rest, ok1 := cutField(content)
	heads, rest, ok2 := cutField(rest)
	more, rest := cutMore(rest)
	if _, err := checked(keys); err != nil || !ok1 || !ok2 || len(rest) > 0 {
		return ErrInvitation
	}
	switch there, _, err := readPrivate(keyFile); {
	case errors.Is(err, fs.ErrNotExist):
		if err := put(more); err != nil {
			return err
		}
		if err := putPrivate(headsBeside(keyFile), heads); err != nil {
			return err
		}
		if err := putPrivate(keyFile, keys); err != nil {
			return err
		}
	case err != nil:
		return err
	default: // taken before, and a crash came then
		same := bytes.Equal(there, keys)
		clear(there)
		if !same {
			return ErrHasKeys
		}
	}
	return dropJoinKey(keyFile)
}

// cutField takes off what appendField put there.
func cutField(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b)
	if b = b[4:]; uint64(n) > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// cutMore takes off what is carried with the keys: nil where that is nothing.
func cutMore(b []byte) (more, rest []byte) {
	if len(b) == 0 {
		return nil, nil
	}
	more, rest, ok := cutField(b)
	if !ok {
		return nil, b
	}
	return more, rest
}

// putPrivate writes a file whole, for its owner alone. What an earlier crash left half written
// is removed.
func putPrivate(path string, content []byte) error {
	dir, name := filepath.Dir(path), filepath.Base(path)
	disk := diskfile.Disk{}
	if err := errors.Join(disk.Sweep(dir, name), disk.Write(dir, name, content)); err != nil {
		return fmt.Errorf("vault: join: %w", err)
	}
	return nil
}

// joinKey reads the private half. ErrNotAsked, ErrJoinFile.
func joinKey(keyFile string) (hpke.PrivateKey, error) {
	content, _, err := readPrivate(joinBeside(keyFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNotAsked
	case errors.Is(err, ErrKeyFileFormat), errors.Is(err, ErrKeyFileMode):
		return nil, ErrJoinFile
	case err != nil:
		return nil, err
	}
	defer clear(content)
	if len(content) != joinFileSize || !bytes.HasPrefix(content, []byte(joinMagic)) {
		return nil, ErrJoinFile
	}
	key, err := wrapKEM().NewPrivateKey(content[len(joinMagic):])
	if err != nil {
		return nil, ErrJoinFile
	}
	return key, nil
}

func makeJoinKey(keyFile string) (hpke.PrivateKey, error) {
	key, err := wrapKEM().GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("vault: join: %w", err)
	}
	scalar, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("vault: join: %w", err)
	}
	defer clear(scalar)
	content := append(append(make([]byte, 0, joinFileSize), joinMagic...), scalar...)
	defer clear(content)
	return key, putPrivate(joinBeside(keyFile), content)
}

// dropJoinKey overwrites the private half and removes it: who finds the invitation later opens
// it with nothing.
func dropJoinKey(keyFile string) error {
	path := joinBeside(keyFile)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("vault: join: %w", err)
	}
	noise := make([]byte, joinFileSize)
	rand.Read(noise)
	if err := errors.Join(writeAndClose(f, noise), os.Remove(path), diskfile.SyncDir(filepath.Dir(path))); err != nil {
		return fmt.Errorf("vault: join: the keys are there, and join.key could not be destroyed; delete it: %w", err)
	}
	return nil
}
