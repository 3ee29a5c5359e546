package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Where things stand in a new file, which has one root key and one signing key.
const (
	signingStart = rootsStart + rootKeySize
	scalarStart  = signingStart + 2
	fresh        = scalarStart + keySize + checksumSize
)

func TestCreateMakesAPrivateFileOnce(t *testing.T) {
	path := newFile(t)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 || info.Size() != int64(fresh) {
		t.Errorf("mode %v, %d bytes", info.Mode(), info.Size())
	}
	before, err := os.ReadFile(path)
	must(t, err)
	if err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second Create: %v, want %v", err, fs.ErrExist)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("the second Create changed the file")
	}
	other, err := os.ReadFile(newFile(t))
	must(t, err)
	if bytes.Equal(before, other) {
		t.Error("two key files are equal")
	}
}

func TestCreateFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	must(t, os.Symlink(filepath.Join(dir, "elsewhere"), link))
	if err := Create(link); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create through a link: %v", err)
	}
	if err := Create(filepath.Join(dir, "missing", "vault.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Create in a missing directory: %v", err)
	}
}

func TestOpenRefusesModes(t *testing.T) {
	path := newFile(t)
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777} {
		must(t, os.Chmod(path, mode))
		if _, err := Open(path); !errors.Is(err, ErrKeyFileMode) {
			t.Errorf("mode %v: %v, want %v", mode, err, ErrKeyFileMode)
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		must(t, os.Chmod(path, mode))
		v, err := Open(path)
		if err != nil {
			t.Errorf("mode %v: %v", mode, err)
			continue
		}
		must(t, v.Close())
	}
}

func TestOpenRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("opened a directory")
	}
	good, err := os.ReadFile(newFile(t))
	must(t, err)
	// withSum gives a body a checksum that fits, so that a later check must
	// refuse it.
	withSum := func(body []byte) []byte {
		sum := sha256.Sum256(body)
		return append(bytes.Clone(body), sum[:checksumSize]...)
	}
	body := good[:len(good)-checksumSize]
	with := func(at int, b ...byte) []byte {
		changed := bytes.Clone(body)
		copy(changed[at:], b)
		return withSum(changed)
	}
	second := append(bytes.Clone(body), body[scalarStart:]...) // the same key twice
	second[signingStart] = 2
	many := append(bytes.Clone(body), bytes.Repeat(body[scalarStart:], maxSigningKeys)...)
	many[signingStart] = maxSigningKeys + 1
	// roots puts n root keys with the given ids into the file.
	roots := func(ids ...uint32) []byte {
		out := bytes.Clone(body[:rootsStart])
		out[rootsStart-1] = byte(len(ids))
		for _, id := range ids {
			out = binary.BigEndian.AppendUint32(out, id)
			out = append(out, body[rootsStart+idSize:signingStart]...)
		}
		return withSum(append(out, body[signingStart:]...))
	}
	damaged := bytes.Clone(good)
	damaged[len(magic)+5] ^= 1
	for name, c := range map[string]struct {
		content []byte
		want    error // nil: any error
	}{
		"empty":             {nil, ErrKeyFileFormat},
		"short":             {good[:len(good)-1], ErrKeyFileFormat},
		"half":              {good[:len(good)/2], ErrKeyFileFormat},
		"long":              {append(bytes.Clone(good), 0), ErrKeyFileFormat},
		"other magic":       {append([]byte("LIUMA-vault"), good[len(magic):]...), ErrKeyFileFormat},
		"damaged":           {damaged, ErrKeyFileFormat},
		"next version":      {with(len(magic), 7), ErrKeyFileVersion},
		"version before":    {with(len(magic), 2), ErrKeyFileVersion},
		"version zero":      {with(len(magic), 0), ErrKeyFileVersion},
		"no root key":       {roots(), ErrKeyFileFormat},
		"root key zero":     {roots(0), ErrKeyFileFormat},
		"root key twice":    {roots(1, 1), ErrKeyFileFormat},
		"root keys fall":    {roots(2, 1), ErrKeyFileFormat},
		"too many roots":    {roots(1, 2, 3, 4, 5, 6, 7, 8, 9), ErrKeyFileFormat},
		"two roots, one":    {with(rootsStart-1, 2), ErrKeyFileFormat},
		"no signing key":    {with(signingStart, 0), ErrKeyFileFormat},
		"two, one there":    {with(signingStart, 2), ErrKeyFileFormat},
		"none signs":        {with(signingStart+1, 1), ErrKeyFileFormat},
		"no signing part":   {withSum(body[:signingStart]), ErrKeyFileFormat},
		"no roots part":     {withSum(body[:rootsStart-1]), ErrKeyFileFormat},
		"one twice":         {withSum(second), ErrKeyFileFormat},
		"too many":          {withSum(many), ErrKeyFileFormat},
		"huge":              {bytes.Repeat(good, 100), ErrKeyFileFormat},
		"scalar zero":       {with(scalarStart, make([]byte, scalarSize)...), nil},
		"scalar over order": {with(scalarStart, bytes.Repeat([]byte{0xff}, scalarSize)...), nil},
	} {
		path := filepath.Join(dir, "key")
		must(t, os.WriteFile(path, c.content, 0o600))
		if _, err := Open(path); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzParseKeyFile(f *testing.F) {
	good, err := newKeyFile(now())
	must(f, err)
	f.Add(good)
	f.Fuzz(func(t *testing.T, content []byte) {
		raw, err := parseKeyFile(content, nil)
		if err != nil {
			if raw != nil {
				t.Error("keys beside an error")
			}
			return
		}
		again, err := raw.encode()
		if err != nil || !bytes.Equal(content, again) {
			t.Error("accepted another format, or the keys are not those of the file")
		}
	})
}
