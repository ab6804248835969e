// The volume as one session reaches it: the gateway with the session's name, generation and counters filled in.
import type { VolumeRecord } from '../group/record.ts'
import type { SessionCounters } from '../load/counters.ts'
import type { Origin } from '../peer/operation.ts'
import type { Allocation } from '../slice/allocation.ts'
import type { CompareOutcome, Later, Outcome } from '../slice/outcome.ts'
import type { Gateway } from './gateway.ts'

/** What commands need of it. */
export type VolumeGateway = Pick<
  Gateway,
  'read' | 'isHere' | 'readNow' | 'write' | 'unmap' | 'compareAndWrite' | 'allocation'
>

export class VolumeAccess {
  readonly #gateway: VolumeGateway
  readonly #origin: Origin
  readonly #volume: VolumeRecord
  readonly #counters: SessionCounters

  constructor(
    gateway: VolumeGateway,
    origin: Origin,
    volume: VolumeRecord,
    counters: SessionCounters,
  ) {
    this.#gateway = gateway
    this.#origin = origin
    this.#volume = volume
    this.#counters = counters
  }

  /** `into` is the gateway's until the outcome, so it must not be given to anything else before. */
  read(offset: number, into: Uint8Array): Outcome | Promise<Outcome> {
    return this.#gateway.read(this.#origin, this.#volume, offset, into, this.#counters)
  }

  /** Worth trying `readNow`. */
  isHere(offset: number, bytes: number): boolean {
    return this.#gateway.isHere(this.#volume, offset, bytes)
  }

  /** As `read`, if `isHere` and nothing need be waited for; 'later': nothing is under way, and what `into` holds means nothing. */
  readNow(offset: number, into: Uint8Array): Outcome | Later {
    return this.#gateway.readNow(this.#origin, this.#volume, offset, into, this.#counters)
  }

  write(offset: number, data: Uint8Array): Outcome | Promise<Outcome> {
    return this.#gateway.write(this.#origin, this.#volume, offset, data, this.#counters)
  }

  unmap(offset: number, bytes: number): Outcome | Promise<Outcome> {
    return this.#gateway.unmap(this.#origin, this.#volume, offset, bytes, this.#counters)
  }

  compareAndWrite(
    offset: number,
    verify: Uint8Array,
    data: Uint8Array,
  ): CompareOutcome | Promise<CompareOutcome> {
    const buffers = { verify, data }
    return this.#gateway.compareAndWrite(
      this.#origin,
      this.#volume,
      offset,
      buffers,
      this.#counters,
    )
  }

  /** Which of the bytes [from, to) are there. */
  allocation(from: number, to: number, most: number): Promise<Allocation> {
    return this.#gateway.allocation(this.#volume, from, to, most)
  }
}
