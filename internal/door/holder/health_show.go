package holder

import (
	"net/http"
	"strconv"
)

// showHealth says that the door is there. Whether the authority can give
// verdicts, the native door's /readyz says.
func (h *handler) showHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{\"status\":\"alive\"}\n")) // an error here means that nobody is listening
}

// showNothing keeps browsers that want a picture out of the log of errors.
func (h *handler) showNothing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=86400")
	w.WriteHeader(http.StatusNoContent)
}

// showScript serves the pages' own script; its name is its content.
func (h *handler) showScript(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Length", strconv.Itoa(len(h.pages.script.content)))
	_, _ = w.Write(h.pages.script.content) // an error here means that nobody is listening
}
