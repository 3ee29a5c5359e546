package notify

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/vault"
)

// Kannel's delivery reports, as bits of dlr-mask.
const (
	dlrDelivered = 1
	dlrFailed    = 2
	dlrRejected  = 16
)

// KannelConfig holds the settings of a Kannel.
type KannelConfig struct {
	SendURL  string // smsbox's sendsms address; https, or http to a loopback address
	Username string
	Password string
	From     string // the sender's number or name
	// ReceiptURL is the address at which smsbox reaches the door that takes its
	// reports; https, or http to a loopback address, without a query.
	ReceiptURL string
	Vault      *vault.Vault // authenticates the reports' addresses
	Client     *http.Client // default: one of its own
	Now        func() time.Time
}

// Kannel is a driver for a Kannel gateway, by the sendsms interface of its
// smsbox. Kannel has no de-duplication key: a text that is sent twice may be
// shown twice.
type Kannel struct {
	cfg    KannelConfig
	client *http.Client
}

// NewKannel checks the config.
func NewKannel(c KannelConfig) (*Kannel, error) {
	var errs []error
	send, err := parseGateway(c.SendURL)
	if err != nil || send.RawQuery != "" {
		errs = append(errs, errors.New("SendURL: want https, or http to a loopback address, without query"))
	}
	receipt, err := parseGateway(c.ReceiptURL)
	if err != nil || receipt.RawQuery != "" || strings.Contains(c.ReceiptURL, "%") {
		errs = append(errs, errors.New("ReceiptURL: want https, or http to a loopback address, without query and %"))
	}
	if c.Username == "" || c.Password == "" {
		errs = append(errs, errors.New("no Username or no Password"))
	}
	if c.Vault == nil {
		errs = append(errs, errors.New("no Vault"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("notify: kannel: %w", err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Kannel{cfg: c, client: gatewayClient(c.Client)}, nil
}

// token returns the secret that a delivery report about one message must carry.
// It is of no use for any other message.
func (k *Kannel) token(id string) string {
	mac := k.cfg.Vault.RowMAC("kannel-receipt", []byte(id))
	return hex.EncodeToString(mac[:16])
}

// Send asks smsbox to take t. smsbox's interface is a GET: number, text and
// password are in the address. So nothing that logs addresses may be in
// between, and no error carries an address.
func (k *Kannel) Send(ctx context.Context, t Text) (string, error) {
	ask := url.Values{
		"username": {k.cfg.Username}, "password": {k.cfg.Password},
		"to": {t.Phone}, "text": {t.Body},
		"charset": {"UTF-8"}, "coding": {"2"}, // UCS-2
		"dlr-mask": {strconv.Itoa(dlrDelivered | dlrFailed | dlrRejected)},
		"dlr-url":  {k.cfg.ReceiptURL + "?id=" + t.ID + "&token=" + k.token(t.ID) + "&status=%d"},
	}
	if k.cfg.From != "" {
		ask.Set("from", k.cfg.From)
	}
	if !t.Expires.IsZero() {
		left := t.Expires.Sub(k.cfg.Now())
		ask.Set("validity", strconv.Itoa(max(1, int(left/time.Minute))))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.cfg.SendURL+"?"+ask.Encode(), http.NoBody)
	if err != nil {
		return "", &Failure{Kind: Temporary, Word: FaultTemporary}
	}
	// net/http repeats a GET on a reused connection if the answer is lost, and
	// Kannel would send the text twice.
	req.Close = true
	status, header, answer, err := exchange(k.client, req)
	if err != nil {
		return "", err
	}
	return kannelAnswer(status, header, string(answer))
}

// kannelAnswer reads smsbox's answer: 202 with "0: Accepted for delivery" or
// "3: Queued for later delivery", then perhaps ": " and a reference.
func kannelAnswer(status int, header http.Header, answer string) (string, error) {
	if status == http.StatusServiceUnavailable {
		return "", &Failure{Kind: Temporary, Word: "gateway_busy"}
	}
	if status != http.StatusAccepted && status != http.StatusOK {
		return "", statusFailure(status, header)
	}
	parts := strings.SplitN(strings.TrimSpace(answer), ":", 3)
	if parts[0] != "0" && parts[0] != "3" {
		return "", &Failure{Kind: Temporary, Word: "unexpected_answer"}
	}
	if len(parts) < 3 {
		return "", nil
	}
	return strings.TrimSpace(parts[2]), nil
}

// ReadReport reads a delivery report from the address that Send gave to smsbox.
// Without the message's token the error is ErrForged. While the text is still
// on its way there is no report.
func (k *Kannel) ReadReport(id, token, status string) ([]Report, error) {
	if !hmac.Equal([]byte(token), []byte(k.token(id))) {
		return nil, ErrForged
	}
	switch n, err := strconv.Atoi(status); {
	case err != nil:
		return nil, fmt.Errorf("%w: status", errReport)
	case n == dlrDelivered, n == dlrFailed, n == dlrRejected:
		return []Report{{ID: id, Delivered: n == dlrDelivered}}, nil
	}
	return nil, nil
}

// Format prints a placeholder, not the password.
func (k *Kannel) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[kannel]") }

// LogValue logs the placeholder.
func (k *Kannel) LogValue() slog.Value { return slog.StringValue("[kannel]") }

// MarshalText writes the placeholder.
func (k *Kannel) MarshalText() ([]byte, error) { return []byte("[kannel]"), nil }
