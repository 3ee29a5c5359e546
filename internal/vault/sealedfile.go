package vault

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/liuma-pin/liuma/internal/token"
)

// A key file that is sealed to tokens has: magic, format version, number of recipients,
// the recipients (label of the token, hash of OAEP, public key, file key encrypted to
// it), nonce, the keys under AES-256-GCM with everything before them as additional
// data, and the checksum. Every change makes a new file key. Any one of the tokens
// opens the file: the one in use, or a spare one from a safe.
//
// Signing keys may be in the token; then the file has their name and public point.
const (
	sealedVersion     = 4
	sealedNextVersion = 6 // has a root key that does not seal yet
	pointSize         = 65
	fileNonceSize     = 12
	fileKeySize       = 32
	// maxRecipients bounds the token in use, its spares, and the tokens of other
	// authorities.
	maxRecipients = 8
	maxSealedSize = 16 << 10
	// A signing key: where it is, its name in the token, point or scalar, time.
	sealedKeySize = 1 + 16 + pointSize + timeSize
)

// hashes numbers the hashes of OAEP in the file.
func hashes() []crypto.Hash { return []crypto.Hash{0, crypto.SHA1, crypto.SHA256} }

// seal encodes the keys, sealed to the file's tokens.
func (r *rawKeys) seal() ([]byte, error) {
	if len(r.to) > maxRecipients {
		return nil, fmt.Errorf("vault: a key file is sealed to %d tokens at most", maxRecipients)
	}
	key := make([]byte, fileKeySize)
	rand.Read(key)
	defer clear(key)
	content := append([]byte(magic), r.version(sealedVersion, sealedNextVersion), byte(len(r.to)))
	for _, to := range r.to {
		der, err := x509.MarshalPKIXPublicKey(to.Public)
		if err != nil {
			return nil, fmt.Errorf("vault: seal key file: %w", err)
		}
		wrapped, err := to.Encrypt(key)
		if err != nil {
			return nil, fmt.Errorf("vault: seal key file: %w", err)
		}
		content = appendShort(content, []byte(to.Token))
		content = append(content, byte(slices.Index(hashes(), to.Hash)))
		content = appendShort(appendShort(content, der), wrapped)
	}
	gcm, err := gcmOf(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, fileNonceSize)
	rand.Read(nonce)
	content = append(content, nonce...)
	plain := r.sealedBody()
	defer clear(plain)
	content = gcm.Seal(content, nonce, plain, content)
	sum := sha256.Sum256(content)
	return append(content, sum[:checksumSize]...), nil
}

// isSealed reports whether a key file is sealed to tokens.
func isSealed(content []byte) bool {
	return content[len(magic)] == sealedVersion || content[len(magic)] == sealedNextVersion
}

func gcmOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func appendShort(b, field []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(field))), field...) //nolint:gosec // a label or a key of RSA
}

// sealedBody returns the part that is encrypted; the caller wipes it.
func (r *rawKeys) sealedBody() []byte {
	body := make([]byte, 0, maxFileSize+maxSigningKeys*sealedKeySize)
	return r.appendSealedSigning(r.appendRoots(body))
}

// appendSealedSigning writes the signing keys, also the ones in a token.
func (r *rawKeys) appendSealedSigning(body []byte) []byte {
	body = append(body, byte(len(r.signing)), byte(r.signs))
	for i := range r.signing {
		k := &r.signing[i]
		var at [sealedKeySize]byte
		if k.inToken.is() {
			at[0] = 1
			copy(at[1:], k.inToken.id[:])
			copy(at[17:], k.inToken.point[:])
		} else {
			copy(at[17:], k.scalar[:])
		}
		binary.BigEndian.PutUint64(at[17+pointSize:], uint64(k.made)) //nolint:gosec // as it was read
		body = append(body, at[:]...)
		clear(at[:])
	}
	return body
}

