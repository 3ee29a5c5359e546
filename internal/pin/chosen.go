package pin

// The choices that are common in China: numbers that sound like "I love you", years,
// and dates with the year first. None of these rules depends on the present date, so
// a server and a page always agree, whatever their clocks say: every two-digit year
// counts as one of 1930 to 2029, and a birthday of the next decade is refused as one
// of the 1930s. The web pad has the same rules (web/src/rules.ts); a test compares
// the two over all possible PINs.

// The years that a PIN may not begin with.
const (
	firstYear = 1950
	lastYear  = 2029
)

// love: 520 or 521 (wǒ ài nǐ), or 1314 (yī shēng yī shì), at either end.
func love(d *[Digits]byte) bool {
	loves := func(i int) bool { return d[i] == '5' && d[i+1] == '2' && (d[i+2] == '0' || d[i+2] == '1') }
	forever := func(i int) bool { return d[i] == '1' && d[i+1] == '3' && d[i+2] == '1' && d[i+3] == '4' }
	return loves(0) || loves(3) || forever(0) || forever(2)
}

// year: the first four digits are a year from 1950 to 2029 (199047).
func year(d *[Digits]byte) bool {
	n := twoDigits(d, 0)*100 + twoDigits(d, 2)
	return n >= firstYear && n <= lastYear
}

// date: year, month and day, two digits each (850307). Every fourth of the years 1930
// to 2029 is a leap year, 2000 among them.
func date(d *[Digits]byte) bool {
	return dayOf(twoDigits(d, 0), twoDigits(d, 2), twoDigits(d, 4))
}

func dayOf(year, month, day int) bool {
	if month < 1 || month > 12 || day < 1 {
		return false
	}
	switch month {
	case 4, 6, 9, 11:
		return day <= 30
	case 2:
		return day <= 28 || day == 29 && year%4 == 0
	}
	return day <= 31
}

func twoDigits(d *[Digits]byte, i int) int { return int(d[i]-'0')*10 + int(d[i+1]-'0') }
