// Addresses as they are configured: where a member listens, and what it tells others about that.
import { isIP } from 'node:net'

/** As it is listened on: without the brackets that URLs have. */
export function plainHost(host: string): string {
  return /^\[(.*)\]$/.exec(host)?.[1] ?? host
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}

/** Every address of the host, in any of the forms in which that is written: nobody can connect to it. */
export function isWildcard(host: string): boolean {
  try {
    const { hostname } = new URL(`http://${isIP(host) === 6 ? `[${host}]` : host}`)
    return ['0.0.0.0', '[::]', '[::ffff:0:0]'].includes(hostname)
  } catch {
    return false
  }
}

/** Whether it can be named to others: an IP address or a name, without port, scheme or zone. */
export function isHost(host: string): boolean {
  return isIP(host) !== 0
    ? !host.includes('%')
    : /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(host)
}
