package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// maxAnswer is the largest answer that is read, in bytes.
const maxAnswer = 1 << 20

// Problem is a refusal by the authority (RFC 9457). Branch on Code; show Title,
// Detail and NextStep to people, in either language. The error codes are listed
// in docs/API.md.
type Problem struct {
	Status     int        `json:"status"` // HTTP
	Code       string     `json:"code"`
	Reason     string     `json:"reason"` // finer reason beneath Code, such as the PIN rule
	Field      string     `json:"field"`  // member at fault, dotted
	TitleZH    string     `json:"title_zh"`
	TitleEN    string     `json:"title_en"`
	DetailZH   string     `json:"detail_zh"`
	DetailEN   string     `json:"detail_en"`
	NextStepZH string     `json:"next_step_zh"`
	NextStepEN string     `json:"next_step_en"`
	BusinessNo string     `json:"business_no"`
	Instance   string     `json:"instance"`   // names this occurrence, for the authority's operator
	TriesLeft  *int       `json:"tries_left"` // nil where it may not be said
	Until      *time.Time `json:"until"`      // when the refusal ends by itself
	// Challenge comes with evidence_required: bind the evidence to it.
	Challenge string `json:"challenge"`
	// OAuth is the error of the hosted door in OAuth's terms, such as access_denied.
	// Status is 0 if the error came in a browser's address; anybody may have written
	// that address.
	OAuth string `json:"-"`
	// RetryAfter is how long to wait before the same request may succeed;
	// zero means that waiting does not help.
	RetryAfter time.Duration `json:"-"`
}

func (p *Problem) Error() string {
	s := "liuma: " + p.Code
	if p.Reason != "" {
		s += "/" + p.Reason
	}
	if p.Field != "" {
		s += " (" + p.Field + ")"
	}
	return fmt.Sprintf("%s: %s %s [%s]", s, p.DetailEN, p.NextStepEN, p.Instance)
}

// CodeOf returns the error code of the Problem in err's chain, or "".
func CodeOf(err error) string {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Code
	}
	return ""
}

// NoAnswerError says that a request may have reached the authority and no answer came
// back. Ask for the result later by its business number.
type NoAnswerError struct {
	BusinessNo string // empty for a request without one
	Err        error
}

func (e *NoAnswerError) Error() string {
	if e.BusinessNo == "" {
		return fmt.Sprintf("client: no answer: %v", e.Err)
	}
	return fmt.Sprintf("client: no answer to request %s; ask for it by its business number: %v", e.BusinessNo, e.Err)
}

func (e *NoAnswerError) Unwrap() error { return e.Err }

// post sends one request, once.
func (c *Client) post(ctx context.Context, path, businessNo string, body, answer any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("client: request: %w", err)
	}
	return c.exchange(ctx, http.MethodPost, path, businessNo, raw, answer)
}

func (c *Client) get(ctx context.Context, path string, answer any) error {
	return c.exchange(ctx, http.MethodGet, path, "", nil, answer)
}

func (c *Client) exchange(ctx context.Context, method, path, businessNo string, body []byte, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("client: request: %w", err)
	}
	token, err := c.bearer()
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json, application/problem+json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.answered(req, businessNo, http.StatusOK, problemOf, answer)
}

// answered sends a request, once, and reads its answer. An answer whose status is not
// want becomes the error that problem returns; an answer that did not come whole from
// the authority becomes a NoAnswerError.
func (c *Client) answered(req *http.Request, businessNo string, want int, problem func(*http.Response, []byte, string) error, answer any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		return &NoAnswerError{BusinessNo: businessNo, Err: err}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &NoAnswerError{BusinessNo: businessNo, Err: err}
	}
	if resp.StatusCode != want {
		return problem(resp, raw, businessNo)
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return &NoAnswerError{BusinessNo: businessNo, Err: fmt.Errorf("answer: %w", err)}
	}
	return nil
}

// problemOf reads a problem document. Anything else did not come from the authority, so
// nothing is known about the request.
func problemOf(resp *http.Response, raw []byte, businessNo string) error {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	p := &Problem{}
	if err != nil || kind != "application/problem+json" || json.Unmarshal(raw, p) != nil || p.Code == "" {
		return &NoAnswerError{BusinessNo: businessNo, Err: fmt.Errorf("status %d without a problem document", resp.StatusCode)}
	}
	p.Status = resp.StatusCode
	p.RetryAfter = retryAfter(resp.Header)
	return p
}

// retryAfter is the time that a header asks to wait; zero: it asks for none.
func retryAfter(h http.Header) time.Duration {
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	return 0
}
