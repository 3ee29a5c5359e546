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

// standIn signs that a holder is who they say, by a provider that is registered
// as a stand-in: receipts name it, and only demos accept it. The sample channel
// tells it who is in front of the camera, so that a visitor can play a thief;
// the evidence proves nothing.
func standIn(signer *evidence.Signer, now func() time.Time) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+EvidencePath, func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Audience  string `json:"audience"`
			Challenge string `json:"challenge"`
			IDNumber  string `json:"id_number"`
			Name      string `json:"name"`
			// Camera is who is in front of it: the stand-in has no eyes, and
			// believes the sample channel.
			Camera string `json:"camera"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody)).Decode(&q); err != nil {
			refuse(w, http.StatusBadRequest, "bad_request")
			return
		}
		id, err := registry.ParseIDNumber(q.IDNumber)
		if err != nil {
			refuse(w, http.StatusBadRequest, "id_number_invalid")
			return
		}
		if seen, err := registry.ParseIDNumber(q.Camera); err != nil || seen.Canonical() != id.Canonical() {
			refuse(w, http.StatusUnprocessableEntity, "face_mismatch")
			return
		}
		token, err := signer.Sign(evidence.Statement{
			Audience: q.Audience, Challenge: q.Challenge, IDNumber: id.Canonical(), Name: q.Name,
			Method: evidence.MethodStandIn, IssuedAt: now(), Expires: now().Add(evidenceLife),
		})
		if err != nil {
			refuse(w, http.StatusInternalServerError, "failed")
			return
		}
		answer(w, map[string]string{"evidence": token})
	})
	return mux
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"error":"` + code + `"}`)) // the client has disconnected
}
