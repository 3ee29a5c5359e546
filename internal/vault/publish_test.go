package vault

import (
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// signedBy is the kid of a token's signature.
func signedBy(t *testing.T, token string) string {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	return jws.Signatures[0].Protected.KeyID
}

// TestANewKeyIsPublishedBeforeItSigns: what clients check is signed with a key that
// they can have by then, and the key before it stays for as long as its tokens live.
func TestANewKeyIsPublishedBeforeItSigns(t *testing.T) {
	path, at := newFile(t), now()
	keys, err := At(path).SigningKeys()
	must(t, err)
	next, err := At(path).RotateSigningKey(at)
	must(t, err)
	v, err := Open(path)
	must(t, err)
	defer func() { must(t, v.Close()) }()
	v.PublishFirst(func() time.Time { return at })
	signed := func(want string) {
		t.Helper()
		id, err := v.SignIDToken(idToken())
		must(t, err)
		receipt, err := v.SignReceipt(receipt())
		must(t, err)
		if signedBy(t, id) != want || signedBy(t, receipt) != want {
			t.Errorf("after %v signed with %s and %s, want %s", at.Sub(now()), signedBy(t, id), signedBy(t, receipt), want)
		}
	}
	old := keys[0].ID
	if published := v.ReceiptKeys().Keys; len(published) != 2 || published[1].KeyID != next.ID {
		t.Errorf("published %+v", published)
	}
	signed(old)
	at = now().Add(PublishedFor - time.Second)
	signed(old)
	at = now().Add(PublishedFor)
	signed(next.ID)
	if !v.SignedLately(old) || !v.SignedLately(next.ID) || v.SignedLately("") || v.SignedLately("other") {
		t.Error("a token of the old key lives still")
	}
	at = now().Add(PublishedFor + tokensLive)
	if v.SignedLately(old) {
		t.Error("no token of the old key lives")
	}
}

// TestADroppedKeySignsNothing: where the key before was dropped, as after a theft,
// the new one signs at once.
func TestADroppedKeySignsNothing(t *testing.T) {
	path, at := newFile(t), now()
	keys, err := At(path).SigningKeys()
	must(t, err)
	next, err := At(path).RotateSigningKey(at)
	must(t, err)
	must(t, At(path).DropSigningKey(keys[0].ID))
	v, err := Open(path)
	must(t, err)
	defer func() { must(t, v.Close()) }()
	v.PublishFirst(func() time.Time { return at })
	id, err := v.SignIDToken(idToken())
	if must(t, err); signedBy(t, id) != next.ID {
		t.Errorf("signed with %s", signedBy(t, id))
	}
}
