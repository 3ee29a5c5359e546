package window

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/registry"
)

// EvidencePath is where the stand-in provider answers.
const EvidencePath = "/stand-in/evidence"

const evidenceLife = 5 * time.Minute

// standIn signs whatever it is asked to, by a provider that is registered as a
// stand-in: a receipt says so, and only demos accept it.
func standIn(signer *evidence.Signer, now func() time.Time) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+EvidencePath, func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Audience  string `json:"audience"`
			Challenge string `json:"challenge"`
			IDNumber  string `json:"id_number"`
			Name      string `json:"name"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody)).Decode(&q); err != nil {
			http.Error(w, `{"error":"bad_request"}`, http.StatusBadRequest)
			return
		}
		id, err := registry.ParseIDNumber(q.IDNumber)
		if err != nil {
			http.Error(w, `{"error":"id_number_invalid"}`, http.StatusBadRequest)
			return
		}
		token, err := signer.Sign(evidence.Statement{
			Audience: q.Audience, Challenge: q.Challenge, IDNumber: id.Canonical(), Name: q.Name,
			Method: evidence.MethodStandIn, IssuedAt: now(), Expires: now().Add(evidenceLife),
		})
		if err != nil {
			http.Error(w, `{"error":"failed"}`, http.StatusInternalServerError)
			return
		}
		answer(w, map[string]string{"evidence": token})
	})
	return mux
}
