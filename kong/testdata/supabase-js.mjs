// An app's story, told by supabase-js to one project through the gateway. It ends with an error where anything is not as
// it should be. PROJECT_URL, PUBLISHABLE_KEY, SECRET_KEY and FOREIGN_KEY (another project's) say where and by what.
import assert from 'node:assert/strict'
import dns from 'node:dns'
import { createRequire } from 'node:module'

// Names under localhost are this machine's for browsers and curl (RFC 6761), but not for everybody's resolver.
const lookup = dns.lookup
dns.lookup = (name, options, callback) =>
  lookup(name.endsWith('.localhost') ? '127.0.0.1' : name, options, callback)

const { createClient } = createRequire(process.env.MODULES + '/')('@supabase/supabase-js')
const { PROJECT_URL: url, PUBLISHABLE_KEY, SECRET_KEY, FOREIGN_KEY } = process.env

const client = (key) =>
  createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false },
    realtime: { vsn: '1.0.0' }, // JSON alone, which the stand-in speaks
  })
const good = ({ data, error }) => {
  assert.ifError(error)
  return data
}

const visitor = client(PUBLISHABLE_KEY)
const app = client(PUBLISHABLE_KEY)
const backend = client(SECRET_KEY)

// Auth: sign up, out, and in again.
const password = 'correct horse'
const { user } = good(await app.auth.signUp({ email: 'ada@example.com', password }))
good(await app.auth.signOut())
const wrong = await app.auth.signInWithPassword({ email: 'ada@example.com', password: 'wrong' })
assert.equal(wrong.error?.code, 'invalid_credentials')
const { session } = good(await app.auth.signInWithPassword({ email: 'ada@example.com', password }))
assert.equal(session.user.id, user.id)
assert.equal(good(await app.auth.getUser()).user.email, 'ada@example.com')
good(await app.auth.refreshSession())
assert.equal(good(await backend.auth.admin.listUsers()).users.length, 1)
assert.equal((await visitor.auth.admin.listUsers()).error?.status, 403)

// The data API, with row level security: somebody's rows are theirs alone.
const [row] = good(await app.from('todos').insert({ title: 'read, & write/all', owner: user.id }).select())
assert.equal(row.title, 'read, & write/all')
assert.deepEqual(good(await app.from('todos').select('title').eq('title', 'read, & write/all')), [{ title: row.title }])
assert.deepEqual(good(await visitor.from('todos').select()), [])
assert.equal(good(await backend.from('todos').select()).length, 1)
const forged = await visitor.from('todos').insert({ title: 'in her name', owner: user.id })
assert.equal(forged.error?.code, '42501')

// Storage: up and down, what is public, and what is signed.
const file = new Blob(['a file\n'.repeat(100_000)], { type: 'text/plain' })
good(await app.storage.from('files').upload('a folder/ä b.txt', file))
assert.equal(await good(await app.storage.from('files').download('a folder/ä b.txt')).text(), await file.text())
assert.ok((await visitor.storage.from('files').download('a folder/ä b.txt')).error)
const { publicUrl } = app.storage.from('files').getPublicUrl('a folder/ä b.txt').data
assert.equal((await (await fetch(publicUrl)).text()).length, file.size)
const { signedUrl } = good(await app.storage.from('files').createSignedUrl('a folder/ä b.txt', 60))
assert.equal((await (await fetch(signedUrl)).text()).length, file.size)
assert.equal((await fetch(signedUrl + 'x')).status, 400)

// Realtime: what one says on a channel, the other hears.
const subscribed = (channel) =>
  new Promise((resolve, reject) =>
    channel.subscribe((status, error) => {
      if (status === 'SUBSCRIBED') resolve(channel)
      if (status === 'CHANNEL_ERROR' || status === 'TIMED_OUT') reject(error ?? new Error(status))
    })
  )
const listening = visitor.channel('room')
const heard = new Promise((resolve) => listening.on('broadcast', { event: 'word' }, ({ payload }) => resolve(payload)))
await subscribed(listening)
const speaking = await subscribed(app.channel('room', { config: { broadcast: { ack: true } } }))
assert.equal(await speaking.send({ type: 'broadcast', event: 'word', payload: { said: 'hello' } }), 'ok')
assert.deepEqual(await heard, { said: 'hello' })
await Promise.all([visitor.removeAllChannels(), app.removeAllChannels()])

// Functions are told by whose key they are called.
assert.deepEqual(good(await backend.functions.invoke('whoami', { body: { x: 1 } })), { key: 'service_role', user: '', body: '{"x":1}' })
assert.deepEqual(good(await app.functions.invoke('whoami')), { key: 'anon', user: user.id, body: '' })

// A key of another project opens nothing here.
const foreign = await client(FOREIGN_KEY).from('todos').select()
assert.equal(foreign.status, 401)
assert.equal(foreign.error.message, 'Invalid API key')

console.log('supabase-js: ok')
process.exit(0)
