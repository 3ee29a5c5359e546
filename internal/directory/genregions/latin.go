package main

import (
	"slices"
	"strings"

	"github.com/liuma-pin/liuma/internal/agency"
)

// ends are how a name says what kind of place it is, the longest first, and what that is
// in English; a city is known by its name alone.
var ends = []struct{ zh, en string }{
	{"自治县", "Autonomous County"}, {"自治州", "Autonomous Prefecture"}, {"自治旗", "Autonomous Banner"}, {"联合旗", "United Banner"},
	{"地区", "Prefecture"}, {"林区", "Forestry District"}, {"矿区", "Mining District"}, {"新区", "New Area"}, {"特区", "Special District"},
	{"群岛", "Islands"}, {"左旗", "Left Banner"}, {"右旗", "Right Banner"}, {"前旗", "Front Banner"}, {"后旗", "Rear Banner"}, {"中旗", "Middle Banner"},
	{"区", "District"}, {"县", "County"}, {"市", ""}, {"旗", "Banner"}, {"盟", "League"}, {"岛", "Island"},
}

// peoples are the nationalities in names of autonomous places, as they are written in
// English. Some names leave out the 族.
var peoples = []struct{ zh, en string }{
	{"柯尔克孜", "Kirgiz"}, {"达斡尔", "Daur"}, {"鄂温克", "Ewenki"}, {"鄂伦春", "Oroqen"}, {"哈萨克", "Kazakh"}, {"塔吉克", "Tajik"}, {"布依", "Bouyei"},
	{"蒙古", "Mongol"}, {"朝鲜", "Korean"}, {"土家", "Tujia"}, {"哈尼", "Hani"}, {"拉祜", "Lahu"}, {"布朗", "Blang"}, {"景颇", "Jingpo"}, {"傈僳", "Lisu"},
	{"独龙", "Derung"}, {"普米", "Pumi"}, {"裕固", "Yugur"}, {"保安", "Bonan"}, {"东乡", "Dongxiang"}, {"撒拉", "Salar"}, {"仫佬", "Mulao"}, {"仡佬", "Gelao"},
	{"毛南", "Maonan"}, {"纳西", "Naxi"}, {"锡伯", "Xibe"}, {"满", "Manchu"}, {"回", "Hui"}, {"畲", "She"}, {"苗", "Miao"}, {"瑶", "Yao"}, {"侗", "Dong"},
	{"壮", "Zhuang"}, {"黎", "Li"}, {"羌", "Qiang"}, {"彝", "Yi"}, {"藏", "Tibetan"}, {"水", "Sui"}, {"傣", "Dai"}, {"佤", "Va"}, {"白", "Bai"}, {"怒", "Nu"},
	{"土", "Tu"}, {"各", "Multinational"},
}

// official are the names that do not come from Chinese, as they are written in Latin
// letters officially, and a few that are: what is not here is spelled as it is read.
const official = "呼和浩特=Hohhot 鄂尔多斯=Ordos 呼伦贝尔=Hulunbuir 巴彦淖尔=Bayannur 乌兰察布=Ulanqab 兴安=Hinggan 锡林郭勒=Xilingol 阿拉善=Alxa " +
	"锡林浩特=Xilinhot 乌兰浩特=Ulanhot 二连浩特=Erenhot 霍林郭勒=Holingol 海拉尔=Hailar 扎兰屯=Zhalantun 额尔古纳=Ergun 牙克石=Yakeshi 阿尔山=Arxan " +
	"科尔沁=Horqin 和林格尔=Horinger 托克托=Togtoh 土默特=Tumed 达尔罕茂明安=Darhan_Muminggan 阿鲁科尔沁=Ar_Horqin 巴林=Bairin 克什克腾=Hexigten 翁牛特=Ongniud " +
	"喀喇沁=Harqin 扎鲁特=Jarud 库伦=Hure 达拉特=Dalad 准格尔=Jungar 鄂托克=Otog 杭锦=Hanggin 乌审=Uxin 伊金霍洛=Ejin_Horo 扎赉诺尔=Jalainur 阿荣=Arun " +
	"陈巴尔虎=Old_Barag 新巴尔虎=New_Barag 乌拉特=Urad 察哈尔=Qahar 阿巴嘎=Abag 苏尼特=Sonid 东乌珠穆沁=East_Ujimqin 西乌珠穆沁=West_Ujimqin 白云鄂博=Bayan_Obo 太仆寺=Taibus 额济纳=Ejin 扎赉特=Jalaid " +
	"哈尔滨=Harbin 齐齐哈尔=Qiqihar 杜尔伯特=Dorbod 前郭尔罗斯=Qian_Gorlos 莫力达瓦=Morin_Dawa 乌鲁木齐=Urumqi 克拉玛依=Karamay 吐鲁番=Turpan 博尔塔拉=Bortala " +
	"巴音郭楞=Bayingolin 阿克苏=Aksu 克孜勒苏=Kizilsu 喀什=Kashgar 和田=Hotan 伊犁=Ili 阿勒泰=Altay 库尔勒=Korla 博乐=Bole 阿图什=Artux 伊宁=Yining 奎屯=Kuytun " +
	"霍尔果斯=Khorgos 图木舒克=Tumxuk 阿拉山口=Alashankou 莎车=Yarkant 叶城=Kargilik 疏勒=Shule 英吉沙=Yengisar 察布查尔=Qapqal 巴里坤=Barkol 木垒=Mori " +
	"和布克赛尔=Hoboksar 塔什库尔干=Taxkorgan 若羌=Ruoqiang 鄯善=Shanshan 拉萨=Lhasa 日喀则=Xigaze 昌都=Qamdo 林芝=Nyingchi 那曲=Nagqu 阿里=Ngari 果洛=Golog " +
	"格尔木=Golmud 德令哈=Delingha 甘孜=Garze 阿坝=Aba 康定=Kangding 香格里拉=Shangri-La 玛多=Maduo 肃北=Subei 阿克塞=Aksay 香港=Hong_Kong 九龙=Kowloon 新界=New_Territories " +
	"中西=Central_and_Western 湾仔=Wan_Chai 东=Eastern 南=Southern 油尖旺=Yau_Tsim_Mong 深水埗=Sham_Shui_Po 九龙城=Kowloon_City 黄大仙=Wong_Tai_Sin 观塘=Kwun_Tong " +
	"荃湾=Tsuen_Wan 屯门=Tuen_Mun 元朗=Yuen_Long 北=North 大埔=Tai_Po 西贡=Sai_Kung 沙田=Sha_Tin 葵青=Kwai_Tsing 离岛=Islands 澳门=Municipality_of_Macao 海岛=Ilhas " +
	"吉木萨尔=Jimsar 玛纳斯=Manas 布尔津=Burqin 特克斯=Tekes 尼勒克=Nilka 阿拉尔=Aral 麦盖提=Makit 库车=Kuqa 托克逊=Toksun 阿克陶=Akto " +
	"大堂区=Sé 望德堂区=São_Lázaro 风顺堂区=São_Lourenço 花地玛堂区=Nossa_Senhora_de_Fátima 圣安多尼堂区=Santo_António 嘉模堂区=Nossa_Senhora_do_Carmo 圣方济各堂区=São_Francisco_Xavier " +
	"香港岛=Hong_Kong_Island 中沙群岛的岛礁及其海域=Zhongsha_Islands"

