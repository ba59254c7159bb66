// Answers for all of a project's functions: each request goes to a worker of its own, which is the folder of that name.
const folder = '/home/deno/functions'

Deno.serve(async (request: Request) => {
  const slug = new URL(request.url).pathname.split('/')[1]
  if (slug === '_internal') {
    return Response.json({ message: 'ok' })
  }
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(slug)) {
    return Response.json({ message: 'The URL names no function.' }, { status: 404 })
  }
  try {
    await Deno.stat(`${folder}/${slug}`)
  } catch {
    return Response.json({ message: `There is no function ${slug}.` }, { status: 404 })
  }
  const worker = await EdgeRuntime.userWorkers.create({
    servicePath: `${folder}/${slug}`,
    memoryLimitMb: 150,
    workerTimeoutMs: 60_000,
    noModuleCache: false,
    importMapPath: null,
    envVars: Object.entries(Deno.env.toObject()),
  })
  return await worker.fetch(request)
})
