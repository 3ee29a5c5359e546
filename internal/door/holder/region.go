package holder

import "github.com/liuma-pin/liuma"

// regionName names the province of a region (GB/T 2260, first two digits).
// The empty region is the nation and has no name to show.
func regionName(r liuma.Region) liuma.Text {
	if len(r) < 2 {
		return liuma.Text{}
	}
	switch r[:2] {
	case "11":
		return liuma.Text{ZH: "北京市", EN: "Beijing"}
	case "12":
		return liuma.Text{ZH: "天津市", EN: "Tianjin"}
	case "13":
		return liuma.Text{ZH: "河北省", EN: "Hebei"}
	case "14":
		return liuma.Text{ZH: "山西省", EN: "Shanxi"}
	case "15":
		return liuma.Text{ZH: "内蒙古自治区", EN: "Inner Mongolia"}
	case "21":
		return liuma.Text{ZH: "辽宁省", EN: "Liaoning"}
	case "22":
		return liuma.Text{ZH: "吉林省", EN: "Jilin"}
	case "23":
		return liuma.Text{ZH: "黑龙江省", EN: "Heilongjiang"}
	case "31":
		return liuma.Text{ZH: "上海市", EN: "Shanghai"}
	case "32":
		return liuma.Text{ZH: "江苏省", EN: "Jiangsu"}
	case "33":
		return liuma.Text{ZH: "浙江省", EN: "Zhejiang"}
	case "34":
		return liuma.Text{ZH: "安徽省", EN: "Anhui"}
	case "35":
		return liuma.Text{ZH: "福建省", EN: "Fujian"}
	case "36":
		return liuma.Text{ZH: "江西省", EN: "Jiangxi"}
	case "37":
		return liuma.Text{ZH: "山东省", EN: "Shandong"}
	}
	return southernAndWestern(r)
}

func southernAndWestern(r liuma.Region) liuma.Text {
	switch r[:2] {
	case "41":
		return liuma.Text{ZH: "河南省", EN: "Henan"}
	case "42":
		return liuma.Text{ZH: "湖北省", EN: "Hubei"}
	case "43":
		return liuma.Text{ZH: "湖南省", EN: "Hunan"}
	case "44":
		return liuma.Text{ZH: "广东省", EN: "Guangdong"}
	case "45":
		return liuma.Text{ZH: "广西壮族自治区", EN: "Guangxi"}
	case "46":
		return liuma.Text{ZH: "海南省", EN: "Hainan"}
	case "50":
		return liuma.Text{ZH: "重庆市", EN: "Chongqing"}
	case "51":
		return liuma.Text{ZH: "四川省", EN: "Sichuan"}
	case "52":
		return liuma.Text{ZH: "贵州省", EN: "Guizhou"}
	case "53":
		return liuma.Text{ZH: "云南省", EN: "Yunnan"}
	case "54":
		return liuma.Text{ZH: "西藏自治区", EN: "Tibet"}
	case "61":
		return liuma.Text{ZH: "陕西省", EN: "Shaanxi"}
	case "62":
		return liuma.Text{ZH: "甘肃省", EN: "Gansu"}
	case "63":
		return liuma.Text{ZH: "青海省", EN: "Qinghai"}
	case "64":
		return liuma.Text{ZH: "宁夏回族自治区", EN: "Ningxia"}
	case "65":
		return liuma.Text{ZH: "新疆维吾尔自治区", EN: "Xinjiang"}
	}
	return liuma.Text{}
}