// unseal opens a sealed file without its checksum; the caller wipes the result.
func unseal(body []byte, t Token) (*rawKeys, error) {
	raw := new(rawKeys)
	rest, wrapped, err := raw.parseRecipients(body)
	if err != nil {
		return nil, err
	}
	if len(rest) < fileNonceSize {
		return nil, ErrKeyFileFormat
	}
	if t == nil {
		return nil, fmt.Errorf("%w: it is sealed to %s", ErrSealed, raw.to[0].Token)
	}
	key, err := raw.fileKey(wrapped, t)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	gcm, err := gcmOf(key)
	if err != nil {
		return nil, ErrKeyFileFormat
	}
	before := len(body) - len(rest) + fileNonceSize
	plain, err := gcm.Open(nil, rest[:fileNonceSize], rest[fileNonceSize:], body[:before])
	if err != nil {
		return nil, ErrKeyFileFormat
	}
	defer clear(plain)
	after, ok := raw.parseRoots(plain, body[len(magic)] == sealedNextVersion)
	if !ok || !raw.parseSealedSigning(after) {
		raw.wipe()
		return nil, ErrKeyFileFormat
	}
	return raw, nil
}

// fileKey lets the token decrypt the file key. It first tries the recipient with the
// token's label, then the others, because tokens may have been relabelled.
func (r *rawKeys) fileKey(wrapped [][]byte, t Token) ([]byte, error) {
	var order []int
	for _, named := range []bool{true, false} {
		for i, to := range r.to {
			if (to.Token == t.Label()) == named {
				order = append(order, i)
			}
		}
	}
	for _, i := range order {
		switch key, err := t.Decrypt(WrappingKeyName, r.to[i].Hash, wrapped[i]); {
		case err == nil && len(key) == fileKeySize:
			return key, nil
		case err != nil && !errors.Is(err, token.ErrCannot) && !errors.Is(err, token.ErrNoKey):
			return nil, fmt.Errorf("vault: open key file: %w", err)
		}
	}
	return nil, fmt.Errorf("%w: it is sealed to %s, and the token is %s", ErrOtherToken, r.to[0].Token, t.Label())
}

// parseRecipients reads the tokens that the file is sealed to, and returns the rest.
func (r *rawKeys) parseRecipients(body []byte) (rest []byte, wrapped [][]byte, err error) {
	rest = body[indexStart:]
	if len(rest) == 0 || rest[0] == 0 || rest[0] > maxRecipients {
		return nil, nil, ErrKeyFileFormat
	}
	count := int(rest[0])
	rest = rest[1:]
	for range count {
		label, after, ok := cutShort(rest)
		if !ok || len(after) == 0 || after[0] == 0 || int(after[0]) >= len(hashes()) {
			return nil, nil, ErrKeyFileFormat
		}
		to := token.WrappingKey{Token: string(label), Hash: hashes()[after[0]]}
		der, after, ok := cutShort(after[1:])
		if !ok {
			return nil, nil, ErrKeyFileFormat
		}
		key, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, nil, ErrKeyFileFormat
		}
		if to.Public, ok = key.(*rsa.PublicKey); !ok {
			return nil, nil, ErrKeyFileFormat
		}
		sealed, after, ok := cutShort(after)
		if !ok {
			return nil, nil, ErrKeyFileFormat
		}
		r.to, wrapped, rest = append(r.to, to), append(wrapped, sealed), after
	}
	return rest, wrapped, nil
}

func cutShort(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	size := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+size {
		return nil, nil, false
	}
	return b[2 : 2+size], b[2+size:], true
}

// parseSealedSigning reads the signing keys, which are the last part of the sealed
// body.
func (r *rawKeys) parseSealedSigning(body []byte) bool {
	if len(body) < 2 {
		return false
	}
	count, signs := int(body[0]), int(body[1])
	if count < 1 || count > maxSigningKeys || signs >= count || len(body) != 2+count*sealedKeySize {
		return false
	}
	r.signing, r.signs = make([]rawSigningKey, count), signs
	for i := range r.signing {
		at, k := body[2+i*sealedKeySize:], &r.signing[i]
		switch at[0] {
		case 0:
			copy(k.scalar[:], at[17:])
		case 1:
			copy(k.inToken.id[:], at[1:])
			copy(k.inToken.point[:], at[17:])
			if !k.inToken.is() {
				return false
			}
		default:
			return false
		}
		k.made = int64(binary.BigEndian.Uint64(at[17+pointSize:])) //nolint:gosec // as it was written
	}
	return true
}
