//go:build pkcs11

package tokenkeys_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/liuma-pin/liuma/internal/keeper"
	"github.com/liuma-pin/liuma/internal/keeper/keys"
	"github.com/liuma-pin/liuma/internal/keeper/tokenkeys"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/token"
	"github.com/liuma-pin/liuma/internal/token/tokentest"
)

// thief speaks to a token by itself, with the PIN.
type thief struct {
	t              *testing.T
	ctx            *pkcs11.Ctx
	h              pkcs11.SessionHandle
	public, secret pkcs11.ObjectHandle // keys of the thief's own to wrap with, once made
}

// thiefAt logs in at the token with this label.
func thiefAt(t *testing.T, hsm *tokentest.SoftHSM, label string) *thief {
	t.Helper()
	ctx := pkcs11.New(hsm.Module)
	if err := ctx.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		t.Fatal(err)
	}
	slots, err := ctx.GetSlotList(true)
	must(t, err)
	for _, slot := range slots {
		if info, err := ctx.GetTokenInfo(slot); err != nil || info.Label != label {
			continue
		}
		h, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		must(t, err)
		if err := ctx.Login(h, pkcs11.CKU_USER, tokentest.PIN); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN)) {
			t.Fatal(err)
		}
		return &thief{t: t, ctx: ctx, h: h}
	}
	t.Fatalf("no token %s", label)
	return nil
}

// all are the keys of a class; with names, those of a name.
func (x *thief) all(class uint, name string) []pkcs11.ObjectHandle {
	x.t.Helper()
	want := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true)}
	if name != "" {
		want = append(want, pkcs11.NewAttribute(pkcs11.CKA_LABEL, name))
	}
	must(x.t, x.ctx.FindObjectsInit(x.h, want))
	found, _, err := x.ctx.FindObjects(x.h, 64)
	must(x.t, err)
	must(x.t, x.ctx.FindObjectsFinal(x.h))
	return found
}

// bytesOf are a key's bytes, if the token shows them.
func (x *thief) bytesOf(key pkcs11.ObjectHandle) ([]byte, error) {
	got, err := x.ctx.GetAttributeValue(x.h, key, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)})
	if err != nil {
		return nil, err
	}
	return got[0].Value, nil
}

func one(kind uint, value any) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{pkcs11.NewAttribute(kind, value)}
}

func mech(kind uint, parameter any) []*pkcs11.Mechanism {
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(kind, parameter)}
}

func oaep() []*pkcs11.Mechanism { // SoftHSM 2.6 can no other
	return mech(pkcs11.CKM_RSA_PKCS_OAEP, pkcs11.NewOAEPParams(pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1, pkcs11.CKZ_DATA_SPECIFIED, nil))
}

// wrappingKeys makes the thief's own keys to wrap with: an RSA key and an AES key.
func (x *thief) wrappingKeys() {
	x.t.Helper()
	if x.secret != 0 {
		return
	}
	var err error
	x.public, _, err = x.ctx.GenerateKeyPair(x.h, mech(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil),
		[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, 2048), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}), pkcs11.NewAttribute(pkcs11.CKA_WRAP, true)},
		one(pkcs11.CKA_DECRYPT, true))
	must(x.t, err)
	x.secret, err = x.ctx.GenerateKey(x.h, mech(pkcs11.CKM_AES_KEY_GEN, nil),
		[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, 32), pkcs11.NewAttribute(pkcs11.CKA_WRAP, true), pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true)})
	must(x.t, err)
}

