package holder

import (
	"strconv"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/locale"
)

// wordings are the sentences of the pages in one language, from the catalogue, with
// the functions that choose between them.
type wordings struct {
	locale.Page
	all     *locale.Words
	hotline string
}

func newWordings(all *locale.Words, hotline string) *wordings {
	return &wordings{Page: all.Page, all: all, hotline: hotline}
}

// InGuide and InGenuine are the sentences of these pages.
func (t *wordings) InGuide() locale.Guide     { return t.all.Guide }
func (t *wordings) InGenuine() locale.Genuine { return t.all.Genuine }

// of picks this language of a bilingual text; if the text does not have it, Chinese.
func (t *wordings) of(text liuma.Text) string {
	if t.Lang() == door.English {
		return text.EN
	}
	return text.ZH
}

// explain returns the explanation of an error code, and its first sentence, without
// the stop, as a title.
func (t *wordings) explain(c liuma.Code) (e locale.Explanation, title string) {
	e = t.all.Explanation(c, t.hotline)
	return e, locale.WithoutStop(e.What)
}

func (t *wordings) backTo(channel string) string {
	if channel == "" {
		return t.BackPlain()
	}
	return t.BackTo(channel)
}

func (t *wordings) triesLeft(n int) string { return t.TriesLeft(n, strconv.Itoa(n)) }

func (t *wordings) wrongText(left int) string { return t.WrongLeft(left, strconv.Itoa(left)) }

// lockedUntil is the sentence above a pad while no PIN is taken, with the
// alternatives.
func (t *wordings) lockedUntil(moment string, forgot bool) string {
	if forgot {
		return t.LockedUntilForgot(moment)
	}
	return t.LockedUntil(moment)
}

func (t *wordings) issued(day time.Time) string { return t.Issued(t.all.Day(day)) }

// moment says when something will be: today and tomorrow by name, later by date.
func (t *wordings) moment(at, now time.Time) string {
	clock, day := at.Format("15:04"), t.all.ShortDay(at)
	switch midnight(at).Sub(midnight(now)).Round(24*time.Hour) / (24 * time.Hour) {
	case 0:
		return t.Today(clock)
	case 1:
		return t.Tomorrow(day, clock)
	}
	return t.Later(day, clock)
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}

// sentAt is the hint beneath the label of a code.
func (t *wordings) sentAt(by liuma.CodeWay, at time.Time) string {
	if by == liuma.ByVoice {
		return t.CodeCalled(at.Format("15:04"))
	}
	return t.CodeSent(at.Format("15:04"))
}

// sendFrom says when a code can be sent by a way again.
func (t *wordings) sendFrom(by liuma.CodeWay, moment string) string {
	if by == liuma.ByVoice {
		return t.CallFrom(moment)
	}
	return t.ResendFrom(moment)
}

// noneNow says that no code is sent by a way, without a time.
func (t *wordings) noneNow(by liuma.CodeWay) string {
	if by == liuma.ByVoice {
		return t.NoCallNow()
	}
	return t.NoTextNow()
}

// agencies says where the counter is.
func (t *wordings) agencies(region string) string {
	if region == "" {
		return t.AnyAgency()
	}
	return t.AnyAgencyIn(region)
}
