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

// A challenge is a 16-byte nonce, the time it ends (Unix milliseconds, 8 bytes)
// and a 16-byte MAC over channel, nonce and end, in base64url. Nothing is
// stored: any authority with the same vault checks it. A challenge alone could
// be used for several requests. The business number that is bound to it and the
// evidence are each used only once (I-11).
const (
	nonceSize     = 16
	endSize       = 8
	tagSize       = 16
	challengeSize = nonceSize + endSize + tagSize
	// maxChallengeTTL bounds the lifetime that a configuration can set.
	maxChallengeTTL = time.Hour
)

var errChallenge = errors.New("vault: challenge is not ours, not this channel's, or past its end")

// NewChallenge makes a challenge for one channel, 54 characters of base64url,
// that CheckChallenge accepts before now+ttl.
func (v *Vault) NewChallenge(channel liuma.ChannelID, now time.Time, ttl time.Duration) (string, error) {
	if ttl < time.Millisecond || ttl > maxChallengeTTL {
		return "", fmt.Errorf("vault: challenge lifetime %v: want 1 ms to %v", ttl, maxChallengeTTL)
	}
	raw := make([]byte, nonceSize, challengeSize)
	rand.Read(raw)
	raw = binary.BigEndian.AppendUint64(raw, uint64(now.Add(ttl).UnixMilli()))
	err := v.read(func(k *keys) error {
		tag := challengeTag(k, channel, raw)
		raw = append(raw, tag[:]...)
		return nil
	})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// CheckChallenge refuses a challenge that this vault did not make, that was
// made for another channel, or that has ended. The error is
// CodeChallengeExpired in all three cases.
func (v *Vault) CheckChallenge(channel liuma.ChannelID, value string, now time.Time) error {
	b64 := base64.RawURLEncoding.Strict()
	if len(value) != b64.EncodedLen(challengeSize) {
		return liuma.Fail(liuma.CodeChallengeExpired, errChallenge)
	}
	raw, err := b64.DecodeString(value)
	if err != nil || len(raw) != challengeSize {
		return liuma.Fail(liuma.CodeChallengeExpired, errChallenge)
	}
	body, tag := raw[:nonceSize+endSize], raw[nonceSize+endSize:]
	var want [tagSize]byte
	if err := v.read(func(k *keys) error { want = challengeTag(k, channel, body); return nil }); err != nil {
		return err
	}
	end := int64(binary.BigEndian.Uint64(body[nonceSize:]))
	if !hmac.Equal(want[:], tag) || now.UnixMilli() >= end {
		return liuma.Fail(liuma.CodeChallengeExpired, errChallenge)
	}
	return nil
}

func challengeTag(k *keys, channel liuma.ChannelID, body []byte) (tag [tagSize]byte) {
	mac := hmac.New(sha256.New, k.challenge)
	mac.Write(appendField(appendField(nil, []byte(channel)), body))
	copy(tag[:], mac.Sum(nil))
	return tag
}
