package pin

import "github.com/liuma-pin/liuma"

// Sentence says in plain words why a rule refuses, and how to choose better. It
// is written to be read out to a holder who has never heard of a "pattern". An
// unknown rule reads as RuleUnreadable.
func Sentence(r Rule, passphrase bool) liuma.Text {
	if t, ok := personalSentence(r); ok {
		return t
	}
	if passphrase {
		if t, ok := passphraseSentence(r); ok {
			return t
		}
	}
	if t, ok := patternSentence(r); ok {
		return t
	}
	return liuma.Text{
		ZH: "没有读到密码。请重新输入一次。",
		EN: "The PIN could not be read. Please enter it once more.",
	}
}

// personalSentence covers the rules whose sentences are the same for digits and
// passphrases.
func personalSentence(r Rule) (liuma.Text, bool) {
	switch r {
	case RuleBirthday:
		return liuma.Text{
			ZH: "这里面有您的生日。知道您生日的人一猜就中，请换一个和生日无关的。",
			EN: "This contains your birthday. Anybody who knows the date would try it first; choose one that has nothing to do with it.",
		}, true
	case RuleIDNumber:
		return liuma.Text{
			ZH: "这几位数字在您的身份证号码里连着出现（倒着看也算）。看到您身份证的人就能猜到，请换一个。",
			EN: "These digits stand in a row in your ID number (backwards counts too). Anybody who has seen your ID card could guess them; choose others.",
		}, true
	case RulePhone:
		return liuma.Text{
			ZH: "这几位数字在您的手机号里连着出现（倒着看也算）。知道您手机号的人就能猜到，请换一个。",
			EN: "These digits stand in a row in your phone number (backwards counts too). Anybody who can call you could guess them; choose others.",
		}, true
	case RuleCardNumber:
		return liuma.Text{
			ZH: "这几位数字在您的社保卡卡号里连着出现（倒着看也算）。捡到卡的人就能猜到，请换一个。",
			EN: "These digits stand in a row in your card number (backwards counts too). Whoever finds the card could guess them; choose others.",
		}, true
	case RuleCurrent:
		return liuma.Text{
			ZH: "这就是您现在用的密码。请换一个新的。",
			EN: "This is the PIN that you have now. Choose a new one.",
		}, true
	}
	return liuma.Text{}, false
}

// patternSentence covers the patterns of six digits.
func patternSentence(r Rule) (liuma.Text, bool) {
	switch r {
	case RuleRepeat:
		return liuma.Text{
			ZH: "同一个数字用得太多了。请多用几个不同的数字，至少三个，也不要把一个数字连按四次。",
			EN: "This uses the same digit too often. Use at least three different digits, and none four times in a row.",
		}, true
	case RuleSteps:
		return liuma.Text{
			ZH: "这些数字是按顺序数出来的，很多人都这样选。请打乱顺序，不要往上数，也不要往下数。",
			EN: "These digits simply count up or down, as many people choose. Mix them, so that they follow no order.",
		}, true
	case RulePairs:
		return liuma.Text{
			ZH: "这是两个两个成对的数字，很容易被猜到。请不要成对地选，六个数字各选各的。",
			EN: "These digits come in pairs, which is easy to guess. Choose each of the six digits by itself.",
		}, true
	case RuleTriples:
		return liuma.Text{
			ZH: "前三个和后三个是同一组，或者三个三个相同，很容易被猜到。请让后三个数字和前三个没有关系。",
			EN: "The digits come in threes that repeat, which is easy to guess. Let the last three have nothing to do with the first three.",
		}, true
	case RuleMirror:
		return liuma.Text{
			ZH: "后三个数字正好是前三个倒过来，很容易被猜到。请让后三个数字和前三个没有关系。",
			EN: "The last three digits are the first three backwards, which is easy to guess. Let them have nothing to do with each other.",
		}, true
	case RuleKeypad:
		return liuma.Text{
			ZH: "这是在键盘上顺手按出来的形状（直线、斜线、转圈或四个角），很多人都这样选。请选不挨着、不成形状的数字。",
			EN: "This draws a simple shape on the keypad: a line, a path or the corners. Many people choose those; pick keys that make no shape.",
		}, true
	case RuleCommon:
		return liuma.Text{
			ZH: "很多人都选过这个号码，坏人会先试它。请想一个只有您自己知道的号码，不要用日期和吉利数字。",
			EN: "Many people have chosen this number, so thieves try it first. Think of one that only you know: no date, no lucky number.",
		}, true
	}
	return liuma.Text{}, false
}

// passphraseSentence covers the pattern rules of passphrases.
func passphraseSentence(r Rule) (liuma.Text, bool) {
	switch r {
	case RuleRepeat:
		return liuma.Text{
			ZH: "同样的字母或数字反复出现，很容易被猜到。请用几个互不相干的词，或多用几种字符。",
			EN: "The same letters or digits come again and again, which is easy to guess. Use several unrelated words, or more different characters.",
		}, true
	case RuleSteps:
		return liuma.Text{
			ZH: "大部分字符是按顺序排的，或是在键盘上顺手按出来的。请用几个互不相干的词，不要按顺序。",
			EN: "Most of this simply follows the alphabet, counts, or runs along the keyboard. Use several unrelated words instead.",
		}, true
	case RuleCommon:
		return liuma.Text{
			ZH: "很多人都用过这个密码，坏人会先试它。请用几个互不相干的词，拼成只有您自己知道的一句。",
			EN: "Many people have used this, so thieves try it first. Put several unrelated words together into something that only you know.",
		}, true
	}
	return liuma.Text{}, false
}

// FormatSentence says in plain words why Parse refused. reason is one of the
// reasons of CodePINFormat; any other reads as ReasonNotSixDigits.
func FormatSentence(reason string) liuma.Text {
	switch reason {
	case ReasonTooShort:
		return liuma.Text{
			ZH: "太短了。请输入 6 位数字，或至少 8 个字符的长密码。",
			EN: "That is too short. Enter six digits, or a passphrase of at least 8 characters.",
		}
	case ReasonTooLong:
		return liuma.Text{
			ZH: "太长了。长密码最多 64 个字符，请缩短一些。",
			EN: "That is too long. A passphrase has at most 64 characters; shorten it.",
		}
	case ReasonCharacter, ReasonEncoding:
		return liuma.Text{
			ZH: "里面有看不见的或无法识别的字符。请只用键盘上能直接输入的字符。",
			EN: "It contains characters that are invisible or cannot be read. Use only what your keyboard types directly.",
		}
	}
	return liuma.Text{
		ZH: "密码应为 6 位数字（0 到 9），不多不少，也不带空格。请重新输入。",
		EN: "A PIN has exactly six digits, 0 to 9, without spaces. Enter it again.",
	}
}
