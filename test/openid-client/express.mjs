// A channel's server, on Express with express-openid-connect: the middleware pushes,
// keeps state, nonce and verifier in its cookie, takes the callback and asks
// /userinfo. It is asked here as a browser would, with the cookies that it set.
import express from 'express'
import eoc from 'express-openid-connect'
import { converse, settings } from './lines.mjs'

const base = new URL(settings.redirect).origin
const app = express()
app.use(eoc.auth({
  issuerBaseURL: settings.issuer,
  baseURL: base,
  clientID: settings.clientId,
  secret: 'thirty-two characters and more of it',
  authRequired: false,
  idpLogout: false,
  pushedAuthorizationRequests: true,
  clientAuthMethod: 'private_key_jwt',
  clientAssertionSigningKey: settings.key,
  clientAssertionSigningAlg: 'ES256',
  idTokenSigningAlg: 'ES256',
  authorizationParams: { response_type: 'code', scope: 'openid' },
  routes: { login: false, callback: new URL(settings.redirect).pathname },
}))
app.get('/start', (request, response) =>
  response.oidc.login({ returnTo: '/me', authorizationParams: { authorization_details: request.query.details } }))
app.get('/me', async (request, response, next) => {
  try {
    response.json({ claims: request.oidc.idTokenClaims, userinfo: await request.oidc.fetchUserInfo() })
  } catch (e) {
    next(e)
  }
})
app.use((e, request, response, next) => response.status(e.status ?? 500).json({ error: e.message, oauth: e.error ?? e.cause?.error }))
const server = app.listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))

const jar = new Map()

async function get(path) {
  const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`, {
    redirect: 'manual',
    headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
  })
  for (const set of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(set)
    value ? jar.set(name, value) : jar.delete(name)
  }
  return response
}

async function push({ details }) {
  const response = await get('/start?details=' + encodeURIComponent(JSON.stringify([details])))
  return response.status === 302 ? { url: response.headers.get('location') } : await response.json()
}

async function callback({ url, verifier }) {
  if (verifier) throw new Error('the verifier is in the middleware\'s cookie')
  const { pathname, search } = new URL(url)
  const response = await get(pathname + search)
  if (response.status !== 302) return await response.json()
  return await (await get('/me')).json()
}

await converse({ push, callback })
server.close()
