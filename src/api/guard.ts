// Who may call the API while it is open on loopback: programs, and pages that this very address served. A page of another
// site can make a browser send requests here; these checks refuse them before anything is done.
//
// Invariants:
//   A1. A request is answered only if its Host is an IP address, localhost, or a name that was configured: a name that
//       a foreign page's owner controls (DNS rebinding) never is.
//   A2. A request with an Origin is answered only if that is this address itself; so is one that a browser marks as
//       cross-site. By a link from anywhere a person gets to the dashboard, whose page says nothing of the group: it asks
//       for that itself, from this address.
//   A3. A request with a body is JSON, which no form of a page can send.
import { isIP } from 'node:net'
import { type Refusal, refusal } from './errors.ts'

export interface RequestHeaders {
  readonly host?: string | undefined
  readonly origin?: string | undefined
  readonly site: string | readonly string[] | undefined
  /** A person goes to the dashboard: a browser asks for its page, to show it by itself. */
  readonly isVisit: boolean
}

/** null: welcome. */
export function refuseCaller(headers: RequestHeaders, ours: readonly string[]): Refusal | null {
  const { host, origin, site } = headers
  const name = host === undefined ? null : hostName(host)
  if (host === undefined || name === null || !isOurs(name, ours)) {
    return refusal('badHost', `the request names the host '${host ?? ''}'`)
  }
  if (origin !== undefined && origin !== `http://${host}`) {
    return refusal('crossSite', `the request comes from a page of ${origin}`)
  }
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !headers.isVisit) {
    return refusal('crossSite', "the request comes from another site's page")
  }
  return null
}

function isOurs(name: string, ours: readonly string[]): boolean {
  return name === 'localhost' || isIP(name) !== 0 || ours.includes(name)
}

/** Without port and brackets; null if it is none. */
function hostName(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@]+))(?::\d{1,5})?$/i.exec(host)
  return (match?.[1] ?? match?.[2] ?? null)?.toLowerCase() ?? null
}
