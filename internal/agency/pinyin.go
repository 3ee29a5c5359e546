package agency

import (
	"strings"

	"github.com/liuma-pin/liuma/internal/written"
)

// readings are characters whose first reading is not the one in names of places and
// offices. written.Readings gives the most common reading, whatever the word.
const readings = "重chong 长chang 都du 藏zang 什shi 佛fo 伽jia 勒le 坻di 圩xu 圳zhen 峒tong 峙shi 泊bo 泌bi 珲hun 蚌beng 陂pi 曾zeng 茄qie 莞guan 眙yi 厦sha 行hang 会hui 省sheng 区qu 社she 厅ting 查cha 参can 便bian 给ji 大da 中zhong 调diao 六liu 单dan 台tai"

// places are names in which a character is read differently than alone.
const places = "长子县zhangzixian 重点zhongdian 重症zhongzheng 厦门xiamen 六安luan 六合区luhequ 单县shanxian 乐清yueqing 乐亭lao'ting 行唐xingtang 行政xingzheng 行业hangye 行动xingdong " +
	"召陵shaoling 宝坻baodi 大埔dabu 吴堡wubu 红寺堡hongsibu 尉犁yuli 穆棱muling 绥棱suiling 丹棱danling 枞阳zongyang 洪洞hongtong 浚县xunxian 涡阳guoyang " +
	"番禺panyu 筠连junlian 犍为qianwei 牟平muping 中牟zhongmu 荥经yingjing 蔚县yuxian 覃塘qintang 铅山yanshan 东阿donge 大城县daichengxian 会计kuaiji 大夫daifu " +
	"调整tiaozheng 调解tiaojie 单位danwei 天台tiantai 台州taizhou 中奖zhongjiang"

// spelling is one reading of some characters, split into syllables so that initials can
// be taken. In the tables above syllables are written together; they are split by the
// known readings or, if a reading is not known, by apostrophes.
type spelling struct {
	han       []rune
	syllables []string
}

// reader reads Chinese as it is typed with a pinyin keyboard. For one goroutine.
type reader struct {
	one  map[rune]string     // the readings above, and those looked up so far
	many map[rune][]spelling // by the first character, the longest first
}

func newReader() *reader {
	r := &reader{one: map[rune]string{}, many: map[rune][]spelling{}}
	for word := range strings.FieldsSeq(readings) {
		han := []rune(word)[0]
		r.one[han] = strings.TrimPrefix(word, string(han))
	}
	for word := range strings.FieldsSeq(places) {
		at := strings.IndexFunc(word, func(c rune) bool { return c < 0x80 })
		s := spelling{han: []rune(word[:at])}
		if s.syllables = strings.Split(word[at:], "'"); len(s.syllables) != len(s.han) {
			s.syllables = r.parted(s.han, word[at:])
		}
		r.many[s.han[0]] = append(r.many[s.han[0]], s)
	}
	return r
}

// parted splits a spelling by the readings of its characters; a test checks that every
// spelling can be split.
func (r *reader) parted(han []rune, letters string) []string {
	if len(han) == 0 {
		if letters == "" {
			return []string{}
		}
		return nil
	}
	for _, s := range written.Readings(han[0]) {
		if rest, ok := strings.CutPrefix(letters, s); ok {
			if after := r.parted(han[1:], rest); after != nil {
				return append([]string{s}, after...)
			}
		}
	}
	return nil
}

// read returns the letters of a name and its initials, in capitals, as written.Number
// writes typed text: 湖州市 is HUZHOUSHI and HZS. Letters and digits stay; other characters
// without a reading are left out.
func (r *reader) read(name string) (full, initials string) {
	var all, first strings.Builder
	add := func(s string) {
		all.WriteString(s)
		if s != "" {
			first.WriteByte(s[0])
		}
	}
	runes := []rune(name)
	for i := 0; i < len(runes); {
		if s, ok := r.place(runes[i:]); ok {
			for _, syllable := range s.syllables {
				add(syllable)
			}
			i += len(s.han)
			continue
		}
		add(r.syllable(runes[i]))
		i++
	}
	return written.Number(all.String()), written.Number(first.String())
}

func (r *reader) place(at []rune) (best spelling, ok bool) {
	for _, s := range r.many[at[0]] {
		if len(s.han) > len(best.han) && len(at) >= len(s.han) && string(at[:len(s.han)]) == string(s.han) {
			best, ok = s, true
		}
	}
	return best, ok
}

func (r *reader) syllable(c rune) string {
	if c < 0x80 {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return string(c)
		}
		return ""
	}
	if s, ok := r.one[c]; ok {
		return s
	}
	var read string
	if s := written.Readings(c); len(s) > 0 {
		read = s[0]
	}
	r.one[c] = read
	return read
}
