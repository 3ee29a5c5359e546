package miniapp

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// insurance is a person's contributions to one kind of insurance.
type insurance struct {
	Kind     string // key of its name
	From, To int    // years; To is this year while it goes on
	Months   int
	Percent  int // of the longest, for the bar
}

// Years and Rest spell the months.
func (i insurance) Years() int { return i.Months / 12 }
func (i insurance) Rest() int  { return i.Months % 12 }

// BarWidth is the bar's width in a chart of 100.
func (i insurance) BarWidth() int { return max(i.Percent, 1) }

// contributions makes up numbers that suit a person's age, the same each time.
func contributions(p Person, now time.Time) []insurance {
	seed := sha256.Sum256([]byte("contributions\x00" + p.Text()))
	born, err := strconv.Atoi(p.born()[:4])
	if err != nil {
		born = now.Year() - 40 // the sample's people have proper numbers; others get an age
	}
	start := born + 19 + int(seed[0]%5)
	end := now.Year()
	if retired := born + 58; retired < end {
		end = retired
	}
	kinds := []insurance{
		{Kind: "pension", From: 1986},
		{Kind: "medical", From: 2000},
		{Kind: "unemployment", From: 1999},
		{Kind: "injury", From: 1996},
		{Kind: "maternity", From: 1997},
	}
	longest := 1
	for i := range kinds {
		k := &kinds[i]
		k.From, k.To = max(k.From, start)+int(seed[1+i]%2), end
		k.Months = max((k.To-k.From)*12+int(seed[8+i]%11)-int(seed[16+i]%19), 0)
		longest = max(longest, k.Months)
	}
	for i := range kinds {
		kinds[i].Percent = kinds[i].Months * 100 / longest
	}
	return kinds
}

// age of a person, from the day of birth.
func age(p Person, now time.Time) int {
	born, err := time.Parse("20060102", p.born())
	if err != nil {
		return 0
	}
	years := now.Year() - born.Year()
	if now.YearDay() < born.YearDay() {
		years--
	}
	return years
}

// masked is an ID number, or another document's type and number, as a page may show it.
func masked(id string) string {
	if _, number, ok := strings.Cut(id, ":"); ok && len(number) > 4 {
		return number[:1] + strings.Repeat("*", len(number)-3) + number[len(number)-2:]
	}
	return fmt.Sprintf("%s**********%s", id[:4], id[len(id)-4:])
}
