// Runs functions.ts under Node in place of Deno, with its file system in memory, and prints what came of each case. Started by
// functions_test.go.
import { generateKeyPairSync, createHmac, sign } from 'node:crypto'
import { copyFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = '/home/deno/functions'
const secret = 'the secret of this project, and of no other'
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const now = Math.floor(Date.now() / 1000)

function token(alg, signer, claims = { role: 'anon', exp: now + 60 }, more = {}) {
  const text = `${encode({ alg, typ: 'JWT', ...more })}.${encode(claims)}`
  return `${text}.${signer(text).toString('base64url')}`
}
const hmac = (key) => (text) => createHmac('sha256', key).update(text).digest()
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const es256 = (text) => sign('sha256', Buffer.from(text), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })
const rs256 = (text) => sign('sha256', Buffer.from(text), rsa.privateKey)

// load starts the main service of one project.
let loads = 0
async function load(env) {
  const files = new Map() // path: { text, mtime }; a folder has no text
  const started = []
  let handler
  const found = (path) => files.get(path) ?? (() => { throw new Error(`${path}: no such file`) })()
  const errors = { InvalidWorkerCreation: class extends Error {}, InvalidWorkerResponse: class extends Error {}, WorkerRequestCancelled: class extends Error {} }
  globalThis.Deno = {
    errors,
    env: { get: (name) => env[name], toObject: () => env },
    serve: (given) => { handler = given },
    stat: async (path) => ({ mtime: new Date(found(path).mtime) }),
    readTextFile: async (path) => found(path).text,
    readDir: async function* (path) {
      for (const name of [...files.keys()]) if (name.startsWith(`${path}/`) && !name.slice(path.length + 1).includes('/')) yield { name: name.slice(path.length + 1) }
    },
    remove: async (path) => { for (const name of [...files.keys()]) if (name === path || name.startsWith(`${path}/`)) files.delete(name) },
  }
  globalThis.EdgeRuntime = {
    userWorkers: {
      create: async (options) => {
        started.push(options)
        return { fetch: async () => { if (env.FAIL) throw new errors[env.FAIL](); return new Response('from the worker') } }
      },
    },
  }
  const copy = join(mkdtempSync(join(tmpdir(), 'functions-')), `main${loads++}.mjs`)
  copyFileSync(process.argv[2], copy)
  await import(copy)
  return {
    started, files,
    // deploy does what the provisioner does.
    deploy(generation, list) {
      files.set(`${root}/deployed`, { mtime: 0 })
      for (const { folder } of Object.values(list)) if (!files.has(`${root}/${folder}`)) files.set(`${root}/${folder}`, { mtime: generation * 1000 })
      files.set(`${root}/deployed/functions.json`, { text: JSON.stringify(list), mtime: generation * 1000 })
    },
    async ask(path, authorization, method = 'POST') {
      const answer = await handler(new Request(`http://functions${path}`, { method, headers: authorization ? { authorization } : {} }))
      return `${answer.status} ${await answer.text()}`
    },
  }
}

const answers = {}
const open = { folder: 'a-1', entrypoint: 'supabase/functions/hello/index.ts', verify_jwt: false }

let main = await load({ PLURABASE_JWT_SECRET: secret })
answers['nothing deployed'] = await main.ask('/hello')
answers['health'] = await main.ask('/_internal/health')
main.deploy(1, { hello: open })
answers['deployed'] = await main.ask('/hello/some/path')
answers['of no such name'] = await main.ask('/toString')
main.files.set(`${root}/b-1`, { mtime: 2000 }) // it is about to be deployed
main.files.set(`${root}/deployed/functions.json`, { text: '{"hello":', mtime: 9000 })
answers['the list is there by half'] = await main.ask('/hello')
main.deploy(2, { other: { ...open, folder: 'b-1' } })
answers['deleted'] = await main.ask('/hello')
answers['folders'] = [...main.files.keys()].sort().join(' ')
main.files.set(`${root}/c-1`, { mtime: 3000 })
await main.ask('/other')
answers['what is being written stays'] = String(main.files.has(`${root}/c-1`))

main = await load({
  PLURABASE_JWT_SECRET: secret, SUPABASE_URL: 'http://gateway', PLURABASE_SECRET_JWT_SECRET: 'of the owner', PLURABASE_SECRET_PATH: 'likewise', PATH: '/bin',
})
main.deploy(1, { mapped: { ...open, import_map: 'supabase/functions/deno.json', entrypoint: 'a b/index.ts' } })
await main.ask('/mapped')
answers['started'] = main.started[0]

const closed = { closed: { ...open, verify_jwt: true } }
const bearer = (text) => `Bearer ${text}`
main = await load({ PLURABASE_JWT_SECRET: secret })
main.deploy(1, closed)
answers['without a token'] = await main.ask('/closed')
answers['asked beforehand'] = await main.ask('/closed', '', 'OPTIONS')
answers['signed with the secret'] = await main.ask('/closed', bearer(token('HS256', hmac(secret))))
answers['signed with another'] = await main.ask('/closed', bearer(token('HS256', hmac('another'))))
answers['not signed'] = await main.ask('/closed', bearer(`${encode({ alg: 'none' })}.${encode({})}.`))
answers['of a name that every object has'] = await main.ask('/closed', bearer(token('toString', hmac(secret))))
answers['expired'] = await main.ask('/closed', bearer(token('HS256', hmac(secret), { exp: now - 1 })))
answers['not yet'] = await main.ask('/closed', bearer(token('HS256', hmac(secret), { nbf: now + 60 })))
answers['no token'] = await main.ask('/closed', 'Bearer sb_secret_x')
answers['another scheme'] = await main.ask('/closed', 'Basic YTpi')

const jwks = { keys: [
  { kty: 'oct', k: Buffer.from(secret).toString('base64url'), alg: 'HS256', use: 'sig' },
  { ...ec.publicKey.export({ format: 'jwk' }), alg: 'ES256', kid: 'one', use: 'sig', key_ops: ['verify'] },
  { ...rsa.publicKey.export({ format: 'jwk' }), alg: 'RS256', kid: 'two', use: 'sig' },
] }
main = await load({ PLURABASE_JWT_SECRET: secret, PLURABASE_JWKS: JSON.stringify(jwks) })
main.deploy(1, closed)
answers['by an EC key'] = await main.ask('/closed', bearer(token('ES256', es256, undefined, { kid: 'one' })))
answers['by an RSA key'] = await main.ask('/closed', bearer(token('RS256', rs256, undefined, { kid: 'two' })))
answers['by the secret, beside keys'] = await main.ask('/closed', bearer(token('HS256', hmac(secret))))
answers['an EC key taken for a secret'] = await main.ask('/closed', bearer(token('HS256', hmac(ec.publicKey.export({ type: 'spki', format: 'pem' })))))
answers['keys that functions see'] = JSON.parse(Object.fromEntries(main.started[0].envVars).SUPABASE_JWKS).keys.map((key) => key.kty).join(' ')

for (const failure of ['InvalidWorkerCreation', 'InvalidWorkerResponse', 'WorkerRequestCancelled']) {
  main = await load({ PLURABASE_JWT_SECRET: secret, FAIL: failure })
  main.deploy(1, { hello: open })
  console.error = () => {}
  answers[failure] = await main.ask('/hello')
}
console.log(JSON.stringify(answers))
