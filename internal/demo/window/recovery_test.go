package window_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/liuma-pin/liuma/internal/demo/window"
	"github.com/liuma-pin/liuma/test/printed"
)

// next waits for an unread text in the window.
func (s *stage) next(read *int) window.SMS {
	s.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		var all struct{ Messages []window.SMS }
		s.must(json.Unmarshal([]byte(s.ask("/sms.json")), &all))
		if len(all.Messages) > *read {
			*read++
			return all.Messages[*read-1]
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatal("no text came")
	return window.SMS{}
}

// proves asks for a one-time code, reads it in the window and types it.
func (p *phone) proves(s *stage, read *int) string {
	p.t.Helper()
	p.press("send-code")
	m := s.next(read)
	if len(m.Code) != 6 || m.Whose.ZH != "王奶奶" || m.Also.ZH != "小偷" {
		p.t.Fatalf("text %+v", m)
	}
	p.press("code", "code", m.Code)
	return m.Code
}

// TestForgotten follows the window's guide: a card with a bound phone, a reset
// PIN, and a thief who reads the same texts. The window shows one-time codes
// where they were: typed in at the authority, a MAC in the database, nowhere
// else.
func TestForgotten(t *testing.T) {
	s := newTexted(t)
	p, read := newPhone(t, s), 0
	p.be(s.apps[0], "wang")
	p.press("start", "action", "enroll")
	p.press("evidence")
	p.begin()
	p.agree()
	codes := []string{p.proves(s, &read)}
	p.give("new", goodPIN)
	p.goBack()
	p.says("申领成功")
	notice := s.next(&read)
	if len(notice.Freeze) != len("K7M 29QX A4TW") || notice.Code != "" {
		t.Fatalf("notice %+v", notice)
	}

	s.Clock.Advance(73 * time.Hour)
	p.be(s.apps[0], "wang")
	p.press("start", "action", "reset")
	p.begin()
	p.agree()
	codes = append(codes, p.proves(s, &read))
	p.goBack()
	p.says("验证码只说明手机在手上")
	p.press("evidence")
	p.begin()
	p.give("new", newPIN)
	p.goBack()
	p.says("密码找回来了")
	if m := s.next(&read); m.Freeze == "" {
		t.Fatalf("notice %+v", m)
	}

	s.Clock.Advance(61 * time.Second)
	thief := newPhone(t, s)
	thief.be(s.apps[0], "thief")
	thief.press("start", "action", "reset")
	thief.begin()
	thief.agree()
	codes = append(codes, thief.proves(s, &read))
	thief.goBack()
	thief.press("evidence")
	thief.says("镜头前不是本人")

	p.askYears(s.apps[0])
	p.give("current", newPIN)
	p.says("养老保险")
	s.sawCodes(codes, notice.Freeze)
}

func (s *stage) sawCodes(codes []string, freeze string) {
	s.t.Helper()
	seen := s.seen()
	s.wants(seen, map[window.Party][]string{
		window.Channel:   {"error=evidence_required", "error=face_mismatch", "camera=3301**********4410"},
		window.Authority: {"code.sent", "code.right", "pin.reset", "message.sent"},
		window.Database:  {"code (MAC)=", "freeze code (MAC)=", "phone (sealed)=", "phone (blind index)=", "number and values (sealed)="},
	})
	for party, words := range seen {
		for _, secret := range []string{freeze, goodPIN, newPIN, "13857210019", "330109199004054410"} {
			if printed.Has(words, secret) {
				s.t.Errorf("%s is shown at %s", secret, party)
			}
		}
		for _, code := range codes {
			if strings.Contains(words, "code="+code) != (party == window.Authority) {
				s.t.Errorf("code at %s: shown %t", party, party != window.Authority)
			}
			if party == window.Authority {
				words = strings.ReplaceAll(words, "code="+code, "")
			}
			if printed.Has(words, code) {
				s.t.Errorf("code %s at %s", code, party)
			}
		}
	}
}

// TestFreezeInTheWindow: the channel's button, and the way back.
func TestFreezeInTheWindow(t *testing.T) {
	s := newTexted(t)
	p, read := newPhone(t, s), 0
	p.be(s.apps[0], "wang")
	p.press("start", "action", "enroll")
	p.press("evidence")
	p.begin()
	p.agree()
	p.proves(s, &read)
	p.give("new", goodPIN)
	p.goBack()
	s.next(&read)
	p.open("/freeze")
	p.press("freeze")
	p.says("已经冻结")
	s.next(&read)
	p.askYears(s.apps[0]) // no pad: a PIN would be refused
	p.goBack()
	p.says("这张电子社保卡已冻结")
	s.Clock.Advance(61 * time.Second)
	p.press("start", "action", "unfreeze")
	p.begin()
	p.agree()
	p.proves(s, &read)
	p.give("current", goodPIN)
	p.goBack()
	p.says("已解冻")
	s.wants(s.seen(), map[window.Party][]string{window.Channel: {"POST=/v1/freezes"}, window.Authority: {"card.frozen", "card.unfrozen"}})
}
