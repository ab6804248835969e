// The network interfaces of this host, as the system tells of them (Linux: /sys/class/net).
import { existsSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'

/** The name of the one that has this IP address; null: none. */
export function interfaceOf(host: string): string | null {
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some(({ address }) => address === host)) return name
  }
  return null
}

/** Bits a second each way; null: not known, or it is no device of its own (loopback, bridge, VLAN, that of a container). */
export function speedOf(name: string, folder = '/sys/class/net'): number | null {
  const at = (...path: string[]) => join(folder, name, ...path)
  if (!existsSync(at('device')) && !existsSync(at('bonding'))) return null
  try {
    const megabits = Number(readFileSync(at('speed'), 'latin1'))
    return megabits > 0 ? 1e6 * megabits : null
  } catch {
    // It is down, or its driver does not know.
    return null
  }
}
