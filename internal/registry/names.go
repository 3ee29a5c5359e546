package registry

import (
	"math/rand/v2"

	"github.com/liuma-pin/liuma/internal/written"
)

// The commonest surnames, and characters that given names are made of. There
// are only a few hundred, so that some people of a sample share a name, as in a
// real registry.
const (
	surnames = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
	givenOne = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚辉玲桂英华玉兰红建国文斌波鑫宇浩然婷雪琳晨阳梅凤春秀丹慧倩颖莹欣怡佳嘉俊峰鹏飞翔龙志诚宁凯旭东海云山松柏荣昌盛安康福禄寿喜"
	givenTwo = "伟芳敏静丽强军勇杰涛明平辉玲英华兰红国文斌波宇浩然婷雪琳晨阳梅凤春秀慧怡佳俊峰鹏飞志宁凯东海云山荣安康奶宝珠花生根"
)

var doubleSurnames = [...]string{"欧阳", "上官", "司马", "诸葛", "夏侯", "皇甫", "尉迟", "慕容"}

// minorityNames has both parts of names that are written with a dot.
var minorityNames = [...][2]string{
	{"阿依古丽", "买买提"}, {"古丽娜尔", "艾山"}, {"艾力", "吐尔逊"}, {"热依汗", "玉素甫"},
	{"阿不都", "热合曼"}, {"帕提古丽", "阿布拉"}, {"巴特尔", "额尔德尼"}, {"其其格", "布和"},
	{"叶尔江", "哈力木"}, {"迪丽拜尔", "依明"}, {"多吉", "次仁"}, {"玛依拉", "库尔班"},
}

// namer draws names.
type namer struct{ surnames, one, two []rune }

func newNamer() namer {
	return namer{surnames: []rune(surnames), one: []rune(givenOne), two: []rune(givenTwo)}
}

// name returns a name in canonical spelling. Commoner surnames come first in
// the list and are drawn more often.
func (n namer) name(r *rand.Rand) string {
	switch r.IntN(100) {
	case 0, 1:
		parts := minorityNames[r.IntN(len(minorityNames))]
		return parts[0] + string(written.Dot) + parts[1]
	case 2:
		return doubleSurnames[r.IntN(len(doubleSurnames))] + string(n.one[r.IntN(len(n.one))])
	}
	// The smaller of two draws is more often near the front of the list.
	name := string(n.surnames[min(r.IntN(len(n.surnames)), r.IntN(len(n.surnames)))])
	if r.IntN(100) < 85 {
		return name + string(n.one[r.IntN(len(n.one))]) + string(n.two[r.IntN(len(n.two))])
	}
	return name + string(n.one[r.IntN(len(n.one))])
}
