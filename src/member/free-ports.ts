// Whether ports can be had, before anything is started on them: one sentence now is better than a member that fails later.
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
