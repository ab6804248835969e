// What members ask and tell each other besides operations: for each kind how its body is read, and who answers it.
//
// Invariants:
//   P9. A body reaches whoever answers only when it was read whole. A malformed one, and a kind that nobody here knows, has
//       no effect and the answer null: nothing that another member sends ends this one.
//   P10. A body that names a member as its author has no effect unless that member sent it.
import { ProtocolError } from '../base/protocol-error.ts'
import type { MemberId } from '../group/record.ts'
import { fieldsOf, type Json } from './message.ts'

export type Reply = Json | Promise<Json>

type Answerer = (from: MemberId, body: Json) => Reply

export class Controls {
  readonly #kinds = new Map<string, Answerer>()
  readonly #malformed: (from: MemberId, kind: string, why: string) => void

  /** `malformed` is told of each body that could not be read. */
  constructor(malformed: (from: MemberId, kind: string, why: string) => void = () => undefined) {
    this.#malformed = malformed
  }

  /** `read` throws a ProtocolError for what is malformed. */
  on<T>(
    kind: string,
    read: (body: Json, from: MemberId) => T,
    answer: (body: T, from: MemberId) => Reply,
  ): void {
    this.#kinds.set(kind, (from, body) => {
      let known: T
      try {
        known = read(body, from)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        this.#malformed(from, kind, error.message)
        return null
      }
      return answer(known, from)
    })
  }

  answer(from: MemberId, kind: string, body: Json): Reply {
    return this.#kinds.get(kind)?.(from, body) ?? null
  }
}

/** The fields of a body that is an object; each reader throws a ProtocolError unless the field is as it must be. */
export class Body {
  readonly #fields: { readonly [name: string]: Json | undefined }

  constructor(json: Json) {
    this.#fields = fieldsOf(json) ?? wrong('a body that is no object')
  }

  text(name: string): string {
    const value = this.#fields[name]
    return typeof value === 'string' && value !== '' ? value : wrong(`no ${name}`)
  }

  /** A whole number from 0 on: ids, generations. */
  whole(name: string): number {
    const value = this.#fields[name]
    const isWhole = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    return isWhole ? value : wrong(`no ${name}`)
  }

  flag(name: string): boolean {
    const value = this.#fields[name]
    return typeof value === 'boolean' ? value : wrong(`no ${name}`)
  }

  list(name: string): readonly Json[] {
    const value = this.#fields[name]
    return Array.isArray(value) ? (value as readonly Json[]) : wrong(`no ${name}`)
  }

  /** null if it is missing; its reader is another one. */
  json(name: string): Json {
    return this.#fields[name] ?? null
  }
}

/** For kinds that say all by themselves. */
export function nothing(): null {
  return null
}

function wrong(why: string): never {
  throw new ProtocolError(why, 'peer/DESIGN.md')
}