// takesOut tries all that the interface offers to get a key's bytes, and says what
// succeeded. A copy that stays as closed as the key is no success.
func (x *thief) takesOut(key pkcs11.ObjectHandle) (by []string) {
	x.t.Helper()
	took := func(how string, err error) {
		if err == nil {
			by = append(by, how)
		}
	}
	_, err := x.bytesOf(key)
	took("reading", err)
	took("made extractable", x.ctx.SetAttributeValue(x.h, key, one(pkcs11.CKA_EXTRACTABLE, true)))
	took("made insensitive", x.ctx.SetAttributeValue(x.h, key, one(pkcs11.CKA_SENSITIVE, false)))
	for how, with := range map[string][]*pkcs11.Attribute{
		"copied": nil, "copied for the session": one(pkcs11.CKA_TOKEN, false), "copied extractable": one(pkcs11.CKA_EXTRACTABLE, true),
		"copied insensitive": one(pkcs11.CKA_SENSITIVE, false), "copied open": one(pkcs11.CKA_PRIVATE, false),
	} {
		twin, err := x.ctx.CopyObject(x.h, key, with)
		if err != nil {
			continue
		}
		_, err = x.bytesOf(twin)
		took(how+" and read", err)
		took(how+" and made extractable", x.ctx.SetAttributeValue(x.h, twin, one(pkcs11.CKA_EXTRACTABLE, true)))
		took(how+" and wrapped", x.wraps(twin))
		must(x.t, x.ctx.DestroyObject(x.h, twin))
	}
	took("wrapped", x.wraps(key))
	for _, can := range []uint{pkcs11.CKA_DERIVE, pkcs11.CKA_WRAP, pkcs11.CKA_ENCRYPT} { // it may be said; nothing comes of it
		_ = x.ctx.SetAttributeValue(x.h, key, one(can, true))
	}
	shown := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET), pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, 1),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, false), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true),
	}
	for how, m := range map[string][]*pkcs11.Mechanism{
		"extracted": mech(pkcs11.CKM_EXTRACT_KEY_FROM_KEY, make([]byte, 8)), "concatenated": mech(pkcs11.CKM_CONCATENATE_BASE_AND_DATA, make([]byte, 16)),
		"xored": mech(pkcs11.CKM_XOR_BASE_AND_DATA, make([]byte, 16)), "encrypted": mech(pkcs11.CKM_AES_ECB_ENCRYPT_DATA, make([]byte, 16)),
	} {
		_, err := x.ctx.DeriveKey(x.h, m, key, shown)
		took("derived, "+how, err)
	}
	return by
}

// wraps tries both wrapping keys.
func (x *thief) wraps(key pkcs11.ObjectHandle) error {
	x.wrappingKeys()
	_, err1 := x.ctx.WrapKey(x.h, oaep(), x.public, key)
	_, err2 := x.ctx.WrapKey(x.h, mech(pkcs11.CKM_AES_KEY_WRAP, nil), x.secret, key)
	if err1 == nil || err2 == nil {
		return nil
	}
	return errors.Join(err1, err2)
}

// newHall are three administrations with real tokens.
func newHall(t *testing.T) (*office, *tokentest.SoftHSM) {
	t.Helper()
	hsm := tokentest.New(t)
	o := &office{t: t}
	for i := range 3 { // before the library looks
		hsm.Init(string(keeper.IDOf(i + 1)))
		hsm.Init(fmt.Sprintf("spare%d", i+1))
	}
	for range 2 {
		hsm.Init("twin")
	}
	for i := range 3 {
		id, spare := string(keeper.IDOf(i+1)), fmt.Sprintf("spare%d", i+1)
		k, err := hsm.Open(spare).WrappingKey(tokenkeys.SpareKeyName)
		must(t, err)
		o.desks = append(o.desks, keys.Desk{Dir: filepath.Join(t.TempDir(), id), Custodian: tokenkeys.Custodian{Token: hsm.Open(id), Spares: []token.WrappingKey{k}}})
	}
	return o, hsm
}

// carried is what travelled of an offer, without its outer seal, which keeper.json takes off:
// the wrapped key that member from (from 1) sent to member to.
func (o *office) carried(from, to int) []byte {
	o.t.Helper()
	d := o.desks[to-1]
	f, err := keeper.OpenKeyFile(d.Disk, d.Dir, d.Custodian)
	must(o.t, err)
	defer f.Wipe()
	identity, _ := tokenkeys.IdentityOf(o.t, f.Custody())
	var file struct {
		KeySet  uint32      `json:"key_set"`
		Meeting keeper.Hash `json:"meeting"`
		Offers  []struct {
			Subset split.Subset `json:"subset"`
			To     int          `json:"to"`
			Sealed []byte       `json:"sealed"`
		} `json:"offers"`
	}
	data, err := os.ReadFile(filepath.Join(o.desks[from-1].Dir, keys.CarryDir, fmt.Sprintf("k%d-offers-1.json", from)))
	must(o.t, err)
	must(o.t, json.Unmarshal(data, &file))
	for _, offer := range file.Offers {
		if offer.To != to {
			continue
		}
		info := keeper.OfferInfo(file.Meeting, split.Shape{T: 2, N: 3}, keeper.Offer{KeySet: file.KeySet, Subset: offer.Subset, From: from, To: to})
		within, err := identity.Unseal(offer.Sealed, info)
		must(o.t, err)
		return within[32:] // after its MAC
	}
	o.t.Fatalf("no offer of k%d to k%d", from, to)
	return nil
}

