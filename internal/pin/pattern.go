package pin

// The patterns. Each reads six ASCII digits in place, since a copy would have to be
// wiped. docs/PINS.md says, for each, how many PINs it refuses and how much that
// helps.

// repeat: one digit four times or more in a row (111123), or no more than two
// different digits in all (700077).
func repeat(d *[Digits]byte) bool {
	longest, run := 1, 1
	seen := uint16(1) << (d[0] - '0')
	different := 1
	for i := 1; i < Digits; i++ {
		run++
		if d[i] != d[i-1] {
			run = 1
		}
		longest = max(longest, run)
		if bit := uint16(1) << (d[i] - '0'); seen&bit == 0 {
			seen |= bit
			different++
		}
	}
	return longest >= 4 || different <= 2
}

// steps: the same step other than zero from each digit to the next, with 0 after 9
// (123456, 890123, 246802); or three numbers of two digits that count by 1, 10 or 11,
// with 00 after 99 (101112, 102030).
func steps(d *[Digits]byte) bool { return digitSteps(d) || countsByTwos(d) }

func digitSteps(d *[Digits]byte) bool {
	step := diff10(d[0], d[1])
	for i := 1; i < Digits-1; i++ {
		if diff10(d[i], d[i+1]) != step {
			return false
		}
	}
	return step != 0
}

func countsByTwos(d *[Digits]byte) bool {
	two := func(i int) int { return int(d[i]-'0')*10 + int(d[i+1]-'0') }
	step := (two(2) - two(0) + 100) % 100
	if (two(4)-two(2)+100)%100 != step {
		return false
	}
	switch step {
	case 1, 10, 11, 99, 90, 89:
		return true
	}
	return false
}

// halves: two halves that each stay, rise or fall by one (123654, 789123, 333234); a
// whole that counts on is one of steps.
func halves(d *[Digits]byte) bool {
	half := func(i int) bool {
		step := diff10(d[i], d[i+1])
		return step == diff10(d[i+1], d[i+2]) && (step == 0 || step == 1 || step == 9)
	}
	return half(0) && half(3) && !steps(d)
}

// diff10 is the step from one digit to the next, 0 to 9, where 0 follows 9.
func diff10(from, to byte) byte { return (to + 10 - from) % 10 }

// pairs: three doubled digits (118844), or one pair three times (757575).
func pairs(d *[Digits]byte) bool {
	return d[0] == d[1] && d[2] == d[3] && d[4] == d[5] ||
		d[0] == d[2] && d[2] == d[4] && d[1] == d[3] && d[3] == d[5]
}

// triples: two tripled digits (777333), or one group of three twice (472472).
func triples(d *[Digits]byte) bool {
	return d[0] == d[1] && d[1] == d[2] && d[3] == d[4] && d[4] == d[5] ||
		d[0] == d[3] && d[1] == d[4] && d[2] == d[5]
}

// mirror: the second half is the first one backwards (481184).
func mirror(d *[Digits]byte) bool { return d[0] == d[5] && d[1] == d[4] && d[2] == d[3] }

// keypad: a shape on the keys of a telephone,
//
//	1 2 3
//	4 5 6
//	7 8 9
//	  0
//
// that is, a path from key to key, each directly above, below or beside the
// last (147852); or two straight lines of three keys (147258, 159753, 789456);
// or 2580 or 0852 with two keys that touch (258036); or the four corners in
// any order, no key twice running (137913).
func keypad(d *[Digits]byte) bool { return path(d) || twoLines(d) || longLine(d) || corners(d) }

// place gives row and column of a digit's key.
func place(digit byte) (row, col int) {
	if digit == '0' {
		return 3, 1
	}
	n := int(digit - '1')
	return n / 3, n % 3
}

// move is the distance from one key to another: rows down, columns right.
func move(from, to byte) (down, right int) {
	r, c := place(from)
	s, d := place(to)
	return s - r, d - c
}

// touch reports whether two keys are neighbours, diagonals included.
func touch(a, b byte) bool {
	down, right := move(a, b)
	return a != b && down*down <= 1 && right*right <= 1
}

func path(d *[Digits]byte) bool {
	for i := 1; i < Digits; i++ {
		if down, right := move(d[i-1], d[i]); down*down+right*right != 1 {
			return false
		}
	}
	return true
}

func twoLines(d *[Digits]byte) bool {
	return line(d[0], d[1], d[2]) && line(d[3], d[4], d[5])
}

// line reports whether three keys lie in one straight line, each touching the
// next.
func line(a, b, c byte) bool {
	down, right := move(a, b)
	down2, right2 := move(b, c)
	return touch(a, b) && down == down2 && right == right2
}

func longLine(d *[Digits]byte) bool {
	middle := func(i int) bool { return line(d[i], d[i+1], d[i+2]) && line(d[i+1], d[i+2], d[i+3]) }
	return middle(0) && touch(d[4], d[5]) || middle(2) && touch(d[0], d[1])
}

func corners(d *[Digits]byte) bool {
	for i, c := range d {
		if c != '1' && c != '3' && c != '7' && c != '9' {
			return false
		}
		if i > 0 && d[i-1] == c {
			return false
		}
	}
	return true
}
