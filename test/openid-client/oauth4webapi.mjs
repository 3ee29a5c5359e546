// A channel's server, written with oauth4webapi: nothing is done that is not written
// here, and each answer is checked.
import * as oauth from 'oauth4webapi'
import { converse, settings } from './lines.mjs'

const issuer = new URL(settings.issuer)
const options = { [oauth.allowInsecureRequests]: true }
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))
const client = { client_id: settings.clientId, id_token_signed_response_alg: 'ES256' }
const key = await crypto.subtle.importKey('jwk', settings.key, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const authenticate = oauth.PrivateKeyJwt({ key, kid: settings.key.kid })

let session

async function push({ details }) {
  session = { state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(), verifier: oauth.generateRandomCodeVerifier() }
  const parameters = new URLSearchParams({
    response_type: 'code',
    redirect_uri: settings.redirect,
    scope: 'openid',
    state: session.state,
    nonce: session.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(session.verifier),
    code_challenge_method: 'S256',
    authorization_details: JSON.stringify([details]),
  })
  const response = await oauth.pushedAuthorizationRequest(server, client, authenticate, parameters, options)
  const { request_uri } = await oauth.processPushedAuthorizationResponse(server, client, response)
  const url = new URL(server.authorization_endpoint)
  url.searchParams.set('client_id', client.client_id)
  url.searchParams.set('request_uri', request_uri)
  return { url: url.href }
}

async function callback({ url, verifier }) {
  const parameters = oauth.validateAuthResponse(server, client, new URL(url), session.state)
  const response = await oauth.authorizationCodeGrantRequest(
    server, client, authenticate, parameters, settings.redirect, verifier ?? session.verifier, options)
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: session.nonce, requireIdToken: true, maxAge: 300 })
  await oauth.validateApplicationLevelSignature(server, response, options)
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  const info = await oauth.userInfoRequest(server, client, tokens.access_token, options)
  return { claims, userinfo: await oauth.processUserInfoResponse(server, client, claims.sub, info) }
}

await converse({ push, callback })
