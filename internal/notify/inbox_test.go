package notify

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestInboxIsBounded(t *testing.T) {
	b := NewInbox(time.Now)
	sub, stop := b.Subscribe()
	for i := range inboxTexts + 10 {
		text := Text{ID: fmt.Sprint(i), Phone: testPhone}
		for range 2 { // the second is dropped
			if ref, err := b.Send(t.Context(), text); err != nil || ref != text.ID {
				t.Fatalf("%q, %v", ref, err)
			}
		}
	}
	got := b.Texts(testPhone)
	if len(got) != inboxTexts || got[0].ID != "10" || got[inboxTexts-1].ID != fmt.Sprint(inboxTexts+9) {
		t.Errorf("%d texts, first %s", len(got), got[0].ID)
	}
	if len(b.Texts("13900000000")) != 0 || len(b.Texts("")) != inboxTexts {
		t.Error("texts of another number")
	}
	if first := <-sub; len(sub) != inboxWaiting-1 || first.ID != fmt.Sprint(inboxTexts+10-inboxWaiting) {
		t.Errorf("a slow reader has %d, from %s", len(sub)+1, first.ID)
	}
	for range inboxWaiting - 1 {
		<-sub
	}
	stop()
	if _, err := b.Send(t.Context(), Text{ID: "after"}); err != nil || len(sub) != 0 {
		t.Errorf("after the end: %v, %d", err, len(sub))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Send(ended, Text{ID: "late"}); err == nil {
		t.Error("sent when it was too late")
	}
}
