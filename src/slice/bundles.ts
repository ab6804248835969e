// Questions about single slices that travel together: what is asked of one member in one turn of the event loop is one message, and
// so is the answer. At a start a member asks another one about hundreds of slices.
//
// Invariants:
//   BU1. A message has so many questions at most, and so many bytes, or one question.
//   BU2. A question that is not answered in PART_MS holds up no other one: it is answered null, and may be asked again.
import { type Clock, within } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { type Control, question } from '../peer/controls.ts'
import type { PeerLinks } from '../peer/links.ts'
import { encodeJson, isList, type Json } from '../peer/message.ts'

/** BU1 */
const QUESTIONS_MOST = 128
const BYTES_MOST = 256 * 1024
/** BU2. Less than anybody waits for a bundle (ASK_MS of asking.ts). */
const PART_MS = 600

export type BundledKind = 'activate' | 'aligned'

interface Part {
  readonly body: Json
  readonly bytes: number
  readonly settle: (reply: Json | null) => void
}

export interface BundlesDeps {
  readonly clock: Clock
  readonly peers: Pick<PeerLinks, 'ask'>
}

export class Bundles {
  readonly #deps: BundlesDeps
  /** By kind and member, in this turn of the event loop. */
  readonly #waiting = new Map<BundledKind, Map<MemberId, Part[]>>()
  #isSoon = false

  constructor(deps: BundlesDeps) {
    this.#deps = deps
  }

  /** As `ask` of peer/links.ts. */
  ask(to: MemberId, kind: BundledKind, body: Json, timeoutMs: number): Promise<Json | null> {
    return new Promise((settle) => {
      const ofKind = this.#waiting.get(kind) ?? new Map<MemberId, Part[]>()
      this.#waiting.set(kind, ofKind)
      const parts = ofKind.get(to) ?? []
      ofKind.set(to, parts)
      parts.push({ body, bytes: encodeJson(body).length, settle })
      if (this.#isSoon) return
      this.#isSoon = true
      this.#deps.clock.soon(() => this.#send(timeoutMs))
    })
  }

  #send(timeoutMs: number): void {
    this.#isSoon = false
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const [kind, ofKind] of waiting)
      for (const [to, parts] of ofKind)
        for (const bundle of bundlesOf(parts)) void this.#ask(to, kind, bundle, timeoutMs)
  }

  async #ask(to: MemberId, kind: BundledKind, parts: readonly Part[], timeoutMs: number) {
    const asked = parts.map(({ body }) => body)
    const reply = await this.#deps.peers.ask(to, kind, asked, timeoutMs)
    const replies = reply !== null && isList(reply) ? reply : []
    for (const [at, { settle }] of parts.entries()) settle(replies[at] ?? null)
  }
}

/** BU1 */
function bundlesOf(parts: readonly Part[]): readonly (readonly Part[])[] {
  const bundles: Part[][] = []
  let bytes = 0
  for (const part of parts) {
    const last = bundles.at(-1)
    bytes += part.bytes
    if (last === undefined || last.length === QUESTIONS_MOST || bytes > BYTES_MOST) {
      bundles.push([part])
      bytes = part.bytes
    } else last.push(part)
  }
  return bundles
}

/** A bundle is answered as each of its questions is. */
export function bundle<T>(
  clock: Clock,
  read: (json: Json) => T,
  answer: (asked: T, from: MemberId) => Promise<Json>,
): Control {
  return question(
    (json) => {
      if (isList(json) && json.length <= QUESTIONS_MOST) return json.map(read)
      throw new ProtocolError('no bundle of questions', 'slice/bundles.ts')
    },
    (asked, from) =>
      Promise.all(asked.map((one) => within(clock, PART_MS, answer(one, from), null))), // BU2
  )
}
