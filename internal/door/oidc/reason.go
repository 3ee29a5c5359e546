package oidc

import (
	"slices"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/strictjson"
)

// reason is a finer name beneath the error codes bad_request and
// unauthenticated. Where the native door has the same one, it has the same
// name.
type reason = door.Reason

const (
	reasonMethod                 = door.ReasonMethod
	reasonContentType            = door.ReasonContentType
	reasonContentEncoding        = door.ReasonContentEncoding
	reasonQuery                  = door.ReasonQuery
	reasonBody                   = door.ReasonBody
	reasonFormSyntax      reason = "form_syntax"
	reasonUTF8            reason = "utf8"
	reasonMany            reason = "parameters_many"
	reasonDuplicate       reason = "parameter_duplicate"
	reasonMissing         reason = "parameter_missing"

	reasonShort  reason = "value_short"
	reasonLong   reason = "value_long"
	reasonForm   reason = "value_form"
	reasonChoice reason = "value_choice"

	reasonSyntax               = door.ReasonSyntax
	reasonDeep                 = reason(strictjson.Deep)
	reasonCount         reason = "details_count"
	reasonMemberTwice          = door.ReasonDuplicate
	reasonMemberMissing        = door.ReasonMissing
	reasonMemberUnknown        = door.ReasonUnknown
	reasonMemberType           = door.ReasonType

	reasonRequestObject reason = "request_object"
	reasonResponseType  reason = "response_type"
	reasonResponseMode  reason = "response_mode"
	reasonScope         reason = "scope"
	reasonPrompt        reason = "prompt"
	reasonChallenge     reason = "code_challenge_method"
	reasonRedirectURI   reason = "redirect_uri"
	reasonGrantType     reason = "grant_type"

	reasonAuthMethod         reason = "auth_method"
	reasonAssertionMissing   reason = "assertion_missing"
	reasonAssertionForm      reason = "assertion_form"
	reasonAssertionType      reason = "assertion_typ"
	reasonAssertionSignature reason = "assertion_signature"
	reasonAssertionSubject   reason = "assertion_subject"
	reasonAssertionAudience  reason = "assertion_audience"
	reasonAssertionLifetime  reason = "assertion_lifetime"
	reasonAssertionExpired   reason = "assertion_expired"
	reasonAssertionFuture    reason = "assertion_future"
	reasonAssertionID        reason = "assertion_jti"
	reasonAssertionUsed      reason = "assertion_used"
	reasonClientID           reason = "client_id"
	reasonClientStopped             = door.ReasonClientStopped
)

// reasons lists every reason of the door.
func reasons() door.Reasons {
	return slices.Concat(requestReasons(), detailsReasons(), flowReasons(), clientReasons())
}

func requestReasons() door.Reasons {
	return door.Reasons{
		door.Shared(reasonMethod),
		door.Says(reasonContentType, "请求头 Content-Type 应为 application/x-www-form-urlencoded。", "Content-Type must be application/x-www-form-urlencoded."),
		door.Shared(reasonContentEncoding),
		door.Shared(reasonQuery),
		door.Shared(reasonBody),
		door.Says(reasonFormSyntax, "请求体不是合法的表单。", "The body is not a well-formed form."),
		door.Says(reasonUTF8, "内容不是合法的 UTF-8 文本。", "The value is not valid UTF-8 text."),
		door.Says(reasonMany, "参数过多。", "There are too many parameters."),
		door.Says(reasonDuplicate, "参数重复。", "A parameter appears twice."),
		door.Says(reasonMissing, "缺少必填参数。", "A required parameter is missing."),
		door.Says(reasonShort, "内容太短。", "The value is too short."),
		door.Says(reasonLong, "内容太长。", "The value is too long."),
		door.Says(reasonForm, "内容的格式不对。", "The value is not of the form described."),
		door.Says(reasonChoice, "内容不在可选值之列。", "The value is none of the listed ones."),
	}
}

