package envelope

import (
	"bytes"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma"
)

const vectorsPath = "../../docs/sealing-vectors.json"

// Run `go test ./internal/envelope -run Vectors -update` after a change of the
// format. The vectors depend on this file alone.
var update = flag.Bool("update", false, "write docs/sealing-vectors.json anew")

type vectorFile struct {
	Format  int      `json:"format"`
	About   string   `json:"about"`
	Suite   string   `json:"suite"`
	Info    string   `json:"info"`
	Vectors []vector `json:"vectors"`
}

// vector holds a sender's input (down to its ephemeral key, which a real sender
// draws at random and never reveals) and the result that it must reach.
type vector struct {
	Name       string        `json:"name"`
	Opens      bool          `json:"opens"` // false: the authority refuses it
	Binding    vectorBinding `json:"binding"`
	Secret     string        `json:"secret"` // PIN or passphrase
	Private    hexBytes      `json:"seal_key_private"`
	Public     hexBytes      `json:"seal_key_public"`
	Ephemeral  hexBytes      `json:"ephemeral_private"`
	AAD        hexBytes      `json:"aad"`
	Plain      hexBytes      `json:"plaintext"`
	Shared     hexBytes      `json:"shared_secret"`
	Key        hexBytes      `json:"key"`
	Nonce      hexBytes      `json:"base_nonce"`
	Enc        hexBytes      `json:"enc"`
	Ciphertext hexBytes      `json:"ct"`
	Envelope   wireVector    `json:"envelope"`
}

type vectorBinding struct {
	Channel     string        `json:"channel"`
	Action      string        `json:"action"`
	Role        string        `json:"role"`
	Card        string        `json:"card"`
	IDNumber    string        `json:"id_number"`
	Name        string        `json:"name"`
	Phone       string        `json:"phone"`
	BusinessNo  string        `json:"business_no"`
	Purpose     liuma.Purpose `json:"purpose"`
	PurposeHash hexBytes      `json:"purpose_hash"`
	SealKeyID   string        `json:"seal_key_id"`
	Challenge   string        `json:"challenge"`
}

type wireVector struct {
	KID string `json:"kid"`
	Enc string `json:"enc"`
	CT  string `json:"ct"`
}

func (b vectorBinding) binding() Binding {
	return Binding{
		Channel: liuma.ChannelID(b.Channel), Action: liuma.Action(b.Action), Role: liuma.Role(b.Role),
		Subject:    Subject{Card: b.Card, IDNumber: b.IDNumber, Name: b.Name, Phone: b.Phone},
		BusinessNo: liuma.BusinessNo(b.BusinessNo), PurposeHash: PurposeHash(b.Purpose),
		SealKeyID: b.SealKeyID, Challenge: b.Challenge,
	}
}

func enrollBinding() vectorBinding {
	return vectorBinding{
		Channel: "zj-hrss", Action: "enroll", Role: "new",
		IDNumber: "11010519491231002X", Name: "王秀英", Phone: "13800138000",
		BusinessNo: "20260401-000017", Purpose: "申领电子社保卡",
		SealKeyID: "Zk3v9Qm2T4uJ8sXc1BnRyA",
		Challenge: "AAECAwQFBgcICQoLDA0ODwAAAZcAAAAAEBESExQVFhcYGRobHB0eHw",
	}
}

func cardBinding(action, role string) vectorBinding {
	b := enrollBinding()
	b.Action, b.Role = action, role
	b.Card, b.IDNumber, b.Name, b.Phone = "mzxw6ytboi2dknrxgezdgnbvgy3tqojq", "", "", ""
	b.BusinessNo, b.Purpose = "20260402-000101", "查询社保缴费年限"
	return b
}

func makeVectors(t *testing.T) []vector {
	t.Helper()
	longest := strings.Repeat("密", 64) // 64 characters, 192 bytes
	noPurpose := cardBinding("verify", "current")
	noPurpose.Purpose = ""
	languages := cardBinding("verify", "current")
	languages.Purpose = liuma.PurposeIn("查询社保缴费年限", "See your years of contribution")
	odd := cardBinding("link", "current")
	odd.Card, odd.IDNumber, odd.Name = "", " 11010519491231002x", "阿依古丽·买买提"
	good := []vector{
		{Name: "enroll, first PIN", Binding: enrollBinding(), Secret: "739146"},
		{Name: "verify, current PIN", Binding: cardBinding("verify", "current"), Secret: "739146"},
		{Name: "verify, no purpose", Binding: noPurpose, Secret: "739146"},
		{Name: "change, old PIN", Binding: cardBinding("change", "old"), Secret: "739146"},
		{Name: "change, new PIN", Binding: cardBinding("change", "new"), Secret: "295037"},
		{Name: "link, subject spelled as the holder typed it", Binding: odd, Secret: "739146"},
		{Name: "passphrase", Binding: cardBinding("verify", "current"), Secret: "correct horse 电池 staple"},
		{Name: "verify, a purpose in two languages", Binding: languages, Secret: "739146"},
		{Name: "longest passphrase", Binding: cardBinding("verify", "current"), Secret: longest},
	}
	for i := range good {
		plain, err := pad([]byte(good[i].Secret))
		must(t, err)
		good[i].Plain = plain
		good[i].Opens = true
	}
	bad := []vector{
		{Name: "refused: padding is not zero", Plain: flip(good[0].Plain, PlainSize-1)},
		{Name: "refused: length zero", Plain: make([]byte, PlainSize)},
		{Name: "refused: length past the end", Plain: append([]byte{0, 255}, good[0].Plain[2:]...)},
		{Name: "refused: not padded to 256 bytes", Plain: good[0].Plain[:64]},
	}
	for i := range bad {
		bad[i].Binding = enrollBinding()
	}
	vectors := slices.Concat(good, bad)
	for i := range vectors {
		vectors[i].fill(t)
	}
	return vectors
}

