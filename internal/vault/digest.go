package vault

import "github.com/liuma-pin/liuma/internal/audit"

// SignDigest signs a digest of the record, with the key that signs receipts. It
// refuses a digest with a missing member.
func (v *Vault) SignDigest(d audit.Digest) (audit.SignedDigest, error) {
	payload, err := d.Payload()
	if err != nil {
		return audit.SignedDigest{}, err
	}
	token, err := v.sign(v.signing.Load().digests, payload)
	return audit.SignedDigest{Digest: d, Token: token}, err
}

// SignArchive signs an archive of the record, with the same key.
func (v *Vault) SignArchive(a audit.Archive) (audit.SignedArchive, error) {
	payload, err := a.Payload()
	if err != nil {
		return audit.SignedArchive{}, err
	}
	token, err := v.sign(v.signing.Load().archives, payload)
	return audit.SignedArchive{Archive: a, Token: token}, err
}
