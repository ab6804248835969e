// Whether ports can be had, before anything is started on them: one sentence now is better than a member that fails
// later.
import { createServer } from 'node:net'

/** The first of the ports that something listens on, or null. */
export async function portTaken(host: string, ports: readonly number[]): Promise<number | null> {
  for (const port of ports) if (!(await isFree(host, port))) return port
  return null
}

function isFree(host: string, port: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') resolve(false)
    else
      reject(new Error(`nothing can listen on ${host}:${port}: ${error.message}`, { cause: error }))
  })
  server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  return promise
}

/** A port that is free with the `count - 1` behind it, at the moment; for groups that nobody needs to find again. */
export async function freeBasePort(host: string, count: number): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const base = 20_000 + Math.floor(Math.random() * 20_000)
    const ports = Array.from({ length: count }, (_, i) => base + i)
    if ((await portTaken(host, ports)) === null) return base
  }
  throw new Error(`no ${count} consecutive ports are free on ${host}`)
}
