package oidc

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/liuma-pin/liuma/internal/door"
)

// metadata is the discovery document (OpenID Connect Discovery 1.0, RFC 8414,
// RFC 9126, RFC 9207, RFC 9396). A member is spelled out where its default
// differs from the door's behaviour.
type metadata struct {
	Issuer                 string   `json:"issuer"`
	Authorization          string   `json:"authorization_endpoint"`
	Token                  string   `json:"token_endpoint"`
	PAR                    string   `json:"pushed_authorization_request_endpoint"`
	UserInfo               string   `json:"userinfo_endpoint"`
	Keys                   string   `json:"jwks_uri"`
	RequirePAR             bool     `json:"require_pushed_authorization_requests"`
	Scopes                 []string `json:"scopes_supported"`
	ResponseTypes          []string `json:"response_types_supported"`
	ResponseModes          []string `json:"response_modes_supported"`
	GrantTypes             []string `json:"grant_types_supported"`
	ACRs                   []string `json:"acr_values_supported"`
	SubjectTypes           []string `json:"subject_types_supported"`
	IDTokenAlgs            []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods            []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgs               []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	ChallengeMethods       []string `json:"code_challenge_methods_supported"`
	DetailsTypes           []string `json:"authorization_details_types_supported"`
	ClaimTypes             []string `json:"claim_types_supported"`
	Claims                 []string `json:"claims_supported"`
	UILocales              []string `json:"ui_locales_supported"`
	ClaimsParameter        bool     `json:"claims_parameter_supported"`
	RequestParameter       bool     `json:"request_parameter_supported"`
	RequestURIParameter    bool     `json:"request_uri_parameter_supported"` // of addresses that a channel chose; pushed ones always work
	RequestURIRegistration bool     `json:"require_request_uri_registration"`
	IssInResponse          bool     `json:"authorization_response_iss_parameter_supported"`
}

func newMetadata(issuer string) metadata {
	return metadata{
		Issuer: issuer, Authorization: issuer + AuthorizePath, Token: issuer + TokenPath,
		PAR: issuer + PARPath, UserInfo: issuer + UserInfoPath, Keys: issuer + KeysPath, RequirePAR: true,
		Scopes: []string{"openid"}, ResponseTypes: []string{"code"}, ResponseModes: []string{"query"},
		GrantTypes:   []string{"authorization_code"},
		ACRs:         []string{"urn:liuma:acr:pin", "urn:liuma:acr:pin-evidence", "urn:liuma:acr:evidence"},
		SubjectTypes: []string{"pairwise"}, IDTokenAlgs: []string{"ES256"},
		AuthMethods: []string{"private_key_jwt"}, AuthAlgs: []string{"ES256"},
		ChallengeMethods: []string{"S256"}, DetailsTypes: []string{detailsType},
		ClaimTypes: []string{"normal"},
		Claims: []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash",
			"liuma_card", "liuma_business_no", "liuma_action", "liuma_purpose_hash", "pin_age", "phone_age"},
		UILocales:     []string{"zh-CN", "en"},
		IssInResponse: true,
	}
}

// CheckIssuer returns what is wrong with an issuer: it must be an origin, so
// that every endpoint's address is issuer and path, and https unless it is on
// the loopback.
func CheckIssuer(issuer string) error {
	if _, err := door.CheckOrigin(issuer); err != nil {
		return fmt.Errorf("issuer %q: %w", issuer, err)
	}
	return nil
}

const maxRedirectURI = 1024

// CheckRedirectURI returns what is wrong with a redirect URI before it is
// registered: it must be an absolute https address (http on the loopback)
// without user, fragment, or a parameter that the answer will carry. At the
// door it is then compared byte for byte, so nothing is normalised here.
func CheckRedirectURI(s string) error {
	if len(s) > maxRedirectURI {
		return fmt.Errorf("redirect URI: longer than %d bytes", maxRedirectURI)
	}
	if strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return errors.New("redirect URI: want printable ASCII without spaces")
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return errors.New("redirect URI: want an absolute address such as https://app.example.cn/back")
	}
	if u.User != nil || strings.Contains(s, "#") {
		return errors.New("redirect URI: want neither user nor fragment")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !door.Loopback(u.Hostname())) {
		return errors.New("redirect URI: want https, or http on the loopback")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("redirect URI: the query does not parse")
	}
	for _, name := range []string{"code", "state", "iss", "error", "error_description"} {
		if query.Has(name) {
			return fmt.Errorf("redirect URI: the query must not have %s", name)
		}
	}
	return nil
}

// mayGoBack reports whether a redirect URI is registered, byte for byte, and is valid
// by today's rules too, even if it was registered under earlier ones.
func mayGoBack(registered []string, uri string) bool {
	return slices.Contains(registered, uri) && CheckRedirectURI(uri) == nil
}
