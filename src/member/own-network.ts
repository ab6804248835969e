// How much network this member has for itself: the speed of the interface that has its portal's address.
//
// ON1. What others may use too is not its own: an interface by which another member is reached, one that is virtual or loopback,
//      one whose speed is not known. Then the network decides nothing (load/load-table.ts). What the configuration says counts
//      whatever the system tells.
import { interfaceOf, speedOf } from '../io/network-interface.ts'

/** Links change their speed, and members come. */
const LOOK_EVERY_MS = 30_000

export interface System {
  readonly interfaceOf: (host: string) => string | null
  readonly speedOf: (name: string) => number | null
}

export interface OwnNetworkSettings {
  /** Bits a second each way; 0: it is not its own; null: as the system tells. */
  readonly configured: number | null
  /** The address or name at which initiators reach this member. */
  readonly host: string
  /** At which they reach the others. */
  readonly others: () => readonly string[]
  readonly nowMs: () => number
}

export class OwnNetwork {
  readonly #settings: OwnNetworkSettings
  readonly #system: System
  #speed = 0
  #lookAtMs = Number.NEGATIVE_INFINITY

  constructor(settings: OwnNetworkSettings, system: System = { interfaceOf, speedOf }) {
    this.#settings = settings
    this.#system = system
  }

  /** Bytes a second each way; 0: it is not its own, or not known. */
  get bytesPerSecond(): number {
    const { configured, nowMs } = this.#settings
    if (configured !== null) return configured / 8
    const now = nowMs()
    if (now >= this.#lookAtMs) {
      this.#lookAtMs = now + LOOK_EVERY_MS
      this.#speed = this.#look() / 8
    }
    return this.#speed
  }

  #look(): number {
    const { host, others } = this.#settings
    const name = this.#system.interfaceOf(host)
    if (name === null) return 0
    const isShared = others().some((other) => this.#system.interfaceOf(other) === name)
    return isShared ? 0 : (this.#system.speedOf(name) ?? 0)
  }
}
