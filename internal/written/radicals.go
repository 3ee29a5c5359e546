package written

import (
	"strings"
	"unicode/utf8"
)

// The tables of this file are taken from EquivalentUnifiedIdeograph.txt of the
// Unicode Character Database. Copyright Unicode, Inc.; used under the Unicode
// License v3, which lets anyone use, change and pass on the data with this
// notice.

// kangxi are the ideographs of the Kangxi radicals U+2F00 to U+2FD5, in order,
// three bytes each.
const kangxi = "" +
	"一丨丶丿乙亅二亠人儿入八冂冖冫几凵刀力勹匕匚匸十卜卩厂厶又口囗土士夂夊夕" +
	"大女子宀寸小尢尸屮山巛工己巾干幺广廴廾弋弓彐彡彳心戈戶手支攴文斗斤方无日" +
	"曰月木欠止歹殳毋比毛氏气水火爪父爻爿片牙牛犬玄玉瓜瓦甘生用田疋疒癶白皮皿" +
	"目矛矢石示禸禾穴立竹米糸缶网羊羽老而耒耳聿肉臣自至臼舌舛舟艮色艸虍虫血行" +
	"衣襾見角言谷豆豕豸貝赤走足身車辛辰辵邑酉釆里金長門阜隶隹雨靑非面革韋韭音" +
	"頁風飛食首香馬骨高髟鬥鬯鬲鬼魚鳥鹵鹿麥麻黃黍黑黹黽鼎鼓鼠鼻齊齒龍龜龠"

// radicals are the other radicals and the strokes, three bytes each, and likeness
// the ideographs that they are written like, in the same order.
const (
	radicals = "" +
		"⺁⺂⺃⺄⺅⺆⺇⺈⺉⺊⺋⺌⺍⺎⺏⺐⺑⺒⺓⺔⺕⺖⺗⺘⺙⺛⺜⺝⺞⺟⺠⺡⺢⺣⺤⺥⺦⺧⺨⺩" +
		"⺪⺫⺬⺭⺮⺯⺰⺱⺲⺳⺴⺵⺶⺷⺸⺹⺺⺻⺼⺽⺾⺿⻀⻁⻂⻃⻄⻅⻆⻇⻈⻉⻊⻋⻌⻍⻎⻏⻐⻑" +
		"⻒⻓⻔⻕⻖⻗⻘⻙⻚⻛⻜⻝⻞⻟⻠⻡⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳㇆㇏㇐㇑㇒㇓" +
		"㇔㇕㇖㇗㇘㇙㇚㇛㇜㇝㇞㇟㇠㇡"
	likeness = "" +
		"厂乛乚乙亻冂𠘨刀刂卜㔾小小兀尣尢𡯂巳幺彑彐忄心扌攵旡日月歺母民氵氺灬爫爫丬牛犭王" +
		"𤴔目示礻𥫗糹纟罓罒㓁冗𦉫羊𦍌𦍋耂肀聿肉𦥑艹艹艹虎衤覀西见角𧢲讠贝𧾷车辶辶辶邑钅長" +
		"镸长门𨸏阝雨青韦页风飞食𩙿飠饣𩠐马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟𠃌乀一丨丿丿" +
		"丶𠃍乛𠃊𠃎𠄌亅𡿨𠃋乀𠃑乚乙𠄎"
)

// ideograph maps a radical or a stroke to the ideograph that it is written like,
// and any other character to itself.
func ideograph(r rune) rune {
	switch {
	case r < 0x2E80 || r > 0x31EF:
		return r
	case r >= 0x2F00 && r <= 0x2FD5:
		same, _ := utf8.DecodeRuneInString(kangxi[3*(r-0x2F00):])
		return same
	}
	at := strings.IndexRune(radicals, r)
	if at < 0 {
		return r
	}
	return []rune(likeness)[at/3]
}
