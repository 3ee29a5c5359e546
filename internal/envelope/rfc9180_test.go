package envelope

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// hexBytes is a byte string that vectors write in hexadecimal.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	*h = raw
	return err
}

type rfcVector struct {
	Info         hexBytes
	SkEm         hexBytes
	SkRm         hexBytes
	PkRm         hexBytes
	Enc          hexBytes
	SharedSecret hexBytes `json:"shared_secret"`
	Key          hexBytes
	BaseNonce    hexBytes `json:"base_nonce"`
	Pt           hexBytes
	Encryptions  []struct{ AAD, CT hexBytes }
	Exports      []struct{ Context, Value hexBytes }
}

func readRFC(t *testing.T) rfcVector {
	t.Helper()
	data, err := os.ReadFile("testdata/rfc9180-a3.json")
	must(t, err)
	var v rfcVector
	must(t, json.Unmarshal(data, &v))
	if len(v.Encryptions) == 0 || len(v.Exports) == 0 {
		t.Fatal("no vectors")
	}
	return v
}

func TestRecipientOpensRFC9180Vectors(t *testing.T) {
	v := readRFC(t)
	private, err := ParsePrivate(v.SkRm)
	must(t, err)
	if got := private.PublicKey().Bytes(); !bytes.Equal(got, v.PkRm) {
		t.Fatalf("public key %x, want %x", got, v.PkRm)
	}
	r, err := recipient(private, v.Enc, v.Info)
	must(t, err)
	for i, e := range v.Encryptions {
		plain, err := r.Open(e.AAD, e.CT)
		if err != nil || !bytes.Equal(plain, v.Pt) {
			t.Errorf("encryption %d: %x, %v", i, plain, err)
		}
	}
	for i, e := range v.Exports {
		value, err := r.Export(string(e.Context), len(e.Value))
		if err != nil || !bytes.Equal(value, e.Value) {
			t.Errorf("export %d: %x, %v", i, value, err)
		}
	}
}

// The sender that makes this project's vectors must itself reproduce the RFC's
// vectors.
func TestVectorSenderReproducesRFC9180(t *testing.T) {
	v := readRFC(t)
	s := sendWith(t, v.SkEm, v.PkRm, v.Info, v.Encryptions[0].AAD, v.Pt)
	for _, c := range []struct {
		name      string
		got, want []byte
	}{
		{"enc", s.enc, v.Enc},
		{"shared_secret", s.shared, v.SharedSecret},
		{"key", s.key, v.Key},
		{"base_nonce", s.nonce, v.BaseNonce},
		{"ct", s.ct, v.Encryptions[0].CT},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s = %x, want %x", c.name, c.got, c.want)
		}
	}
}