// opens tries every private key in the token on what was wrapped, by decrypting and by
// unwrapping into a key that can be read.
func (x *thief) opens(wrapped []byte) (out [][]byte) {
	x.t.Helper()
	for _, key := range x.all(pkcs11.CKO_PRIVATE_KEY, "") {
		if err := x.ctx.DecryptInit(x.h, oaep(), key); err == nil {
			if got, err := x.ctx.Decrypt(x.h, wrapped); err == nil {
				out = append(out, got)
			}
		}
		open, err := x.ctx.UnwrapKey(x.h, oaep(), key, wrapped, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, false), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true),
		})
		if err != nil {
			continue
		}
		if got, err := x.bytesOf(open); err == nil {
			out = append(out, got)
		}
	}
	return out
}

// TestThiefWithThePIN: who has a keeper's machine, the PIN of its token and all files
// of the ceremony gets no share key out of the token, neither by asking the token nor by what
// was carried. While a ceremony is under way they do, and the spare token opens what
// keeper.json has; docs/HSM.md says both.
func TestThiefWithThePIN(t *testing.T) {
	o, hsm := newHall(t)
	o.begin()
	x := thiefAt(t, hsm, "k2")
	digits := o.pass()
	wrapped := o.carried(1, 2)
	during := x.opens(wrapped)
	if len(during) == 0 {
		t.Error("in the middle of the ceremony nothing opens; docs/HSM.md says that the PIN does")
	}
	o.finish(digits)
	if got := x.opens(wrapped); len(got) > 0 {
		t.Errorf("after the ceremony its files and the PIN give %d share keys in the open", len(got))
	}
	shares := x.all(pkcs11.CKO_SECRET_KEY, "")
	if len(shares) != 2 {
		t.Fatalf("%d secret keys in the token", len(shares))
	}
	for _, key := range shares {
		if by := x.takesOut(key); len(by) > 0 {
			t.Errorf("a share key is taken out: %v", by)
		}
	}
	if left := x.all(pkcs11.CKO_PRIVATE_KEY, ""); len(left) != 0 {
		t.Errorf("%d private keys are left in the token", len(left))
	}

	var file struct {
		Sets []struct {
			Keys []struct {
				Key []byte `json:"key"`
			} `json:"share_keys"`
		} `json:"key_sets"`
	}
	data, err := os.ReadFile(filepath.Join(o.desks[1].Dir, "keeper.json"))
	must(t, err)
	must(t, json.Unmarshal(data, &file))
	var saved struct {
		Spares []struct {
			Wrapped []byte `json:"wrapped"`
		} `json:"spares"`
	}
	must(t, json.Unmarshal(file.Sets[0].Keys[0].Key, &saved))
	if got := x.opens(saved.Spares[0].Wrapped); len(got) > 0 {
		t.Error("the token that serves opens what is wrapped to the spare one")
	}
	if got := thiefAt(t, hsm, "spare2").opens(saved.Spares[0].Wrapped); len(got) == 0 || len(got[0]) != 32 {
		t.Error("the spare token opens nothing; docs/HSM.md says that it does")
	}
}

// TestForgedTokens: a keeper does not open with a token in the place of its own that has the
// same label, nor where two have it, nor with a key of the thief's under the name of a share
// key, nor with its own token after somebody initialised it anew.
func TestForgedTokens(t *testing.T) {
	o, hsm := newHall(t)
	o.ceremony()
	x := thiefAt(t, hsm, "k1")
	name := "liuma keeper k1 share 1/3"
	planted, err := x.ctx.CreateObject(x.h, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, name), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true), pkcs11.NewAttribute(pkcs11.CKA_VALUE, make([]byte, 32)),
	})
	must(t, err)
	again := func(label string) error { // as a program that is started now
		t.Helper()
		tok, err := token.Open(hsm.Config(label))
		if err != nil {
			return err
		}
		defer func() { _ = tok.Close() }()
		d := keys.Desk{Dir: o.desks[0].Dir, Custodian: tokenkeys.Custodian{Token: tok}}
		_, err = d.Status()
		return err
	}
	if err := again("k1"); !errors.Is(err, token.ErrAmbiguous) {
		t.Errorf("two keys of a name: %v", err)
	}
	for _, key := range x.all(pkcs11.CKO_SECRET_KEY, name) {
		if key != planted {
			must(t, x.ctx.DestroyObject(x.h, key))
		}
	}
	if err := again("k1"); !errors.Is(err, tokenkeys.ErrOther) {
		t.Errorf("a key of the thief's: %v", err)
	}
	if err := again("twin"); !errors.Is(err, token.ErrAmbiguous) {
		t.Errorf("two tokens of a label: %v", err)
	}
	if err := again("spare1"); !errors.Is(err, token.ErrNoKey) { // as an empty one
		t.Errorf("an empty token: %v", err)
	}
}
