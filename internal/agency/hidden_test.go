package agency

import (
	"strings"
	"testing"
	"time"
)

// TestHiddenHoweverWritten: a number that somebody would dial and an address that somebody
// would type are found in any text, whatever they are written with.
func TestHiddenHoweverWritten(t *testing.T) {
	for _, s := range []string{
		"请拨 138.0013.8000", "138/0013/8000", "138·0013·8000", "138・0013・8000", "138,0013,8000", "138_0013_8000", "138：0013：8000", "(138)0013 8000", "86 138.0013.8000", "3 138.0013.8000",
		"138、0013、8000", "0572.206.0000", "400.800.1234", "1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣", "1\u03323\u03328\u03320\u03320\u03321\u03323\u03328\u0332", "一三八零零一三八零零零", "壹叁捌〇〇壹叁捌〇〇〇", "幺三八零零幺三八零零零",
		"一三八.零零一三.八零零零", "①③⑧⓪⓪①③⑧⓪⓪⓪", "𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎", "١٣٨٠٠١٣٨٠٠٠", "1-3-8-0-0-1-3-8-0-0-0",
		"evil。com", "ｅｖｉｌ．ｃｏｍ", "evil.shop", "EVIL.SHOP", "evil.info", "evil.example", "evil.中国", "t.cn/abc", "见ｗｗｗ．evil", "a＠b",
		"=1+1", "＝1+1", "＋1", "﹣1", "－1", "＠SUM(1)",
	} {
		if !Hides(s) {
			t.Errorf("%q passes", s)
		}
	}
	for _, s := range []string{
		"工作日 8:30–12:00、13:30–17:00", "周一至周五 8:30-11:30,14:00-17:30", "8.30-12.00，13.30-17.00", "８：３０－１２：００", "Weekdays 8:30–12:00, 13:30–17:00", "9 a.m. to 5 p.m.", "周一、二、三、四、五", "全天 24 小时",
		"中山路138、140、142、144号", "中山路 1380 号 5-601 室，邮编 313000", "No. 12 Renmin Rd. East", "St.John Road", "八一路 88 号三楼", "2026年10月1日至10月7日休息", "6 Sample Avenue, Baohe District, Hefei", "普通话、手语（预约）", "",
		"5 楼 501、502、503 窗口", "Mon.-Fri. 9-12", "Bldg. 3, Fl. 2",
	} {
		if Hides(s) {
			t.Errorf("%q is refused", s)
		}
	}
	begin := time.Now()
	for _, s := range []string{"1.", "1 ", "、1", "12:30", "a.", "一", "1️⃣"} {
		Hides(strings.Repeat(s, 480/len([]rune(s))))
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("takes %v", took)
	}
}

// TestNoNumberAbroad: a telephone number is one of this country.
func TestNoNumberAbroad(t *testing.T) {
	for said, want := range map[string]string{"008521234567": "", "00-852-1234567": "", "+852 1234 567": "", "0572 206 0000": "0572-206-0000", "0572-2060000": "0572-2060000", "962218": "962218"} {
		if got := telephone(said); got != want {
			t.Errorf("%s: %q, want %q", said, got, want)
		}
	}
}
