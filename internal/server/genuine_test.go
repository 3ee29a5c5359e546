package server_test

import (
	"bytes"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/liuma-pin/liuma/examples/agencies"
	"github.com/liuma-pin/liuma/internal/agency"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/testkit"
)

// TestWhatIsGenuine: a running server answers by its registered channels, its own address
// and the numbers of its configuration.
func TestWhatIsGenuine(t *testing.T) {
	e := testkit.New(t, testkit.Options{Listen: true, Configure: func(c *config.Config) { c.Texts.Senders = []string{"106900001"} }})
	e.Serve()
	channel := testkit.NationalChannel("hills", "https://hills.example.cn/back")
	channel.Name.ZH, channel.Name.EN = "山里社保", "Hill Card"
	e.AddClient(channel, e.NewKey())
	answer := func(typed string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+e.System.Config.Hosted.Listen+"/genuine?q="+url.QueryEscape(typed), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Language", "en")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp.StatusCode, err)
		}
		return html.UnescapeString(string(body))
	}
	for typed, want := range map[string]string{
		"山里社保": "An official app", "hills.example.cn": "address of an official app", "hills.example.cn.evil.example": "do not know this address",
		"106900001": "We send texts from this number", "12333": "official number to call", "12393": "official number to call", "106900002": "do not know this number",
		e.System.Config.Issuer: "our official address",
	} {
		if page := answer(typed); !strings.Contains(page, want) {
			t.Errorf("%s is not answered with %q", typed, want)
		}
	}
	for _, number := range []string{"962218", "0572-0000004"} {
		if page := answer(number); strings.Contains(page, "official number to call") {
			t.Errorf("%s is official before anybody imported it", number)
		}
	}
	if _, err := e.System.Agencies.Import(t.Context(), bytes.NewReader(agencies.File), agency.ImportConfig{Actor: "operator"}); err != nil {
		t.Fatal(err)
	}
	if page := answer("0572-0000004"); strings.Contains(page, "official number to call") {
		t.Error("a number that was made up for a sample is official")
	}
	real := "code,region,name,address,telephone\nhuzhou-east,330502,吴兴区东街社保所,东街 1 号,0572-0000014\n"
	if _, err := e.System.Agencies.Import(t.Context(), strings.NewReader(real), agency.ImportConfig{Actor: "operator"}); err != nil {
		t.Fatal(err)
	}
	for _, number := range []string{"962218", "0572-0000014", "0572 0000014"} {
		if page := answer(number); !strings.Contains(page, "official number to call") {
			t.Errorf("%s of the directory is not official", number)
		}
	}
}