// fill runs the sender, with keys that follow from the vector's name.
func (v *vector) fill(t *testing.T) {
	t.Helper()
	private := fixedScalar(t, "seal key")
	ephemeral := fixedScalar(t, "ephemeral: "+v.Name)
	b := v.Binding.binding()
	v.Binding.PurposeHash = b.PurposeHash[:]
	v.Private, v.Public = private.Bytes(), private.PublicKey().Bytes()
	v.Ephemeral = ephemeral.Bytes()
	v.AAD = b.AAD()
	s := sendWith(t, v.Ephemeral, v.Public, []byte(label), v.AAD, v.Plain)
	v.Shared, v.Key, v.Nonce, v.Enc, v.Ciphertext = s.shared, s.key, s.nonce, s.enc, s.ct
	v.Envelope.KID, v.Envelope.Enc, v.Envelope.CT = Envelope{b.SealKeyID, s.enc, s.ct}.Encode()
}

func fixedScalar(t *testing.T, name string) *ecdh.PrivateKey {
	t.Helper()
	sum := sha256.Sum256([]byte("liuma sealing vectors: " + name))
	key, err := ecdh.P256().NewPrivateKey(sum[:])
	must(t, err)
	return key
}

func readVectors(t *testing.T) vectorFile {
	t.Helper()
	data, err := os.ReadFile(vectorsPath)
	must(t, err)
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var file vectorFile
	must(t, dec.Decode(&file))
	return file
}

func TestVectorsAreCurrent(t *testing.T) {
	want := vectorFile{
		Format: formatVersion,
		About:  "Test vectors for docs/SEALING.md. Byte strings are in hexadecimal. The keys are public: never use them.",
		Suite:  "HPKE base mode, DHKEM(P-256, HKDF-SHA256) 0x0010, HKDF-SHA256 0x0001, AES-128-GCM 0x0001",
		Info:   label, Vectors: makeVectors(t),
	}
	if *update {
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		must(t, enc.Encode(want))
		must(t, os.WriteFile(vectorsPath, out.Bytes(), 0o644))
	}
	got := readVectors(t)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is not what the code makes; if the format was meant to change, run make update", vectorsPath)
	}
}

// The committed file is read as another platform would read it, and opened
// with the authority's own code.
func TestVectorsOpen(t *testing.T) {
	opened := 0
	for _, v := range readVectors(t).Vectors {
		b := v.Binding.binding()
		if !bytes.Equal(b.AAD(), v.AAD) || !bytes.Equal(b.PurposeHash[:], v.Binding.PurposeHash) {
			t.Errorf("%s: AAD differs", v.Name)
		}
		private, err := ParsePrivate(v.Private)
		must(t, err)
		if !bytes.Equal(private.PublicKey().Bytes(), v.Public) {
			t.Errorf("%s: public key differs", v.Name)
		}
		e, err := Decode(v.Envelope.KID, v.Envelope.Enc, v.Envelope.CT)
		if !v.Opens {
			if err == nil {
				_, err = Open(private, b, e)
			}
			wantInvalid(t, err)
			continue
		}
		must(t, err)
		secret, err := Open(private, b, e)
		if err != nil || string(secret) != v.Secret {
			t.Errorf("%s: %q, %v", v.Name, secret, err)
		}
		opened++
	}
	if opened < 8 {
		t.Errorf("only %d vectors opened", opened)
	}
}

// docs/SEALING.md works the first vector through; the page must agree with the
// file.
func TestDocumentShowsTheFirstVector(t *testing.T) {
	data, err := os.ReadFile("../../docs/SEALING.md")
	must(t, err)
	doc := string(data)
	v := readVectors(t).Vectors[0]
	shown := []string{v.Name, v.Secret, v.Envelope.KID, v.Binding.Challenge, v.Binding.BusinessNo, string(v.Binding.Purpose)}
	for _, b := range [][]byte{[]byte(label), v.Private, v.Public, v.Ephemeral, v.Shared, v.Key, v.Nonce, v.Enc,
		v.Ciphertext[:32], v.Ciphertext[PlainSize:], v.Binding.PurposeHash} {
		shown = append(shown, hex.EncodeToString(b))
	}
	for aad := v.AAD; len(aad) > 0; {
		n := 4 + int(binary.BigEndian.Uint32(aad))
		shown = append(shown, strings.TrimSuffix(hex.EncodeToString(aad[:4])+" "+hex.EncodeToString(aad[4:n]), " "))
		aad = aad[n:]
	}
	for _, s := range shown {
		if !strings.Contains(doc, s) {
			t.Errorf("docs/SEALING.md does not show %q", s)
		}
	}
}

// docs/SEALING.md shows what a purpose in languages is hashed as.
func TestDocumentShowsThePurposeHash(t *testing.T) {
	data, err := os.ReadFile("../../docs/SEALING.md")
	must(t, err)
	for _, p := range []liuma.Purpose{"", "申领电子社保卡", liuma.PurposeIn("查询社保缴费年限", "See your years of contribution"), liuma.PurposeIn("查询社保缴费年限", "")} {
		sum := PurposeHash(p)
		shown := hex.EncodeToString(sum[:])
		if p == "" {
			shown = shown[:8] + "…" + shown[56:]
		}
		if !strings.Contains(string(data), shown) || !strings.Contains(string(data), strings.ReplaceAll(string(p), "\n", "⏎")) {
			t.Errorf("docs/SEALING.md does not show %q as %s", p, shown)
		}
	}
}
