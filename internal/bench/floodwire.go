package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/notify"
)

// What became of a request or a connection without an answer.
const (
	noAnswer   = "no answer"
	notOpened  = "not opened"
	heldToEnd  = "held to the end"
	closedByIt = "closed by the server"
)

// post sends a body, with a bearer token unless it is empty.
func (f *flooder) post(ctx context.Context, address, kind, token string, body io.Reader) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return labelOf(err)
	}
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return f.answer(f.http, r)
}

// answer sends a request and names the answer.
func (f *flooder) answer(h *http.Client, r *http.Request) string {
	resp, err := h.Do(r)
	if err != nil {
		return noAnswer
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return noAnswer
	}
	return labelOfAnswer(resp, raw)
}

// reports posts as many reports as one request may bring, as a gateway whose
// secret was stolen.
func reports(_ context.Context, f *flooder) (sender, error) {
	address := "http://" + f.stage.Gateway + config.ReceiptPath
	return func(ctx context.Context, _ int) string {
		all := make([]map[string]string, 100)
		for i := range all {
			all[i] = map[string]string{"id": strings.ToLower(rand.Text()), "status": "delivered"}
		}
		body, err := json.Marshal(map[string]any{"receipts": all})
		if err != nil {
			return labelOf(err)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return labelOf(err)
		}
		stamp := strconv.FormatInt(time.Now().Unix(), 10)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(notify.HeaderTimestamp, stamp)
		r.Header.Set(notify.HeaderSignature, notify.Signature(f.stage.Secret, stamp, body))
		return f.answer(f.http, r)
	}, nil
}

// freezeCodes posts codes that were drawn at random, each over a connection
// from another loopback address, as from many networks. Only Linux has all of
// 127.0.0.0/8 without being told.
func freezeCodes(_ context.Context, f *flooder) (sender, error) {
	return func(ctx context.Context, _ int) string {
		code := rand.Text()[:11]
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.stage.Issuer+"/freeze", strings.NewReader(url.Values{"code": {code}}.Encode()))
		if err != nil {
			return labelOf(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", f.stage.Issuer)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: somewhere()}, Timeout: 10 * time.Second}
		once := &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}
		return f.answer(&http.Client{Transport: once, Timeout: 30 * time.Second}, r)
	}, nil
}

// somewhere is an address of the loopback network, drawn at random.
func somewhere() net.IP {
	var b [3]byte
	rand.Read(b[:])
	return net.IPv4(127, b[0]|1, b[1], max(1, b[2]))
}

// garbage goes to each door in turn: a request that names nothing, and bytes
// that are not HTTP.
func garbage(_ context.Context, f *flooder) (sender, error) {
	doors := []struct{ name, address string }{
		{"native", strings.TrimPrefix(f.stage.Native, "http://")}, {"hosted", strings.TrimPrefix(f.stage.Issuer, "http://")}, {"gateway", f.stage.Gateway}}
	return func(ctx context.Context, i int) string {
		d := doors[i%len(doors)]
		junk := make([]byte, 1024)
		rand.Read(junk)
		if i/len(doors)%2 == 0 {
			return d.name + " " + f.post(ctx, "http://"+d.address+"/"+rand.Text(), "application/json", rand.Text(), bytes.NewReader(junk))
		}
		return d.name + " " + bare(ctx, d.address, append(junk, "\r\n\r\n"...))
	}, nil
}

// bare sends bytes over a connection of its own and names the answer.
func bare(ctx context.Context, address string, junk []byte) string {
	d := net.Dialer{Timeout: 10 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return notOpened
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write(junk); err != nil {
		return closedByIt
	}
	answer := make([]byte, 12) // HTTP/1.1 400
	if _, err := io.ReadFull(conn, answer); err != nil {
		return closedByIt
	}
	return fmt.Sprintf("bytes %s", answer[9:])
}

// idle opens a connection and sends nothing.
func idle(_ context.Context, f *flooder) (sender, error) {
	return holding(f, strings.TrimPrefix(f.stage.Native, "http://"), "", ""), nil
}

// slowHeaders begins a request and goes on with it as slowly as it can.
func slowHeaders(_ context.Context, f *flooder) (sender, error) {
	return holding(f, strings.TrimPrefix(f.stage.Issuer, "http://"), "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "s"), nil
}

// holding opens a connection, sends first, then next each second, until the
// server closes it or the flood ends.
func holding(f *flooder, address, first, next string) sender {
	return func(ctx context.Context, _ int) string {
		d := net.Dialer{Timeout: 10 * time.Second}
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return notOpened
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, first); err != nil {
			return closedByIt
		}
		buf := make([]byte, 256)
		for time.Now().Before(f.until) {
			conn.SetReadDeadline(earlier(f.until, time.Now().Add(time.Second)))
			_, err := conn.Read(buf)
			if err == nil {
				continue // an answer; the close comes after it
			}
			if e, ok := err.(net.Error); !ok || !e.Timeout() {
				return closedByIt
			}
			if _, err := io.WriteString(conn, next); err != nil {
				return closedByIt
			}
		}
		return heldToEnd
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
