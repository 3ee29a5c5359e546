package door

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/liuma-pin/liuma"
)

// OnlyType refuses a body unless it has the given media type, in UTF-8 and
// uncompressed.
func OnlyType(h http.Header, want string) error {
	kinds := h.Values("Content-Type")
	if len(kinds) != 1 {
		return Malformed(ReasonContentType, "")
	}
	if kinds[0] != want {
		kind, params, err := mime.ParseMediaType(kinds[0])
		charset, has := params["charset"]
		if err != nil || kind != want || has && !strings.EqualFold(charset, "utf-8") {
			return Malformed(ReasonContentType, "")
		}
	}
	for _, encoding := range h.Values("Content-Encoding") {
		if !strings.EqualFold(encoding, "identity") {
			return Malformed(ReasonContentEncoding, "")
		}
	}
	return nil
}

// NoQuery refuses an address with a query, because proxies log addresses.
func NoQuery(r *http.Request) error {
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		return Malformed(ReasonQuery, "")
	}
	return nil
}

// ReadBody returns the whole body, of at most most bytes.
func ReadBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength > most {
		return nil, liuma.Fail(liuma.CodeTooLarge, nil)
	}
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, most)); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, liuma.Fail(liuma.CodeTooLarge, nil)
		}
		return nil, &liuma.Error{Code: liuma.CodeBadRequest, Reason: string(ReasonBody), Cause: err}
	}
	return body.Bytes(), nil
}
