package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

// The headers of signed requests, for texts and for delivery reports.
const (
	HeaderTimestamp      = "Liuma-Timestamp"
	HeaderSignature      = "Liuma-Signature"
	HeaderIdempotencyKey = "Idempotency-Key"
)

const (
	// maxSkew is how old, or how far ahead, a signed request may be.
	maxSkew = 5 * time.Minute
	// maxReports is how many delivery reports one request may bring.
	maxReports = 100
	minSecret  = 32
)

// WebhookConfig holds the settings of a Webhook.
type WebhookConfig struct {
	URL string // https, or http to a loopback address
	// Secret is shared with the gateway, at least 32 bytes. While it is being
	// replaced, delivery reports may also be signed with Previous.
	Secret, Previous []byte
	// Voice means that the adapter also places calls.
	Voice  bool
	Client *http.Client // default: one of its own
	Now    func() time.Time
}

// Webhook is a driver for any gateway behind a small adapter: it posts a text, or the words of a
// call, as signed JSON, and reads delivery reports that are signed in the same way.
// docs/NOTICES.md has the bytes.
type Webhook struct {
	cfg    WebhookConfig
	client *http.Client
}

// NewWebhook checks the config.
func NewWebhook(c WebhookConfig) (*Webhook, error) {
	if _, err := parseGateway(c.URL); err != nil {
		return nil, fmt.Errorf("notify: webhook: URL: %w", err)
	}
	if len(c.Secret) < minSecret || len(c.Previous) > 0 && len(c.Previous) < minSecret {
		return nil, fmt.Errorf("notify: webhook: a secret has at least %d bytes", minSecret)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Secret, c.Previous = bytes.Clone(c.Secret), bytes.Clone(c.Previous)
	return &Webhook{cfg: c, client: gatewayClient(c.Client)}, nil
}

// Speaks reports whether the adapter places calls.
func (w *Webhook) Speaks() bool { return w.cfg.Voice }

// Signature is the value of Liuma-Signature: "v1=" and the lower-case
// hexadecimal HMAC-SHA256, with the secret as key, of the timestamp as in
// Liuma-Timestamp, a full stop, and the body.
func Signature(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(timestamp))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// webhookText is the body of a send.
type webhookText struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"`
	Way       liuma.CodeWay     `json:"way,omitempty"` // only "voice"; absent for a text
	Phone     string            `json:"phone"`
	Text      string            `json:"text"`
	Signature string            `json:"signature,omitempty"`
	Template  string            `json:"template"`
	Params    map[string]string `json:"params"`
	Language  string            `json:"language"`
	Region    string            `json:"region,omitempty"`
	Segments  int               `json:"segments,omitempty"`
	Expires   time.Time         `json:"expires,omitzero"`
}

// Send posts t. Any 2xx is success; the answer may be {"ref":"…"}.
func (w *Webhook) Send(ctx context.Context, t Text) (string, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	err := enc.Encode(webhookText{ID: t.ID, Kind: t.Kind, Way: t.Way, Phone: t.Phone, Text: t.Body, Signature: t.SenderMark,
		Template: string(t.Template), Params: t.Params, Language: t.Language, Region: string(t.Region),
		Segments: t.Segments, Expires: t.Expires})
	if err != nil {
		return "", &Failure{Kind: Permanent, Word: FaultTemplate}
	}
	sent := bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	defer clear(sent)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(sent))
	if err != nil {
		return "", &Failure{Kind: Temporary, Word: FaultTemporary}
	}
	req.GetBody = nil // otherwise net/http would repeat the request by itself; only the worker may try again
	stamp := strconv.FormatInt(w.cfg.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(HeaderTimestamp, stamp)
	req.Header.Set(HeaderSignature, Signature(w.cfg.Secret, stamp, sent))
	req.Header.Set(HeaderIdempotencyKey, t.ID)
	status, header, answer, err := exchange(w.client, req)
	if err != nil {
		return "", err
	}
	if status < 200 || status > 299 {
		return "", statusFailure(status, header)
	}
	var got struct {
		Ref string `json:"ref"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return "", nil //nolint:nilerr // the text was accepted; only the reference is missing
	}
	return got.Ref, nil
}

// ReadReports reads delivery reports that the gateway posted, with the values of
// Liuma-Timestamp and Liuma-Signature. Without the gateway's signature, or after
// five minutes, the error is ErrForged. Within that time they may come twice.
func (w *Webhook) ReadReports(timestamp, signature string, body []byte) ([]Report, error) {
	if !w.signed(timestamp, signature, body) {
		return nil, ErrForged
	}
	return parseReports(body)
}

// signed checks signature and age of a request.
func (w *Webhook) signed(stamp, signature string, body []byte) bool {
	sec, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || w.cfg.Now().Sub(time.Unix(sec, 0)).Abs() > maxSkew {
		return false
	}
	got := []byte(signature)
	ok := hmac.Equal(got, []byte(Signature(w.cfg.Secret, stamp, body)))
	if len(w.cfg.Previous) > 0 && hmac.Equal(got, []byte(Signature(w.cfg.Previous, stamp, body))) {
		ok = true
	}
	return ok
}

// parseReports reads {"receipts":[{"id","ref","status"}, …]}, where id or ref
// may be missing or null. It is strict: a request that Send signed has another
// form, so it cannot be replayed here.
func parseReports(body []byte) ([]Report, error) {
	value, fault := strictjson.Parse(body, 3)
	if fault != nil {
		return nil, fmt.Errorf("%w: %w", errReport, fault)
	}
	object, _ := value.(map[string]any)
	list, _ := object["receipts"].([]any)
	if len(object) != 1 || len(list) == 0 || len(list) > maxReports {
		return nil, fmt.Errorf("%w: want 1 to %d receipts", errReport, maxReports)
	}
	out := make([]Report, 0, len(list))
	for _, v := range list {
		receipt, err := parseReport(v)
		if err != nil {
			return nil, err
		}
		out = append(out, receipt)
	}
	return out, nil
}

func parseReport(v any) (Report, error) {
	object, _ := v.(map[string]any)
	texts := map[string]string{}
	for name, v := range object {
		text, isText := v.(string)
		if v != nil && !isText || name != "id" && name != "ref" && name != "status" {
			return Report{}, fmt.Errorf("%w: member %s", errReport, strictjson.SafeName(name))
		}
		texts[name] = text
	}
	r := Report{ID: texts["id"], Ref: texts["ref"], Delivered: texts["status"] == "delivered"}
	if r.ID == "" && r.Ref == "" || !r.Delivered && texts["status"] != "failed" {
		return Report{}, fmt.Errorf("%w: a receipt without name or status", errReport)
	}
	return r, nil
}

// Format, LogValue and MarshalText hide the secrets.
func (w *Webhook) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[webhook]") }

// LogValue logs the placeholder.
func (w *Webhook) LogValue() slog.Value { return slog.StringValue("[webhook]") }

// MarshalText writes the placeholder.
func (w *Webhook) MarshalText() ([]byte, error) { return []byte("[webhook]"), nil }
