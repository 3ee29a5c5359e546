package api

import "github.com/liuma-pin/liuma"

// reason is a finer code beneath bad_request and unauthenticated. Like codes,
// reasons are stable.
type reason string

const (
	reasonMethod          reason = "method"
	reasonContentType     reason = "content_type"
	reasonContentEncoding reason = "content_encoding"
	reasonQuery           reason = "query"
	reasonBody            reason = "body_unreadable"
	reasonEmpty           reason = "body_empty"
	reasonSyntax          reason = "json_syntax"
	reasonUTF8            reason = "json_utf8"
	reasonTrailing        reason = "json_trailing"
	reasonUnknown         reason = "member_unknown"
	reasonDuplicate       reason = "member_duplicate"
	reasonMissing         reason = "member_missing"
	reasonType            reason = "member_type"
	reasonShort           reason = "member_short"
	reasonLong            reason = "member_long"
	reasonForm            reason = "member_form"
	reasonChoice          reason = "member_choice"
	reasonSubject         reason = "subject_mixed"

	reasonTokenMissing   reason = "token_missing"
	reasonTokenForm      reason = "token_form"
	reasonTokenSignature reason = "token_signature"
	reasonTokenSubject   reason = "token_subject"
	reasonTokenAudience  reason = "token_audience"
	reasonTokenLifetime  reason = "token_lifetime"
	reasonTokenExpired   reason = "token_expired"
	reasonTokenFuture    reason = "token_future"
	reasonClientStopped  reason = "client_stopped"
)

// reasons lists every reason of the door, in the order of the document.
func reasons() []reason {
	return []reason{
		reasonMethod, reasonContentType, reasonContentEncoding, reasonQuery, reasonBody, reasonEmpty,
		reasonSyntax, reasonUTF8, reasonTrailing, reasonUnknown, reasonDuplicate, reasonMissing,
		reasonType, reasonShort, reasonLong, reasonForm, reasonChoice, reasonSubject,
		reasonTokenMissing, reasonTokenForm, reasonTokenSignature, reasonTokenSubject,
		reasonTokenAudience, reasonTokenLifetime, reasonTokenExpired, reasonTokenFuture, reasonClientStopped,
	}
}

// sentence says what the reason is, for the developer of a channel.
func (r reason) sentence() (liuma.Text, bool) {
	if t, ok := r.tokenSentence(); ok {
		return t, true
	}
	switch r {
	case reasonMethod:
		return liuma.Text{ZH: "该地址不支持此方法。", EN: "This address does not answer to this method."}, true
	case reasonContentType:
		return liuma.Text{ZH: "请求头 Content-Type 应为 application/json。", EN: "Content-Type must be application/json."}, true
	case reasonContentEncoding:
		return liuma.Text{ZH: "请求体不得压缩。", EN: "The body must not be compressed."}, true
	case reasonQuery:
		return liuma.Text{ZH: "地址中不得带查询参数。", EN: "The address must not carry a query."}, true
	case reasonBody:
		return liuma.Text{ZH: "请求体没有收完整。", EN: "The body did not arrive whole."}, true
	case reasonEmpty:
		return liuma.Text{ZH: "缺少请求体。", EN: "The body is empty."}, true
	case reasonSyntax:
		return liuma.Text{ZH: "请求体不是合法的 JSON 对象。", EN: "The body is not a JSON object."}, true
	case reasonUTF8:
		return liuma.Text{ZH: "请求体不是合法的 UTF-8 文本。", EN: "The body is not valid UTF-8."}, true
	case reasonTrailing:
		return liuma.Text{ZH: "JSON 对象之后还有多余内容。", EN: "Something follows the JSON object."}, true
	case reasonUnknown:
		return liuma.Text{ZH: "有不认识的字段（字段名区分大小写）。", EN: "A member is not known (names are case-sensitive)."}, true
	case reasonDuplicate:
		return liuma.Text{ZH: "字段重复。", EN: "A member appears twice."}, true
	case reasonMissing:
		return liuma.Text{ZH: "缺少必填字段。", EN: "A required member is missing."}, true
	case reasonType:
		return liuma.Text{ZH: "字段类型不对。", EN: "A member has the wrong type."}, true
	case reasonShort:
		return liuma.Text{ZH: "字段内容太短。", EN: "A member is too short."}, true
	case reasonLong:
		return liuma.Text{ZH: "字段内容太长。", EN: "A member is too long."}, true
	case reasonForm:
		return liuma.Text{ZH: "字段内容的格式不对。", EN: "A member is not of the form described."}, true
	case reasonChoice:
		return liuma.Text{ZH: "字段内容不在可选值之列。", EN: "A member is none of the listed values."}, true
	case reasonSubject:
		return liuma.Text{ZH: "持卡人应只用卡号标识，或只用姓名和身份证号码。", EN: "Name the holder either by card, or by ID number and name."}, true
	}
	return liuma.Text{}, false
}

func (r reason) tokenSentence() (liuma.Text, bool) {
	switch r {
	case reasonTokenMissing:
		return liuma.Text{ZH: "缺少 Authorization: Bearer 令牌。", EN: "There is no Authorization: Bearer token."}, true
	case reasonTokenForm:
		return liuma.Text{ZH: "令牌不是带 kid 的 ES256 JWT。", EN: "The token is not an ES256 JWT with a kid."}, true
	case reasonTokenSignature:
		return liuma.Text{ZH: "令牌不是用该调用方登记的密钥签发的。", EN: "The token was not signed by a key registered for this client."}, true
	case reasonTokenSubject:
		return liuma.Text{ZH: "令牌的 iss 与 sub 应同为调用方编号。", EN: "Both iss and sub must be the client's id."}, true
	case reasonTokenAudience:
		return liuma.Text{ZH: "令牌的 aud 应只有本服务。", EN: "The aud must be this service, alone."}, true
	case reasonTokenLifetime:
		return liuma.Text{ZH: "令牌应有 iat 和 exp，相隔不超过五分钟。", EN: "The token needs iat and exp, at most five minutes apart."}, true
	case reasonTokenExpired:
		return liuma.Text{ZH: "令牌已过期。", EN: "The token has expired."}, true
	case reasonTokenFuture:
		return liuma.Text{ZH: "令牌尚未生效，请校准时钟。", EN: "The token is not valid yet; check the clock."}, true
	case reasonClientStopped:
		return liuma.Text{ZH: "该调用方已停用。", EN: "This client has been stopped."}, true
	}
	return liuma.Text{}, false
}
