package api

import (
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

type reason = door.Reason

// The reasons of this door, beside the shared ones. Reasons about a body's form
// come from the strict reader.
const (
	reasonEmpty    = reason(strictjson.Empty)
	reasonUTF8     = reason(strictjson.UTF8)
	reasonTrailing = reason(strictjson.Trailing)
	reasonShort    = reason(strictjson.Short)
	reasonLong     = reason(strictjson.Long)
	reasonForm     = reason(strictjson.Form)
	reasonChoice   = reason(strictjson.Choice)

	reasonSubject reason = "subject_mixed"

	reasonTokenMissing   reason = "token_missing"
	reasonTokenForm      reason = "token_form"
	reasonTokenType      reason = "token_typ"
	reasonTokenSignature reason = "token_signature"
	reasonTokenSubject   reason = "token_subject"
	reasonTokenAudience  reason = "token_audience"
	reasonTokenLifetime  reason = "token_lifetime"
	reasonTokenExpired   reason = "token_expired"
	reasonTokenFuture    reason = "token_future"
)

// reasons lists every reason of the door, in the order of the document.
func reasons() door.Reasons { return append(requestReasons(), tokenReasons()...) }

// requestReasons are of bad_request.
func requestReasons() door.Reasons {
	return door.Reasons{
		door.Shared(door.ReasonMethod),
		door.Says(door.ReasonContentType, "请求头 Content-Type 应为 application/json。", "Content-Type must be application/json."),
		door.Shared(door.ReasonContentEncoding),
		door.Shared(door.ReasonQuery),
		door.Shared(door.ReasonBody),
		door.Says(reasonEmpty, "缺少请求体。", "The body is empty."),
		door.Says(door.ReasonSyntax, "请求体不是合法的 JSON 对象。", "The body is not a JSON object."),
		door.Says(reasonUTF8, "请求体不是合法的 UTF-8 文本。", "The body is not valid UTF-8."),
		door.Says(reasonTrailing, "JSON 对象之后还有多余内容。", "Something follows the JSON object."),
		door.Says(door.ReasonUnknown, "有不认识的字段（字段名区分大小写）。", "A member is not known (names are case-sensitive)."),
		door.Shared(door.ReasonDuplicate),
		door.Shared(door.ReasonMissing),
		door.Shared(door.ReasonType),
		door.Says(reasonShort, "字段内容太短。", "A member is too short."),
		door.Says(reasonLong, "字段内容太长。", "A member is too long."),
		door.Says(reasonForm, "字段内容的格式不对。", "A member is not of the form described."),
		door.Says(reasonChoice, "字段内容不在可选值之列。", "A member is none of the listed values."),
		door.Says(reasonSubject, "持卡人应只用卡号标识，或只用姓名和身份证号码。", "Name the holder either by card, or by ID number and name."),
	}
}

// tokenReasons are of unauthenticated.
func tokenReasons() door.Reasons {
	return door.Reasons{
		door.Says(reasonTokenMissing, "缺少 Authorization: Bearer 令牌。", "There is no Authorization: Bearer token."),
		door.Says(reasonTokenForm, "令牌不是带 kid 的 ES256 JWT。", "The token is not an ES256 JWT with a kid."),
		door.Says(reasonTokenType, "令牌头部的 typ 应为 liuma-native+jwt。", "The typ in the token's header must be liuma-native+jwt."),
		door.Says(reasonTokenSignature, "令牌不是用该调用方登记的密钥签发的。", "The token was not signed by a key registered for this client."),
		door.Says(reasonTokenSubject, "令牌的 iss 与 sub 应同为调用方编号。", "Both iss and sub must be the client's id."),
		door.Says(reasonTokenAudience, "令牌的 aud 应只有“签发方/v1”。", "The aud must be the issuer with /v1 after it, alone."),
		door.Says(reasonTokenLifetime, "令牌应有 iat 和 exp，相隔不超过五分钟。", "The token needs iat and exp, at most five minutes apart."),
		door.Says(reasonTokenExpired, "令牌已过期。", "The token has expired."),
		door.Says(reasonTokenFuture, "令牌尚未生效，请校准时钟。", "The token is not valid yet; check the clock."),
		door.Says(door.ReasonClientStopped, "该调用方已停用。", "This client has been stopped."),
	}
}
