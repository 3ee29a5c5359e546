package oidc

import "github.com/liuma-pin/liuma"

// reason is a finer code beneath bad_request and unauthenticated. Like codes,
// reasons are stable; where the native door has the same one, it has the same
// name.
type reason string

const (
	reasonMethod          reason = "method"
	reasonContentType     reason = "content_type"
	reasonContentEncoding reason = "content_encoding"
	reasonQuery           reason = "query"
	reasonBody            reason = "body_unreadable"
	reasonFormSyntax      reason = "form_syntax"
	reasonUTF8            reason = "utf8"
	reasonMany            reason = "parameters_many"
	reasonDuplicate       reason = "parameter_duplicate"
	reasonMissing         reason = "parameter_missing"

	reasonShort  reason = "value_short"
	reasonLong   reason = "value_long"
	reasonForm   reason = "value_form"
	reasonChoice reason = "value_choice"

	reasonSyntax        reason = "json_syntax"
	reasonDeep          reason = "json_deep"
	reasonCount         reason = "details_count"
	reasonMemberTwice   reason = "member_duplicate"
	reasonMemberMissing reason = "member_missing"
	reasonMemberUnknown reason = "member_unknown"
	reasonMemberType    reason = "member_type"

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
	reasonAssertionSignature reason = "assertion_signature"
	reasonAssertionSubject   reason = "assertion_subject"
	reasonAssertionAudience  reason = "assertion_audience"
	reasonAssertionLifetime  reason = "assertion_lifetime"
	reasonAssertionExpired   reason = "assertion_expired"
	reasonAssertionFuture    reason = "assertion_future"
	reasonAssertionID        reason = "assertion_jti"
	reasonAssertionUsed      reason = "assertion_used"
	reasonClientID           reason = "client_id"
	reasonClientStopped      reason = "client_stopped"
)

// explained is what a reason says to the developer of a channel, and which
// OAuth error it is. English is ASCII without quotes, since it becomes an
// error_description (RFC 6749, 5.2).
type explained struct {
	oauth string // empty: invalid_request
	text  liuma.Text
}

// explain returns the row of a reason; false if it has none, which a test
// keeps from happening.
func (r reason) explain() (explained, bool) {
	for _, rows := range []map[reason]explained{requestReasons(), detailsReasons(), flowReasons(), clientReasons()} {
		if e, ok := rows[r]; ok {
			return e, true
		}
	}
	return explained{}, false
}

func requestReasons() map[reason]explained {
	return map[reason]explained{
		reasonMethod:          {text: liuma.Text{ZH: "该地址不支持此方法。", EN: "This address does not answer to this method."}},
		reasonContentType:     {text: liuma.Text{ZH: "请求头 Content-Type 应为 application/x-www-form-urlencoded。", EN: "Content-Type must be application/x-www-form-urlencoded."}},
		reasonContentEncoding: {text: liuma.Text{ZH: "请求体不得压缩。", EN: "The body must not be compressed."}},
		reasonQuery:           {text: liuma.Text{ZH: "地址中不得带查询参数。", EN: "The address must not carry a query."}},
		reasonBody:            {text: liuma.Text{ZH: "请求体没有收完整。", EN: "The body did not arrive whole."}},
		reasonFormSyntax:      {text: liuma.Text{ZH: "请求体不是合法的表单。", EN: "The body is not a well-formed form."}},
		reasonUTF8:            {text: liuma.Text{ZH: "内容不是合法的 UTF-8 文本。", EN: "The value is not valid UTF-8 text."}},
		reasonMany:            {text: liuma.Text{ZH: "参数过多。", EN: "There are too many parameters."}},
		reasonDuplicate:       {text: liuma.Text{ZH: "参数重复。", EN: "A parameter appears twice."}},
		reasonMissing:         {text: liuma.Text{ZH: "缺少必填参数。", EN: "A required parameter is missing."}},
		reasonShort:           {text: liuma.Text{ZH: "内容太短。", EN: "The value is too short."}},
		reasonLong:            {text: liuma.Text{ZH: "内容太长。", EN: "The value is too long."}},
		reasonForm:            {text: liuma.Text{ZH: "内容的格式不对。", EN: "The value is not of the form described."}},
		reasonChoice:          {text: liuma.Text{ZH: "内容不在可选值之列。", EN: "The value is none of the listed ones."}},
	}
}

const detailsError = "invalid_authorization_details"

func detailsReasons() map[reason]explained {
	return map[reason]explained{
		reasonSyntax:        {detailsError, liuma.Text{ZH: "不是合法的 JSON。", EN: "This is not well-formed JSON."}},
		reasonDeep:          {detailsError, liuma.Text{ZH: "JSON 嵌套过深。", EN: "The JSON is nested too deeply."}},
		reasonCount:         {detailsError, liuma.Text{ZH: "应为恰有一个 liuma_pin 对象的数组。", EN: "Want an array with exactly one object of type liuma_pin."}},
		reasonMemberTwice:   {detailsError, liuma.Text{ZH: "字段重复。", EN: "A member appears twice."}},
		reasonMemberMissing: {detailsError, liuma.Text{ZH: "缺少必填字段。", EN: "A required member is missing."}},
		reasonMemberUnknown: {detailsError, liuma.Text{ZH: "有不认识的字段，或该事项不用此字段。", EN: "A member is not known, or not used for this action."}},
		reasonMemberType:    {detailsError, liuma.Text{ZH: "字段类型不对。", EN: "A member has the wrong type."}},
	}
}

