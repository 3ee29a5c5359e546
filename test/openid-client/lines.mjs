// The conversation with the Go test: one JSON object a line comes in, one goes out.
// client.mjs says which.
import { createInterface } from 'node:readline'

export const settings = JSON.parse(process.env.CHANNEL)

export async function converse(acts) {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line)
    let answer
    try {
      answer = await acts[request.do](request)
    } catch (e) {
      const cause = e.cause?.error ? e.cause : e
      answer = { error: e.message, oauth: cause.error, code: e.code, liuma: cause.code }
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
}
