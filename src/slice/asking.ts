// A primary's questions to its copies, and the pages that it sends them: how long it waits for an answer.
//
// Invariants:
//   AK1. A member is given up when it has not answered a question for SILENT_MS in which it was asked several times. Who asks has
//        stood still itself, maybe: so what counts is questions, not time alone.
import { type Clock, sleep, within } from '../base/clock.ts'
import type { Epoch, MemberId, SliceId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { Json } from '../peer/message.ts'
import { PRESENT_BYTES } from '../peer/page-payload.ts'
import type { Request } from '../peer/request.ts'
import type { PageCopy } from '../store/page-copy.ts'
import type { PageVersion } from '../store/pages.ts'
import type { Listing } from './alignment.ts'
import type { BundledKind, Bundles } from './bundles.ts'
import { encodePaged, readVersions } from './copy-messages.ts'
import type { SliceStore } from './slice-store.ts'

/** AK1 */
const SILENT_MS = 2_500
const ASK_MS = 800
const ASKED_LEAST = 3
const AGAIN_MS = 40

export interface AskingDeps {
  readonly clock: Clock
  readonly store: SliceStore
  readonly peers: Pick<PeerLinks, 'link' | 'ask'>
  readonly bundles: Pick<Bundles, 'ask'>
}

/** Each answer is long, and asked for by itself. */
type PagedKind = 'versions' | 'operations'

export interface Of {
  readonly slice: SliceId
  readonly epoch: Epoch
}

/** AK1. Of nobody: the answer is not wanted any more. */
export class Unanswered extends Error {
  readonly member: MemberId | null

  constructor(member: MemberId | null) {
    super('unanswered')
    this.member = member
  }
}

export class Asking {
  readonly #deps: AskingDeps
  readonly #of: Of
  readonly #isOver: () => boolean

  constructor(deps: AskingDeps, of: Of, isOver: () => boolean) {
    this.#deps = deps
    this.#of = of
    this.#isOver = isOver
  }

  /** All pages that a member has of the slice. */
  async list(member: MemberId): Promise<Listing> {
    const pages: PageVersion[] = []
    for (;;) {
      const asked = encodePaged({ ...this.#of, from: pages.length })
      const told = await this.ask(member, 'versions', asked, readVersions)
      pages.push(...told.pages)
      if (told.isLast) return { pages, folded: told.folded }
    }
  }

  /** AK1 */
  async ask<T>(
    member: MemberId,
    kind: BundledKind | PagedKind,
    body: Json,
    read: (json: Json) => T,
  ): Promise<T> {
    const { clock, peers, bundles } = this.#deps
    const sinceMs = clock.nowMs()
    for (let asked = 1; ; asked += 1) {
      const reply = isPaged(kind)
        ? await peers.ask(member, kind, body, ASK_MS)
        : await bundles.ask(member, kind, body, ASK_MS)
      if (this.#isOver()) throw new Unanswered(null)
      const told = reply === null ? null : readOrNull(reply, read)
      if (told !== null) return told
      if (asked >= ASKED_LEAST && clock.nowMs() - sinceMs > SILENT_MS) throw new Unanswered(member)
      await sleep(clock, AGAIN_MS)
    }
  }

  /** AK1: a page is awaited as long as several questions. */
  async request<T>(member: MemberId, make: (told: (answer: T) => void) => Request): Promise<T> {
    const { clock, peers } = this.#deps
    const link = peers.link(member)
    const { promise, resolve } = Promise.withResolvers<T>()
    const number = link.request(make(resolve))
    const answer = await within<T, Unanswered>(clock, SILENT_MS, promise, new Unanswered(member))
    if (answer instanceof Unanswered) {
      link.withdraw(number)
      throw answer
    }
    if (this.#isOver()) throw new Unanswered(null)
    return answer
  }
}

export function emptyPage(stamp: PageCopy['stamp']): PageCopy {
  const present = new Uint8Array(PRESENT_BYTES)
  return { present, blocks: new Uint8Array(0), checksums: new Uint32Array(0), stamp }
}

function isPaged(kind: BundledKind | PagedKind): kind is PagedKind {
  return kind === 'versions' || kind === 'operations'
}

function readOrNull<T>(json: Json, read: (json: Json) => T): T | null {
  try {
    return read(json)
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
}