func detailsReasons() door.Reasons {
	return door.Reasons{
		door.Says(reasonSyntax, "不是合法的 JSON。", "This is not well-formed JSON."),
		door.Says(reasonDeep, "JSON 嵌套过深。", "The JSON is nested too deeply."),
		door.Says(reasonCount, "应为恰有一个 liuma_pin 对象的数组。", "Want an array with exactly one object of type liuma_pin."),
		door.Shared(reasonMemberTwice),
		door.Shared(reasonMemberMissing),
		door.Says(reasonMemberUnknown, "有不认识的字段，或该事项不用此字段。", "A member is not known, or not used for this action."),
		door.Shared(reasonMemberType),
	}
}

func flowReasons() door.Reasons {
	return door.Reasons{
		door.Says(reasonRequestObject, "不支持签名请求对象，请直接推送参数。", "Request objects are not supported; push the parameters themselves."),
		door.Says(reasonResponseType, "response_type 应为 code。", "The response_type must be code."),
		door.Says(reasonResponseMode, "response_mode 只支持 query。", "The only response_mode is query."),
		door.Says(reasonScope, "scope 应包含 openid。", "The scope must contain openid."),
		door.Says(reasonPrompt, "每次都要由持卡人输入密码，不能用 prompt=none。", "The holder is always asked for the PIN, so prompt cannot be none."),
		door.Says(reasonChallenge, "code_challenge_method 应为 S256。", "The code_challenge_method must be S256."),
		door.Says(reasonRedirectURI, "redirect_uri 与登记的不一致（逐字节比较）。", "The redirect_uri is not a registered one, byte for byte."),
		door.Says(reasonGrantType, "grant_type 应为 authorization_code。", "The grant_type must be authorization_code."),
	}
}

// clientReasons all give invalid_client, whose error code is unauthenticated.
func clientReasons() door.Reasons {
	return door.Reasons{
		door.Says(reasonAuthMethod, "渠道只能用 private_key_jwt 证明身份。", "A channel authenticates by private_key_jwt and nothing else."),
		door.Says(reasonAssertionMissing, "缺少 client_assertion 或 client_assertion_type。", "There is no client_assertion, or no client_assertion_type."),
		door.Says(reasonAssertionForm, "client_assertion 不是 ES256 的 JWT。", "The client_assertion is not a JWT signed with ES256."),
		door.Says(reasonAssertionType, "client_assertion 的 typ 应为 JWT 或 client-authentication+jwt，也可省略。", "The typ of the client_assertion must be JWT or client-authentication+jwt, or be left out."),
		door.Says(reasonAssertionSignature, "client_assertion 不是用该渠道登记的密钥签发的。", "The client_assertion was not signed by a key registered for this channel."),
		door.Says(reasonAssertionSubject, "client_assertion 的 iss 与 sub 应同为渠道编号。", "Both iss and sub of the client_assertion must be the id of the channel."),
		door.Says(reasonAssertionAudience, "client_assertion 的 aud 应只有签发方、令牌端点或推送端点之一。", "The aud of the client_assertion must be the issuer, the token or the PAR endpoint, alone."),
		door.Says(reasonAssertionLifetime, "client_assertion 应有 exp，且在五分钟以内。", "The client_assertion needs an exp at most five minutes ahead."),
		door.Says(reasonAssertionExpired, "client_assertion 已过期。", "The client_assertion has expired."),
		door.Says(reasonAssertionFuture, "client_assertion 尚未生效，请校准时钟。", "The client_assertion is not valid yet; check the clock."),
		door.Says(reasonAssertionID, "client_assertion 的 jti 应为 16 至 64 个字符。", "The jti of the client_assertion must have 16 to 64 characters."),
		door.Says(reasonAssertionUsed, "该 client_assertion 已经用过，每次请求都要新签一份。", "This client_assertion was used before; sign one for each request."),
		door.Says(reasonClientID, "client_id 与 client_assertion 不一致。", "The client_id is not that of the client_assertion."),
		door.Says(reasonClientStopped, "该渠道已停用。", "This channel has been stopped."),
	}
}

// refuse names a fault in the form of a request, or of its assertion. The
// field is a parameter's name or a dotted path into one, or empty.
func refuse(why reason, field string) *liuma.Error {
	if clientReasons().Has(why) {
		return door.Unauthenticated(why, field, nil)
	}
	return door.Malformed(why, field)
}