// nobodys are codes that gather others and name no place that anybody lives in.
var nobodys = []string{"市辖区", "县", "市", "省直辖县级行政区划", "自治区直辖县级行政区划"}

// speller writes names in Latin letters.
type speller struct {
	official map[string]string
	read     func(string) []string
}

func newSpeller() speller {
	s := speller{map[string]string{}, agency.Syllables()}
	for pair := range strings.FieldsSeq(official) {
		zh, en, _ := strings.Cut(pair, "=")
		s.official[zh] = strings.ReplaceAll(en, "_", " ")
	}
	return s
}

// latin is a region's name as pages in other languages than Chinese write it: 吴兴区 is
// Wuxing District. Provinces have theirs in the catalogue of sentences, and are left out;
// a hyphen marks a code that gathers others.
func (s speller) latin(code, name string) string {
	if slices.Contains(nobodys, name) {
		return "-"
	}
	if strings.HasSuffix(code, "0000") {
		return ""
	}
	if en, ok := s.official[name]; ok {
		return en
	}
	stem, kind := name, ""
	for _, end := range ends {
		if cut, ok := strings.CutSuffix(name, end.zh); ok && cut != "" && (len(end.zh) <= len("市") || len(cut) > len("市")) {
			stem, kind = cut, end.en
			break
		}
	}
	stem, people := nationality(stem, kind)
	hongKong := strings.HasPrefix(code, "81")
	if kind == "District" && len(stem) == len("城") && people == "" && !hongKong { // 城区, 郊区
		return s.spell(name) + " District"
	}
	var words []string
	for _, w := range []string{s.stem(stem, hongKong), people, kind} {
		if w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// nationality takes the nationalities off the end of a name.
func nationality(stem, kind string) (rest, people string) {
	var found []string
next:
	for stem != "" {
		for _, p := range peoples {
			cut, ok := strings.CutSuffix(stem, p.zh+"族")
			if !ok && strings.HasPrefix(kind, "Autonomous") && len(p.zh) > len("满") {
				cut, ok = strings.CutSuffix(stem, p.zh)
			}
			if ok {
				stem, found = cut, append(found, p.en)
				continue next
			}
		}
		break
	}
	slices.Reverse(found)
	if len(found) == 2 {
		return stem, found[0] + " and " + found[1]
	}
	return stem, strings.Join(found, "-") // no comma: the list has them between its cells
}

// stem spells a name without its kind. Single characters are official in Hong Kong alone,
// where a district is called by its side of the island.
func (s speller) stem(stem string, hongKong bool) string {
	if stem == "" {
		return ""
	}
	if en, ok := s.official[stem]; ok && (len(stem) > len("东") || hongKong) {
		return en
	}
	for _, wing := range []struct{ zh, en string }{{"左翼", " Left Wing"}, {"右翼", " Right Wing"}, {"左", " Left"}, {"右", " Right"}} {
		cut, ok := strings.CutSuffix(stem, wing.zh)
		if en, known := s.official[cut]; ok && known && len(cut) > len("东") {
			return en + wing.en
		}
	}
	return s.spell(stem)
}

// spell writes Chinese in pinyin, as GB/T 28039 has it for places: together, with an
// apostrophe before a syllable that begins with a vowel.
func (s speller) spell(name string) string {
	var b strings.Builder
	for i, syllable := range s.read(name) {
		syllable = strings.ReplaceAll(strings.ReplaceAll(syllable, "lv", "lü"), "nv", "nü")
		if i > 0 && strings.ContainsAny(syllable[:1], "aeo") {
			b.WriteByte('\'')
		}
		b.WriteString(syllable)
	}
	out := b.String()
	if out == "" {
		return ""
	}
	return strings.ToUpper(out[:1]) + out[1:]
}