func flowReasons() map[reason]explained {
	return map[reason]explained{
		reasonRequestObject: {"request_not_supported", liuma.Text{ZH: "不支持签名请求对象，请直接推送参数。", EN: "Request objects are not supported; push the parameters themselves."}},
		reasonResponseType:  {"unsupported_response_type", liuma.Text{ZH: "response_type 应为 code。", EN: "The response_type must be code."}},
		reasonResponseMode:  {"", liuma.Text{ZH: "response_mode 只支持 query。", EN: "The only response_mode is query."}},
		reasonScope:         {"invalid_scope", liuma.Text{ZH: "scope 应包含 openid。", EN: "The scope must contain openid."}},
		reasonPrompt:        {"interaction_required", liuma.Text{ZH: "每次都要由持卡人输入密码，不能用 prompt=none。", EN: "The holder is always asked for the PIN, so prompt cannot be none."}},
		reasonChallenge:     {"", liuma.Text{ZH: "code_challenge_method 应为 S256。", EN: "The code_challenge_method must be S256."}},
		reasonRedirectURI:   {"", liuma.Text{ZH: "redirect_uri 与登记的不一致（逐字节比较）。", EN: "The redirect_uri is not a registered one, byte for byte."}},
		reasonGrantType:     {"unsupported_grant_type", liuma.Text{ZH: "grant_type 应为 authorization_code。", EN: "The grant_type must be authorization_code."}},
	}
}

// clientReasons all read as invalid_client, whose code is unauthenticated.
func clientReasons() map[reason]explained {
	return map[reason]explained{
		reasonAuthMethod:         {"", liuma.Text{ZH: "渠道只能用 private_key_jwt 证明身份。", EN: "A channel authenticates by private_key_jwt and nothing else."}},
		reasonAssertionMissing:   {"", liuma.Text{ZH: "缺少 client_assertion 或 client_assertion_type。", EN: "There is no client_assertion, or no client_assertion_type."}},
		reasonAssertionForm:      {"", liuma.Text{ZH: "client_assertion 不是 ES256 的 JWT。", EN: "The client_assertion is not a JWT signed with ES256."}},
		reasonAssertionSignature: {"", liuma.Text{ZH: "client_assertion 不是用该渠道登记的密钥签发的。", EN: "The client_assertion was not signed by a key registered for this channel."}},
		reasonAssertionSubject:   {"", liuma.Text{ZH: "client_assertion 的 iss 与 sub 应同为渠道编号。", EN: "Both iss and sub of the client_assertion must be the id of the channel."}},
		reasonAssertionAudience:  {"", liuma.Text{ZH: "client_assertion 的 aud 应只有签发方、令牌端点或推送端点之一。", EN: "The aud of the client_assertion must be the issuer, the token or the PAR endpoint, alone."}},
		reasonAssertionLifetime:  {"", liuma.Text{ZH: "client_assertion 应有 exp，且在五分钟以内。", EN: "The client_assertion needs an exp at most five minutes ahead."}},
		reasonAssertionExpired:   {"", liuma.Text{ZH: "client_assertion 已过期。", EN: "The client_assertion has expired."}},
		reasonAssertionFuture:    {"", liuma.Text{ZH: "client_assertion 尚未生效，请校准时钟。", EN: "The client_assertion is not valid yet; check the clock."}},
		reasonAssertionID:        {"", liuma.Text{ZH: "client_assertion 的 jti 应为 16 至 64 个字符。", EN: "The jti of the client_assertion must have 16 to 64 characters."}},
		reasonAssertionUsed:      {"", liuma.Text{ZH: "该 client_assertion 已经用过，每次请求都要新签一份。", EN: "This client_assertion was used before; sign one for each request."}},
		reasonClientID:           {"", liuma.Text{ZH: "client_id 与 client_assertion 不一致。", EN: "The client_id is not that of the client_assertion."}},
		reasonClientStopped:      {"", liuma.Text{ZH: "该渠道已停用。", EN: "This channel has been stopped."}},
	}
}

// refuse names a fault in the form of a request, or of its assertion. The
// field is a parameter's name or a dotted path into one, or empty.
func refuse(why reason, field string) *liuma.Error {
	code := liuma.CodeBadRequest
	if _, ok := clientReasons()[why]; ok {
		code = liuma.CodeUnauthenticated
	}
	return &liuma.Error{Code: code, Field: field, Reason: string(why)}
}
