package client_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/vault"
)

// server stands in for the authority: it opens envelopes and signs receipts
// for real, and knows one PIN. The SDK is tried against the door itself in
// internal/door/api.
type server struct {
	*httptest.Server
	vault      *vault.Vault
	keyFetches atomic.Int32
}

const rightPIN = "407193"

func standIn() *server {
	dir, err := os.MkdirTemp("", "liuma-client-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) // the vault reads its file once
	path := filepath.Join(dir, "vault.key")
	if err := vault.Create(path); err != nil {
		panic(err)
	}
	s := &server{}
	if s.vault, err = vault.Open(path); err != nil {
		panic(err)
	}
	private, public, err := envelope.GenerateKey()
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/challenges", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"challenge":"c-1","expires":%q,"seal_key":{"kid":"k-1","public":%q,"suite":"any"}}`,
			time.Now().Add(5*time.Minute).Format(time.RFC3339), base64.RawURLEncoding.EncodeToString(public))
	})
	mux.HandleFunc("POST /v1/verifications", func(w http.ResponseWriter, r *http.Request) { s.verify(w, r, private) })
	mux.HandleFunc("POST /v1/hotline-freezes", hotlineFreeze)
	mux.HandleFunc("POST /v1/freezes", func(w http.ResponseWriter, r *http.Request) {
		var ask client.FreezeRequest
		_ = json.NewDecoder(r.Body).Decode(&ask)
		fmt.Fprintf(w, `{"business_no":%q,"action":"freeze","state":"decided","card":%q,"at":"2026-04-01T01:00:00Z"}`, ask.BusinessNo, ask.Subject.Card)
	})
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		s.keyFetches.Add(1)
		json.NewEncoder(w).Encode(s.vault.ReceiptKeys())
	})
	s.Server = httptest.NewServer(mux)
	return s
}

func (s *server) verify(w http.ResponseWriter, r *http.Request, private []byte) {
	var q struct {
		BusinessNo liuma.BusinessNo `json:"business_no"`
		Subject    struct{ Card string }
		Purpose    liuma.Purpose
		Challenge  string
		PIN        envelope.Envelope
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key, err := envelope.ParsePrivate(private)
	if err != nil {
		panic(err)
	}
	pin, err := envelope.Open(key, envelope.Binding{Channel: "zj-hrss", Action: liuma.ActionVerify, Role: liuma.RoleCurrent,
		Subject: envelope.Subject{Card: q.Subject.Card}, BusinessNo: q.BusinessNo, PurposeHash: envelope.PurposeHash(q.Purpose),
		SealKeyID: "k-1", Challenge: q.Challenge}, q.PIN)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if string(pin) != rightPIN {
		fmt.Fprintf(w, `{"business_no":%q,"action":"verify","state":"decided","verdict":"wrong","code":"wrong_pin","tries_left":5}`, q.BusinessNo)
		return
	}
	receipt, err := s.vault.SignReceipt(s.receipt(time.Now(), q.Subject.Card, q.BusinessNo, q.Purpose))
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(w, `{"business_no":%q,"action":"verify","state":"decided","verdict":"right","card":%q,"receipt":%q}`, q.BusinessNo, q.Subject.Card, receipt)
}

func (s *server) receipt(now time.Time, card string, no liuma.BusinessNo, purpose liuma.Purpose) vault.Receipt {
	return vault.Receipt{ID: "r-1", Issuer: s.URL, Channel: "zj-hrss", Subject: "pairwise", Card: card, BusinessNo: no, Action: liuma.ActionVerify,
		PurposeHash: envelope.PurposeHash(purpose), ACR: "urn:liuma:acr:pin", AMR: []string{"pin"}, PINAge: 40, PhoneAge: new(2), IssuedAt: now, Expires: now.Add(time.Minute)}
}

// hotlineFreeze knows one holder.
func hotlineFreeze(w http.ResponseWriter, r *http.Request) {
	var call client.HotlineFreezeRequest
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil || call.IDNumber != "330501195003076129" {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"code":"not_found","field":"id_number","detail_en":"No such record."}`)
		return
	}
	fmt.Fprintf(w, `{"business_no":%q,"action":"freeze","state":"decided","at":"2026-04-01T01:00:00Z"}`, call.BusinessNo)
}
