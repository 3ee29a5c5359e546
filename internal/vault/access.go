package vault

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/liuma-pin/liuma"
)

// Access is the content of an access token of the hosted door: the channel and what it
// may see.
type Access struct {
	Channel liuma.ChannelID
	Subject string
	Until   time.Time // to the millisecond
}

// ErrAccess is returned for an access token that this vault did not make.
var ErrAccess = errors.New("vault: access token is not ours")

const (
	accessTag    = sha256.Size
	accessMost   = 255 // bytes of a channel's id and of a subject
	accessHeader = nonceSize + endSize + 1
)

// NewAccess makes an access token. Nothing is stored for it: any authority with the same
// vault reads it. It is a nonce, the time it ends (Unix milliseconds, 8 bytes), the length
// of the channel's id, the id, the subject, and a MAC over all of these, in base64url.
func (v *Vault) NewAccess(a Access) (string, error) {
	if a.Channel == "" || a.Subject == "" || len(a.Channel) > accessMost || len(a.Subject) > accessMost {
		return "", errors.New("vault: access token: want a channel and a subject")
	}
	raw := make([]byte, nonceSize, accessHeader+len(a.Channel)+len(a.Subject)+accessTag)
	rand.Read(raw)
	raw = append(binary.BigEndian.AppendUint64(raw, uint64(a.Until.UnixMilli())), byte(len(a.Channel)))
	raw = append(append(raw, a.Channel...), a.Subject...)
	tag, err := v.accessTag(raw)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(raw, tag...)), nil
}

// ReadAccess reads an access token. It returns ErrAccess if this vault did not make it. It
// does not check Until: the caller does.
func (v *Vault) ReadAccess(token string) (Access, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < accessHeader+accessTag || len(raw) > accessHeader+2*accessMost+accessTag {
		return Access{}, ErrAccess
	}
	body, tag := raw[:len(raw)-accessTag], raw[len(raw)-accessTag:]
	want, err := v.accessTag(body)
	if err != nil {
		return Access{}, err
	}
	names, channel := body[accessHeader:], int(body[accessHeader-1])
	if !hmac.Equal(want, tag) || channel > len(names) {
		return Access{}, ErrAccess
	}
	until := time.UnixMilli(int64(binary.BigEndian.Uint64(body[nonceSize:]))).UTC()
	return Access{Channel: liuma.ChannelID(names[:channel]), Subject: string(names[channel:]), Until: until}, nil
}

func (v *Vault) accessTag(body []byte) (tag []byte, err error) {
	err = v.read(func(k *keys) error {
		mac := hmac.New(sha256.New, k.access)
		mac.Write(body)
		tag = mac.Sum(nil)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("vault: access token: %w", err)
	}
	return tag, nil
}
