// What a person gives away names no client: initiator names, addresses, host names and users are numbered, the same one
// always with the same number, so that what belongs together still shows.
//
// Invariants:
//   RD1. One name has one number throughout an archive, however it is written: in capitals, percent-encoded, or as IPv4 in IPv6.
//   RD2. What tells nothing about anybody stays: the group's own target names, loopback, and the addresses of "everywhere".
//   RD3. Secrets are gone whether names are kept or not.
import { isIPv4, isIPv6 } from 'node:net'

export type Kind = 'initiator' | 'address' | 'host' | 'user'

const SCSI_NAME =
  /\b(?:iqn\.\d{4}-\d{2}\.[^\s"'`,;<>()[\]{}/\\]+|eui\.[\da-f]{16}|naa\.[\da-f]{16,32})/gi
const IPV6 = /(?<![\w.:])[\da-f]*:[\da-f:]*:(?:\d+(?:\.\d+){3}|[\da-f:]*)(?:%\w+)?(?![\w:])/gi
const IPV4 = /(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)/g
const SECRET_JSON =
  /("[^"]*(?:secret|password|passphrase|token|credential|chap)[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*"/gi
const SECRET_YAML =
  /^(\s*(?:- )?[\w.-]*(?:secret|password|passphrase|token|credential|chap)[\w.-]*\s*:[ \t]*)\S.*$/gim
const CLI_USER = /(\bevenkeel, )([\w.@-]+)/g
const HOME = /(\/(?:home|Users)\/)([\w.@-]+)/g
const NEVER_HOSTS = ['localhost', 'group', 'launcher', 'evenkeel']
const HOST_LENGTH_MIN = 3

export interface Known {
  /** The form of the group's target names; null: nobody knows the group. */
  readonly targets: RegExp | null
  /** Names that are no client's, whatever a host is called. */
  readonly members: readonly string[]
}

export class Redaction {
  readonly #known: Known
  readonly isPlain: boolean
  readonly #numbers = new Map<string, string>()
  readonly #counts: Record<Kind, number> = { initiator: 0, address: 0, host: 0, user: 0 }
  /** Names that no form tells, with what replaces them. */
  readonly #literals = new Map<string, Kind>()

  constructor(known: Known, isPlain: boolean) {
    this.#known = known
    this.isPlain = isPlain
  }

  /** How many names of each kind were replaced. */
  get counts(): Readonly<Record<Kind, number>> {
    return this.#counts
  }

  /** A name that is an initiator's or a host's by where it stands. */
  learn(name: string, kind: 'initiator' | 'host'): void {
    const plain = name.toLowerCase()
    const isKnown = this.#known.members.includes(plain) || NEVER_HOSTS.includes(plain)
    if (name.length < HOST_LENGTH_MIN || isKnown || isIPv4(name) || isIPv6(name)) return
    this.#literals.set(plain, kind)
  }

  text(text: string): string {
    const safe = text.replace(SECRET_JSON, '$1"(removed)"').replace(SECRET_YAML, '$1(removed)') // RD3
    if (this.isPlain) return safe
    const named = safe
      .replace(SCSI_NAME, (name) => this.#scsiName(name))
      .replace(IPV6, (address) => this.#address(address))
      .replace(IPV4, (address) => this.#address(address))
      .replace(CLI_USER, (_, before: string, user: string) => before + this.#user(user))
      .replace(HOME, (_, before: string, user: string) => before + this.#user(user))
    return this.#withoutLiterals(named)
  }

  #scsiName(found: string): string {
    const name = found.replace(/[.:]+$/, '')
    const rest = found.slice(name.length)
    const plain = decoded(name).toLowerCase()
    if (this.#known.targets?.test(plain) === true) return found // RD2
    return this.#number('initiator', plain) + rest
  }

  #address(found: string): string {
    const address = found.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '')
    if (!isIPv4(address) && !isIPv6(address)) return found
    const tellsNothing = /^(127\.|0\.0\.0\.0$|255\.255\.|::1?$)/.test(address)
    return tellsNothing ? found : this.#number('address', address)
  }

  #user(name: string): string {
    return /^user-\d+$/.test(name) ? name : this.#number('user', name)
  }

  #withoutLiterals(text: string): string {
    let now = text
    const plain = text.toLowerCase()
    // Longer ones first: one may be the beginning of another.
    const literals = [...this.#literals].sort(([a], [b]) => b.length - a.length)
    for (const [literal, kind] of literals) {
      if (!plain.includes(literal)) continue
      const whole = new RegExp(`(?<![\\w-])${escaped(literal)}(?![\\w-])`, 'gi')
      now = now.replace(whole, () => this.#number(kind, literal))
    }
    return now
  }

  /** RD1. */
  #number(kind: Kind, name: string): string {
    const key = `${kind} ${name}`
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    this.#counts[kind] += 1
    const number = `${kind}-${this.#counts[kind]}`
    this.#numbers.set(key, number)
    return number
  }
}

/** Target names are the group's authority and name, and the volume's id; the authority may stand alone. */
export function targetsOf(authority: string, group: string): RegExp {
  const [of, name] = [authority, group].map((part) => escaped(part.toLowerCase()))
  return new RegExp(`^${of}(:${name}-\\d+)?$`)
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
