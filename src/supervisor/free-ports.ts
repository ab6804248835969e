// Whether ports can be had, before anything is started on them: one sentence now is better than a member that fails
// later.
//
// Invariants:
//   P1. Ports that are chosen lie below those that the kernel gives to outgoing connections, so that only another program
//       that listens can take one between the look and the use; then others are chosen.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** Where Linux keeps the first and the last port that it gives to outgoing connections. */
const EPHEMERAL_RANGE = '/proc/sys/net/ipv4/ip_local_port_range'
const EPHEMERAL_DEFAULT = 32_768
/** Above the services that most hosts run. */
const CHOSEN_FROM = 10_000
const TRIES = 100
/** Groups that found one of their ports taken after the look. */
const STARTS = 5
/** As the launcher and a member say that a port is in use. */
const IN_USE = /\bPort \d+ on \S+ is in use|cannot listen on \S+: .*\bin use\b/

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
  const last = firstEphemeralPort() - count
  for (let tries = 0; tries < TRIES; tries += 1) {
    const base = CHOSEN_FROM + Math.floor(Math.random() * (last - CHOSEN_FROM))
    const ports = Array.from({ length: count }, (_, i) => base + i)
    if ((await portTaken(host, ports)) === null) return base
  }
  throw new Error(
    `no ${count} consecutive ports from ${CHOSEN_FROM} to ${last} are free on ${host}`,
  )
}

/** Starts something on free ports; on others if somebody takes one of them meanwhile (P1). */
export async function onFreePorts<T>(
  host: string,
  count: number,
  start: (basePort: number) => Promise<T>,
): Promise<T> {
  for (let starts = 1; ; starts += 1) {
    try {
      return await start(await freeBasePort(host, count))
    } catch (error) {
      const isTaken = error instanceof Error && IN_USE.test(error.message)
      if (!isTaken || starts === STARTS) throw error
    }
  }
}

/** A host may give nearly all its ports to outgoing connections: then no choice is safe, and P1 rests on its second half. */
function firstEphemeralPort(): number {
  try {
    const first = Number.parseInt(readFileSync(EPHEMERAL_RANGE, 'utf8'), 10)
    return first >= 2 * CHOSEN_FROM ? first : EPHEMERAL_DEFAULT
  } catch {
    return EPHEMERAL_DEFAULT
  }
}
