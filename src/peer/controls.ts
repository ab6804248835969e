// What members ask and tell each other besides operations: how a body is read, and how it reaches whoever answers. Who that
// is, for each kind, is one table: member/controls.ts.
//
// Invariants:
//   P9. A body reaches whoever answers only when it was read whole. A malformed one, and a kind that nobody here knows, has
//       no effect and the answer null: nothing that another member sends ends this one.
//   P10. A body that names a member as its author has no effect unless that member sent it.
import type { MemberId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { fieldsOf, isList, type Json } from './message.ts'

/** Every question (it has an answer) and message (it has none); DESIGN.md says what they are about. */
export type ControlKind =
  | 'stopping'
  | 'drained'
  | 'nudge'
  | 'login'
  | 'login-back'
  | 'probe'
  | 'reset'
  | 'taken'
  | 'portal'
  | 'grant'
  | 'renew'
  | 'release'
  | 'allocation'
  | 'beacon'
  | 'activate'
  | 'versions'
  | 'operations'
  | 'aligned'
  | 'leaves'
  | 'mend'
  | 'report'
  | 'end'
  | 'became'
  | 'recording'
  | 'plan'
  | 'why'
  | 'why not'
  | 'summary'
  | 'condition'
  | 'history'
  | 'moment'
  | 'move session'
  | 'pin session'
  | 'drain'

export type Reply = Json | Promise<Json>

/** Reads a body, and throws a ProtocolError for one that is malformed; what it gives back answers. */
export type Control = (body: Json | Uint8Array, from: MemberId) => () => Reply

type Read<T> = (body: Json, from: MemberId) => T

export function question<T>(read: Read<T>, answer: (body: T, from: MemberId) => Reply): Control {
  return (body, from) => {
    if (body instanceof Uint8Array) wrong('bytes where JSON is needed')
    const known = read(body, from)
    return () => answer(known, from)
  }
}

/** A message whose body is bytes. */
export function bytesMessage<T>(
  read: (body: Uint8Array, from: MemberId) => T,
  hear: (body: T, from: MemberId) => void,
): Control {
  return (body, from) => {
    if (!(body instanceof Uint8Array)) wrong('JSON where bytes are needed')
    const known = read(body, from)
    return () => {
      hear(known, from)
      return null
    }
  }
}

export function message<T>(read: Read<T>, hear: (body: T, from: MemberId) => void): Control {
  return question(read, (known, from) => {
    hear(known, from)
    return null
  })
}

export class Controls {
  readonly #kinds: ReadonlyMap<string, Control>
  readonly #malformed: (from: MemberId, kind: string, why: string) => void

  /** `malformed` is told of each body that could not be read. */
  constructor(
    table: Readonly<Partial<Record<ControlKind, Control>>>,
    malformed: (from: MemberId, kind: string, why: string) => void,
  ) {
    this.#kinds = new Map(Object.entries(table))
    this.#malformed = malformed
  }

  answer(from: MemberId, kind: string, body: Json | Uint8Array): Reply {
    const control = this.#kinds.get(kind)
    if (control === undefined) return null
    let answer: () => Reply
    try {
      answer = control(body, from)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#malformed(from, kind, error.message)
      return null
    }
    return answer()
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
    const value = this.json(name)
    return isList(value) ? value : wrong(`no ${name}`)
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
