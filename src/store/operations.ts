// Which operations of gateways were applied, so that a retry is recognised: by session and slice, those of the newest
// generation that the gateway has not acknowledged cumulatively. Lower generations are refused before they come here.
import { readU32, writeU32 } from '../base/bytes.ts'
import { forgetUpTo } from '../base/forget-up-to.ts'
import {
  type Generation,
  generation,
  type SessionId,
  type SliceId,
  sessionId,
  sliceId,
} from '../base/ids.ts'
import type { Operation } from '../peer/operation.ts'
import { readU64, writeU64 } from './fields.ts'
import { OPERATIONS } from './layout.ts'

type Applied = Pick<Operation, 'session' | 'gen' | 'slice' | 'number' | 'acknowledged'>

interface Remembered {
  gen: Generation
  /** All operations up to and including this one were answered, and the answers arrived. */
  upTo: number
  readonly operations: Set<number>
}

export class OperationMemory {
  readonly #sessions = new Map<SessionId, Map<SliceId, Remembered>>()

  remember(session: SessionId, gen: Generation, slice: SliceId, operation: number): void {
    const known = this.#at(session, gen, slice)
    if (known !== null && operation > known.upTo) known.operations.add(operation)
  }

  /** ST11. It is in the store; its gateway had these outcomes when it sent it. */
  applied({ session, gen, slice, number, acknowledged }: Applied): void {
    if (number === 0) return
    this.acknowledge(session, gen, slice, acknowledged)
    this.remember(session, gen, slice, number)
  }

  remembers(session: SessionId, gen: Generation, slice: SliceId, operation: number): boolean {
    const known = this.#sessions.get(session)?.get(slice)
    if (known === undefined || known.gen !== gen) return false
    return operation <= known.upTo || known.operations.has(operation)
  }

  acknowledge(session: SessionId, gen: Generation, slice: SliceId, upTo: number): void {
    const known = this.#at(session, gen, slice)
    if (known === null || upTo <= known.upTo) return
    forgetUpTo(known.operations, known.upTo, upTo)
    known.upTo = upTo
  }

  forget(session: SessionId): void {
    this.#sessions.delete(session)
  }

  /** Its changes are not in the store any more. */
  forgetSlice(slice: SliceId): void {
    for (const [session, slices] of this.#sessions) {
      if (slices.delete(slice) && slices.size === 0) this.#sessions.delete(session)
    }
  }

  sessions(): SessionId[] {
    return [...this.#sessions.keys()]
  }

  encode(): Uint8Array {
    let bytes = 0
    for (const slices of this.#sessions.values()) {
      for (const known of slices.values()) bytes += OPERATIONS.end + known.operations.size * 8
    }
    const encoded = new Uint8Array(bytes)
    let at = 0
    for (const [session, slices] of this.#sessions) {
      for (const [slice, known] of slices) {
        writeU64(encoded, at + OPERATIONS.session, session)
        writeU64(encoded, at + OPERATIONS.gen, known.gen)
        writeU32(encoded, at + OPERATIONS.slice, slice)
        writeU32(encoded, at + OPERATIONS.count, known.operations.size)
        writeU64(encoded, at + OPERATIONS.upTo, known.upTo)
        at += OPERATIONS.end
        for (const operation of known.operations) {
          writeU64(encoded, at, operation)
          at += 8
        }
      }
    }
    return encoded
  }

  /** Adds what `encode` gave. */
  decode(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      const session = sessionId(readU64(bytes, at + OPERATIONS.session))
      const gen = generation(readU64(bytes, at + OPERATIONS.gen))
      const slice = sliceId(readU32(bytes, at + OPERATIONS.slice))
      const count = readU32(bytes, at + OPERATIONS.count)
      this.acknowledge(session, gen, slice, readU64(bytes, at + OPERATIONS.upTo))
      at += OPERATIONS.end
      for (let i = 0; i < count; i += 1) {
        this.remember(session, gen, slice, readU64(bytes, at))
        at += 8
      }
    }
  }

  /** Null if the generation is over. */
  #at(session: SessionId, gen: Generation, slice: SliceId): Remembered | null {
    let slices = this.#sessions.get(session)
    if (slices === undefined) {
      slices = new Map()
      this.#sessions.set(session, slices)
    }
    let known = slices.get(slice)
    if (known !== undefined && known.gen > gen) return null
    if (known === undefined || known.gen < gen) {
      known = { gen, upTo: 0, operations: new Set() }
      slices.set(slice, known)
    }
    return known
  }
}
