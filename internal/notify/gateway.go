package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxAnswer is how many bytes of a gateway's answer are read at most.
const maxAnswer = 64 << 10

// ErrForged means that a report does not come from the gateway.
var ErrForged = errors.New("notify: the report is not from the gateway")

// errReport means that the gateway's report cannot be read.
var errReport = errors.New("notify: the report cannot be read")

// parseGateway reads a gateway's address. Texts carry codes and numbers, so the
// address must use TLS or be on this machine.
func parseGateway(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("want an absolute URL without user and fragment")
	}
	switch u.Scheme {
	case "https":
		return u, nil
	case "http":
		if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			return u, nil
		}
	}
	return nil, errors.New("want https, or http to a loopback address")
}

// CheckAddress returns an error if a gateway may not have this address.
func CheckAddress(address string) error {
	_, err := parseGateway(address)
	return err
}

// gatewayClient never follows a redirect: the text would be sent to an address
// that nobody configured.
func gatewayClient(given *http.Client) *http.Client {
	c := &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute,
		ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxAnswer,
	}}
	if given != nil {
		copied := *given
		c = &copied
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// exchange makes one request and reads the answer up to maxAnswer bytes.
func exchange(c *http.Client, req *http.Request) (status int, header http.Header, body []byte, err error) {
	res, err := c.Do(req)
	if err != nil {
		return 0, nil, nil, unreachable(err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, nil, unreachable(err)
	}
	if len(body) > maxAnswer {
		return 0, nil, nil, &Failure{Kind: Temporary, Word: "answer_too_long"}
	}
	return res.StatusCode, res.Header, body, nil
}

// unreachable removes the URL from an error, because it may contain the text.
func unreachable(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	f := &Failure{Kind: Temporary, Word: "unreachable", Cause: err}
	if n, ok := errors.AsType[net.Error](err); errors.Is(err, context.DeadlineExceeded) || ok && n.Timeout() {
		f.Word = FaultTimeout
	}
	return f
}

// statusFailure classifies an HTTP status that is not success. Faults that an
// operator can correct (wrong password, wrong address, a redirect) are
// temporary, so that no message is lost in the meantime.
func statusFailure(status int, header http.Header) *Failure {
	cause := fmt.Errorf("HTTP status %d", status)
	switch {
	case status == http.StatusTooManyRequests:
		return &Failure{Kind: Throttled, Word: "throttled", After: retryAfter(header), Cause: cause}
	case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
		return &Failure{Kind: Throttled, Word: "gateway_busy", After: retryAfter(header), Cause: cause}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &Failure{Kind: Temporary, Word: "unauthorized", Cause: cause}
	case status == http.StatusBadRequest, status == http.StatusUnprocessableEntity, status == http.StatusRequestEntityTooLarge,
		status == http.StatusGone:
		return &Failure{Kind: Permanent, Word: "refused", Cause: cause}
	case status >= 500:
		return &Failure{Kind: Temporary, Word: "gateway_error", Cause: cause}
	}
	return &Failure{Kind: Temporary, Word: "unexpected_answer", Cause: cause}
}

// retryAfter reads the header as seconds; for a date the worker's default is
// used.
func retryAfter(header http.Header) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(header.Get("Retry-After")))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 3600)) * time.Second
}
