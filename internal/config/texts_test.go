package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/liuma-pin/liuma/internal/notify"
)

const webhookYAML = "texts: {driver: webhook, webhook: {url: 'https://sms.example.cn/send', secret_file: texts.secret}}\n"

const kannelYAML = "texts: {driver: kannel, kannel: {url: 'http://127.0.0.1:13013/cgi-bin/sendsms', username: liuma, password_file: p, " +
	"receipt_url: 'http://127.0.0.1:8602/receipts'}}\ngateway_door: {listen: '127.0.0.1:8602'}\n"

func TestTextsAreTaken(t *testing.T) {
	for name, yaml := range map[string]string{
		"calls": strings.Replace(webhookYAML, "secret_file", "voice: true, secret_file", 1),
		"none":  "texts: {driver: none}", "left out": "log: info", "webhook": webhookYAML, "kannel": kannelYAML,
		"webhook with receipts": webhookYAML + "gateway_door: {listen: '0.0.0.0:8602', behind_proxy: true}",
		"inbox":                 "texts: {driver: inbox}\nallow_stand_in_evidence: true",
		"quotas":                "texts: {codes: {per_second: 0.5, concurrent: 1}}",
	} {
		if _, err := Parse([]byte(yaml)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := Parse([]byte("texts: {codes: {per_second: 5}}"))
	if err != nil || c.Texts.Codes != (Quota{PerSecond: 5, Concurrent: 16}) || c.Texts.Notices.PerSecond != 50 {
		t.Errorf("defaults are gone: %+v, %v", c.Texts, err)
	}
}

func TestTextsAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, yaml, want string }{
		{"driver", "texts: {driver: pigeon}", `driver "pigeon"`},
		{"unknown member", "texts: {drivers: none}", "drivers"},
		{"unknown member below", "texts: {webhook: {uri: x}}", "uri"},
		{"secret in clear", "texts: {webhook: {secret: x}}", "secret"},
		{"inbox for real", "texts: {driver: inbox}", "allow_stand_in_evidence"},
		{"no signature", "texts: {signature_zh: ' '}", "signature_zh is empty"},
		{"signature with a link", "texts: {signature_en: www.example.cn}", "not a plain name"},
		{"signature that is too long", "texts: {signature_zh: '" + strings.Repeat("省", 40) + "'}", "short messages"},
		{"wordings for nobody", "texts: {wordings: w.yaml}", "wordings"},
		{"no rate", "texts: {codes: {per_second: 0}}", "texts.codes.per_second"},
		{"rate that is not a number", "texts: {notices: {per_second: .nan}}", "texts.notices.per_second"},
		{"nothing at once", "texts: {notices: {concurrent: 0}}", "texts.notices.concurrent"},
		{"too much at once", "texts: {notices: {concurrent: 5000}}", "texts.notices.concurrent"},
		{"webhook without URL", "texts: {driver: webhook, webhook: {secret_file: s}}", "texts.webhook.url"},
		{"webhook in clear", "texts: {driver: webhook, webhook: {url: 'http://sms.example.cn/', secret_file: s}}", "want https"},
		{"calls without webhook", "texts: {webhook: {voice: true}}", "webhook: the driver is"},
		{"calls by Kannel", "texts: {kannel: {voice: true}}", "voice"},
		{"webhook without secret", "texts: {driver: webhook, webhook: {url: 'https://sms.example.cn/'}}", "secret_file is missing"},
		{"webhook of another driver", "texts: {webhook: {url: 'https://sms.example.cn/'}}", `texts.webhook: the driver is "none"`},
		{"kannel of another driver", webhookYAML[:len(webhookYAML)-2] + ", kannel: {from: '1'}}", `texts.kannel: the driver is "webhook"`},
		{"kannel without receipts", "texts: {driver: kannel, kannel: {url: 'http://127.0.0.1:1/s', username: u, password_file: p}}", "gateway_door.listen is missing"},
		{"kannel that reports elsewhere", strings.Replace(kannelYAML, "/receipts", "/dlr", 1), "takes receipts at /receipts"},
		{"kannel with a query", strings.Replace(kannelYAML, "sendsms'", "sendsms?a=b'", 1), "no query"},
		{"kannel without password", strings.Replace(kannelYAML, "password_file: p, ", "", 1), "password_file"},
		{"gateway door for nobody", "gateway_door: {listen: '127.0.0.1:1'}", "gateway_door is for the receipts"},
		{"open gateway door", webhookYAML + "gateway_door: {listen: '0.0.0.0:1'}", "gateway_door: 0.0.0.0:1 is not loopback"},
		{"gateway door that listens nowhere", webhookYAML + "gateway_door: {behind_proxy: true}", "gateway_door.listen"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.yaml))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error naming %q", err, tt.want)
			}
		})
	}
}

func TestTextsPathsAreRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte(webhookYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(dir)
	if err != nil || c.Texts.Webhook.SecretFile != filepath.Join(dir, "texts.secret") || c.Texts.Webhook.PreviousFile != "" {
		t.Errorf("%+v, %v", c.Texts.Webhook, err)
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name, content string
		mode          os.FileMode
		want, err     string
	}{
		{"line", "s3cret \n", 0o600, "s3cret ", ""},
		{"no newline", "s3cret", 0o400, "s3cret", ""},
		{"of another system", "s3cret\r\n", 0o600, "s3cret", ""},
		{"open to the group", "s3cret", 0o640, "", "want mode 0600"},
		{"open to all", "s3cret", 0o604, "", "want mode 0600"},
		{"empty", "\n", 0o600, "", "one line"},
		{"two lines", "a\nb\n", 0o600, "", "one line"},
		{"too long", strings.Repeat("x", maxSecret+1), 0o600, "", "one line"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(tt.name, " ", "-"))
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			got, err := ReadSecret(path)
			if tt.err == "" && (err != nil || string(got) != tt.want) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%q, %v", got, err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Error("the error has the secret")
			}
		})
	}
	if _, err := ReadSecret(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := ReadSecret(dir); err == nil {
		t.Error("read a directory")
	}
}

func TestCreateSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := CreateSecret(path); err != nil {
		t.Fatal(err)
	}
	if s, err := ReadSecret(path); err != nil || len(s) != 64 {
		t.Errorf("%d bytes, %v", len(s), err)
	}
	if err := CreateSecret(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("made it twice: %v", err)
	}
}

func TestReadWordings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.yaml")
	read := func(content string) ([]notify.Override, error) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return ReadWordings(path)
	}
	got, err := read("- region: '330500'\n  template: pin_reset\n  language: zh-CN\n  text: '甲{holder}'\n")
	want := []notify.Override{{Region: "3305", Template: notify.PINReset, Language: notify.Chinese, Text: "甲{holder}"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, tt := range []struct{ content, want string }{
		{"- {region: '33', txt: a}", "txt"},
		{"- {region: '33', text: a, text: b}", "text"},
		{"- {region: abc, text: a}", "entry 1"},
		{"region: '33'", "w.yaml"},
		{"# " + strings.Repeat("x", maxWordings), "longer"},
	} {
		if _, err := read(tt.content); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want an error naming %q", err, tt.want)
		}
	}
	if _, err := ReadWordings(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
