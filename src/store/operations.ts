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

/** What is remembered of a session on a slice. */
export interface OperationWindow {
  readonly session: SessionId
  readonly gen: Generation
  /** All up to this one were answered, and the answers arrived. */
  readonly upTo: number
  /** And these, above it, have been carried out. */
  readonly numbers: readonly number[]
}

/** No session has this id: a window of it tells to forget the slice. */
const FORGET: OperationWindow = { session: sessionId(0), gen: generation(0), upTo: 0, numbers: [] }

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

  /** Of which it remembers anything; some more than once. */
  *slices(): Generator<SliceId> {
    for (const slices of this.#sessions.values()) yield* slices.keys()
  }

  windowsOf(slice: SliceId): OperationWindow[] {
    const windows: OperationWindow[] = []
    for (const [session, slices] of this.#sessions) {
      const known = slices.get(slice)
      if (known === undefined) continue
      const { gen, upTo, operations } = known
      windows.push({ session, gen, upTo, numbers: [...operations] })
    }
    return windows
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
        const { gen, upTo, operations } = known
        at = encodeWindow(encoded, at, slice, { session, gen, upTo, numbers: [...operations] })
      }
    }
    return encoded
  }

  /** Adds what `encode` gave, and forgets what FORGET names. */
  decode(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      const session = sessionId(readU64(bytes, at + OPERATIONS.session))
      const gen = generation(readU64(bytes, at + OPERATIONS.gen))
      const slice = sliceId(readU32(bytes, at + OPERATIONS.slice))
      const count = readU32(bytes, at + OPERATIONS.count)
      if (session === FORGET.session) this.forgetSlice(slice)
      else this.acknowledge(session, gen, slice, readU64(bytes, at + OPERATIONS.upTo))
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

function encodeWindow(
  into: Uint8Array,
  at: number,
  slice: SliceId,
  { session, gen, upTo, numbers }: OperationWindow,
): number {
  writeU64(into, at + OPERATIONS.session, session)
  writeU64(into, at + OPERATIONS.gen, gen)
  writeU32(into, at + OPERATIONS.slice, slice)
  writeU32(into, at + OPERATIONS.count, numbers.length)
  writeU64(into, at + OPERATIONS.upTo, upTo)
  let end = at + OPERATIONS.end
  for (const number of numbers) {
    writeU64(into, end, number)
    end += 8
  }
  return end
}

/** What `decode` takes, in lists of at most so many bytes each; `isInstead`: after all that is known is forgotten; each tells the highest session in it. */
export function* encodeWindows(
  slice: SliceId,
  windows: Iterable<OperationWindow>,
  mostBytes: number,
  isInstead = false,
): Generator<{ readonly list: Uint8Array; readonly session: SessionId }> {
  let list = new Uint8Array(mostBytes)
  let at = 0
  let highest = sessionId(0)
  for (const window of isInstead ? [FORGET, ...windows] : windows) {
    let from = 0
    do {
      if (at + OPERATIONS.end + 8 > mostBytes) {
        yield { list: list.subarray(0, at), session: highest }
        list = new Uint8Array(mostBytes)
        at = 0
        highest = sessionId(0)
      }
      const room = Math.floor((mostBytes - at - OPERATIONS.end) / 8)
      const numbers = window.numbers.slice(from, from + room)
      at = encodeWindow(list, at, slice, { ...window, numbers })
      if (window.session > highest) highest = window.session
      from += numbers.length
    } while (from < window.numbers.length)
  }
  if (at > 0) yield { list: list.subarray(0, at), session: highest }
}
