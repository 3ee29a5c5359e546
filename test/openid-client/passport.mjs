// A channel's server, with openid-client's strategy for Passport. Passport itself
// is played: it hands the strategy a request with a session, and gives it redirect,
// success, fail and error.
import * as client from 'openid-client'
import { Strategy } from 'openid-client/passport'
import { converse, settings } from './lines.mjs'

const key = await crypto.subtle.importKey('jwk', settings.key, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
const config = await client.discovery(new URL(settings.issuer), settings.clientId, { id_token_signed_response_alg: 'ES256' },
  client.PrivateKeyJwt({ key, kid: settings.key.kid }), { execute: [client.allowInsecureRequests] })
client.enableNonRepudiationChecks(config)

class Liuma extends Strategy {
  authorizationRequestParams(request, options) {
    const params = super.authorizationRequestParams(request, options)
    params.set('state', client.randomState())
    params.set('nonce', client.randomNonce())
    return params
  }
}

const session = {}
const strategy = new Liuma({ config, scope: 'openid', usePAR: true, callbackURL: settings.redirect }, (tokens, done) => done(null, tokens))

function authenticate(address, options = {}) {
  const { protocol, host, pathname, search } = new URL(address)
  const request = { method: 'GET', session, protocol: protocol.slice(0, -1), host, url: pathname + search }
  return new Promise((resolve, reject) => {
    const passport = {
      redirect: (url) => resolve({ url }),
      success: (tokens) => resolve({ tokens }),
      fail: (why) => reject(Object.assign(new Error(why?.message ?? 'failed'), { code: 'failed' })),
      error: reject,
    }
    Object.assign(Object.create(strategy), passport).authenticate(request, options)
  })
}

const start = () => new URL('/start', settings.redirect)
const push = ({ details }) => authenticate(start(), { authorizationDetails: details })

async function callback({ url, verifier }) {
  if (verifier) session[new URL(settings.issuer).host].code_verifier = verifier // where the strategy keeps it
  const { tokens } = await authenticate(url)
  const claims = tokens.claims()
  return { claims, userinfo: await client.fetchUserInfo(config, tokens.access_token, claims.sub) }
}

await converse({ push, callback })
