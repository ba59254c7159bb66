// Answers for all of a project's functions: each request goes to a worker, which runs the version of the function that was
// deployed last. It imports nothing, so that it starts without a network, and has no types, so that it can be tested without Deno.
const root = '/home/deno/functions'
const list = `${root}/deployed/functions.json` // written by the provisioner (functions.go), after the folders that it names

let functions = new Map() // by slug
let taken // the time of the list that was taken up: the number of its generation

// takeUp reads the list when it is another one. Where there is none, or half of one, what was taken up before goes on.
async function takeUp() {
  try {
    const { mtime } = await Deno.stat(list)
    if (mtime.getTime() === taken) return
    functions = new Map(Object.entries(JSON.parse(await Deno.readTextFile(list))))
    taken = mtime.getTime()
  } catch {
    return
  }
  await tidyUp()
}

// tidyUp removes what is not deployed any more: workers that run have read all of theirs. What is newer than the list is about to
// be named by the next one.
async function tidyUp() {
  const kept = new Set(['deployed', ...[...functions.values()].map((one) => one.folder)])
  for await (const { name } of Deno.readDir(root)) {
    try {
      const { mtime } = await Deno.stat(`${root}/${name}`)
      if (!kept.has(name) && mtime.getTime() <= taken) await Deno.remove(`${root}/${name}`, { recursive: true })
    } catch (error) {
      console.error(`remove ${name}:`, error)
    }
  }
}

const algorithms = {
  HS256: { kty: 'oct', make: { name: 'HMAC', hash: 'SHA-256' }, check: 'HMAC' },
  RS256: { kty: 'RSA', make: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, check: 'RSASSA-PKCS1-v1_5' },
  ES256: { kty: 'EC', make: { name: 'ECDSA', namedCurve: 'P-256' }, check: { name: 'ECDSA', hash: 'SHA-256' } },
}

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
const partOf = (text) => JSON.parse(new TextDecoder().decode(bytesOf(text)))

// keys are what the project's own tokens are checked with: its signing keys, which the JWT secret is one of, or the secret alone.
const keys = Deno.env.get('PLURABASE_JWKS')
  ? JSON.parse(Deno.env.get('PLURABASE_JWKS')).keys
  : [{ kty: 'oct', k: base64url(new TextEncoder().encode(Deno.env.get('PLURABASE_JWT_SECRET'))) }]

async function isSigned(token) {
  const [head, body, signature] = token.split('.')
  const { alg } = partOf(head)
  if (!Object.hasOwn(algorithms, alg)) return false
  const { kty, make, check } = algorithms[alg]
  for (const key of keys.filter((one) => one.kty === kty && (one.alg ?? alg) === alg)) {
    const bare = { kty, k: key.k, n: key.n, e: key.e, crv: key.crv, x: key.x, y: key.y }
    const imported = await crypto.subtle.importKey('jwk', bare, make, false, ['verify']).catch(() => null) // of another curve
    if (imported && (await crypto.subtle.verify(check, imported, bytesOf(signature), new TextEncoder().encode(`${head}.${body}`)))) return true
  }
  return false
}

async function isValid(token) {
  try {
    if (token.split('.').length !== 3 || !(await isSigned(token))) return false
    const { exp, nbf } = partOf(token.split('.')[1])
    const now = Date.now() / 1000
    return (exp === undefined || now < exp) && (nbf === undefined || now >= nbf)
  } catch {
    return false // it is no token at all
  }
}

const say = (status, code, message) => Response.json({ code, message }, { status })

// refusal is the answer to whoever may not ask. What browsers ask beforehand never carries a token.
async function refusal(request) {
  if (request.method === 'OPTIONS') return null
  const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
  if (!token) return say(401, 'UNAUTHORIZED_NO_AUTH_HEADER', 'Missing authorization header')
  return (await isValid(token)) ? null : say(401, 'UNAUTHORIZED_INVALID_JWT', 'Invalid JWT')
}

// environment is what functions see: their owner's secrets, and the platform's variables, without what tokens are signed with.
function environment() {
  const prefix = 'PLURABASE_SECRET_'
  const all = Object.entries(Deno.env.toObject())
  const variables = Object.fromEntries(all.filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]))
  Object.assign(variables, Object.fromEntries(all.filter(([name]) => name.startsWith('SUPABASE_'))))
  variables.SUPABASE_JWKS = JSON.stringify({ keys: keys.filter((key) => key.kty !== 'oct') })
  return Object.entries(variables)
}
const envVars = environment()

function start(one) {
  const folder = `${root}/${one.folder}`
  const entrypoint = `${folder}/${one.entrypoint}`
  const importMapPath = one.import_map ? `${folder}/${one.import_map}` : null
  return EdgeRuntime.userWorkers.create({
    servicePath: entrypoint.slice(0, entrypoint.lastIndexOf('/')),
    maybeEntrypoint: 'file://' + entrypoint.split('/').map(encodeURIComponent).join('/'),
    importMapPath, // of runtimes before 1.60; newer ones have it in their context
    context: importMapPath ? { importMapPath } : {},
    memoryLimitMb: 150,
    workerTimeoutMs: 400_000, // as upstream has it
    noModuleCache: false,
    envVars,
  })
}

// failures are what the runtime throws, as upstream answers it.
const failures = [
  ['InvalidWorkerCreation', 503, 'BOOT_ERROR', 'The function failed to start: please check its logs.'],
  ['InvalidWorkerResponse', 500, 'WORKER_ERROR', 'The function ended with an error: please check its logs.'],
  ['WorkerRequestCancelled', 546, 'WORKER_LIMIT', 'The function was ended because it used too much time or memory: please check its logs.'],
]

Deno.serve(async (request) => {
  await takeUp()
  const slug = new URL(request.url).pathname.split('/')[1]
  if (slug === '_internal') return Response.json({ message: 'ok' })
  const one = functions.get(slug)
  if (!one) return say(404, 'NOT_FOUND', 'Requested function was not found')
  const refused = one.verify_jwt ? await refusal(request) : null
  if (refused) return refused
  try {
    const worker = await start(one)
    return await worker.fetch(request)
  } catch (error) {
    console.error(`the function ${slug}:`, error)
    const known = failures.find(([name]) => Deno.errors[name] && error instanceof Deno.errors[name])
    return known ? say(...known.slice(1)) : say(500, 'WORKER_ERROR', 'The function could not be run: please check its logs.')
  }
})
