// This member as a copy of one slice that another member serves: what the primary asks of it, carried out. What it takes and
// what it says it has is decided by replica.ts.
//
//   asked to activate ──promised, all from before is over──▶ active ──what it lacked is pushed──▶ aligned: mutations come
//
// Invariants:
//   CP1. Mutations are handed to the store in their order, also while room is made for one of them.
//   CP2. What comes again while the store has it under way is answered when that is durable, on whichever stream it came last.
//   CP3. A learner takes what is sent to it, in its order: of pages alone that are equal by then, so there are gaps. It has proven
//        nothing by that (R8), and what it remembered of operations counts for nothing.
//   CP4. Behind what could not be kept nothing is handed to the store, also what waits for room by then, or has waited while the copy
//        was asked anew: a page's stamp is of all that came before it (GC6 of store/commit-queue.ts), also after a restart.
// Versions are told when all that was taken before is over: the store says then what will survive a crash.
import { epoch as epochOf, type MemberId, type VolumeId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import { broken, frameKind } from '../peer/frames.ts'
import type { Incoming } from '../peer/incoming.ts'
import { answerStatus } from '../peer/message.ts'
import { pageChecksums, pageOfPayload, pagePayload } from '../peer/page-payload.ts'
import type { Answer } from '../peer/responder.ts'
import type { OperationWindow } from '../store/operations.ts'
import type { PageVersion } from '../store/pages.ts'
import type { StoreWrite } from '../store/record.ts'
import { digestOf } from '../store/slice-digest.ts'
import type {
  ActivateQuestion,
  Activation,
  AlignedQuestion,
  Mended,
  OperationsPage,
  PagedQuestion,
  VersionsPage,
} from './copy-messages.ts'
import { encodePage, readMended } from './copy-messages.ts'
import { type CopyWork, countKept } from './copy-work.ts'
import type { MendingDeps } from './mending.ts'
import { Reached } from './reached.ts'
import { promised, Replica } from './replica.ts'

/** The primary may have to mend its own before (MD2 of mending.ts). */
const MEND_MS = 10_000
/** Told in one answer. */
const PAGES_MOST = 2_000
const NUMBERS_MOST = 20_000

const refused: Answer = { status: answerStatus.refused }
const full: Answer = { status: answerStatus.full }
const damaged: Answer = { status: answerStatus.damaged }

interface Learned {
  upTo: number
  readonly underWay: Map<number, Promise<Answer>>
}

export interface CopyDeps extends Pick<MendingDeps, 'store' | 'peers' | 'mended'> {
  readonly boot: string
  readonly work: CopyWork
}

export class Copy {
  readonly kind = 'copy'
  readonly #deps: CopyDeps
  readonly #slice: ActivateQuestion['slice']
  readonly #replica: Replica
  /** Who activates, or has activated it. */
  primary: MemberId | null = null
  /** Asked once more, it does not begin anew. */
  #aligned = epochOf(0)
  #reached = new Reached()
  #underWay = 0
  readonly #whenIdle: (() => void)[] = []
  /** CP1. Null: nothing waits for room. */
  #behind: (() => void)[] | null = null
  /** CP3. Null: it is in sync. */
  #learned: Learned | null = null
  /** CP2 */
  #had: { readonly seq: number; readonly answer: (answer: Answer) => void }[] = []
  /** CP4. How often it has ended to take what came. */
  #ends = 0
  /** Told some at a time while it is being aligned. */
  #pages: readonly PageVersion[] | null = null

  constructor(slice: ActivateQuestion['slice'], deps: CopyDeps) {
    this.#slice = slice
    this.#deps = deps
    this.#replica = new Replica(deps.store.promisedEpoch(slice))
  }

  get epoch() {
    return this.#replica.active
  }

  /** R2. Rejects when the store has failed. */
  async activate(
    { slice, epoch, isLearner }: ActivateQuestion,
    from: MemberId,
  ): Promise<Activation> {
    const { boot, store } = this.#deps
    if (!(await this.standDown(epoch))) return this.#refusal()
    this.primary = from
    this.#learned = isLearner ? { upTo: 0, underWay: new Map() } : null
    if (store.promisedEpoch(slice) < epoch) {
      const result = await store.promise(new Map([[slice, epoch]]))
      if (result === 'full') return this.#refusal()
    }
    if (!this.#replica.activate(promised(epoch))) return this.#refusal()
    return { kind: 'active', boot, has: digestOf(store.versions(slice), store.operationsOf(slice)) }
  }

  /** Nothing of a lower epoch is taken any more; settles when what was is over. False: a higher one has been asked for. */
  async standDown(epoch: ActivateQuestion['epoch']): Promise<boolean> {
    if (!this.#replica.ask(epoch)) return false
    this.#ends += 1
    this.#pages = null
    this.#aligned = epochOf(0)
    for (const { answer } of this.#had.splice(0)) answer(refused)
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
    return true
  }

  /** It is none any more: nothing is taken. Settles when what was taken is over. */
  async end(): Promise<void> {
    this.#stop()
    for (const { answer } of this.#had.splice(0)) answer(refused)
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
  }

  /** Null: it is not active in this epoch. */
  versions({ slice, epoch, from }: PagedQuestion): VersionsPage | null {
    if (epoch !== this.#replica.active) return null
    const { store } = this.#deps
    if (this.#pages === null || from === 0) this.#pages = [...store.versions(slice)]
    const pages = this.#pages.slice(from, from + PAGES_MOST)
    const isLast = from + pages.length >= this.#pages.length
    return { pages, folded: store.foldedOf(slice), isLast }
  }

  operations({ slice, epoch, from }: PagedQuestion): OperationsPage | null {
    if (epoch !== this.#replica.active) return null
    return someOperations(this.#deps.store.operationsOf(slice), from)
  }

  /** RL2. Rejects when the store has failed. */
  async aligned({ slice, epoch, operations, isInstead, isLast }: AlignedQuestion) {
    if (epoch !== this.#replica.active) return false
    if (operations.length > 0 || isInstead) {
      const result = await this.#carry(this.#deps.store.adopt(slice, operations, isInstead))
      if (result === 'full') return false
    }
    if (!isLast || epoch === this.#aligned || this.#learned !== null)
      return epoch === this.#replica.active
    if (!this.#replica.aligned(epoch)) return false
    this.#aligned = epoch
    this.#reached = new Reached()
    this.#pages = null
    return true
  }

  answer(request: Incoming): Answer | Promise<Answer> {
    switch (request.kind) {
      case frameKind.replicate:
      case frameKind.replicateUnmap:
        return this.#inOrder(() => this.#replicate(request))
      case frameKind.install:
        return this.#inOrder(() => this.#install(request))
      case frameKind.fetch:
        return this.#fetch(request)
      default:
        throw broken(`frame kind ${request.kind} is for no copy`)
    }
  }

  /** CP1 */
  #inOrder(f: () => Answer | Promise<Answer>): Answer | Promise<Answer> {
    const behind = this.#behind
    if (behind === null) return f()
    return new Promise((resolve, reject) => {
      behind.push(() => {
        Promise.resolve(f()).then(resolve, reject)
      })
    })
  }

  /** MD3 of mending.ts: a page that is damaged here. Rejects when the store has failed. */
  async mendPage(volume: VolumeId, page: number): Promise<Mended> {
    const { store, peers, mended } = this.#deps
    const { active } = this.#replica
    if ((await store.pageOf(volume, page)) !== 'damaged') return 'good'
    if (this.primary === null || active === 0) return 'later'
    const asked = encodePage({ slice: this.#slice, epoch: active, volume, page })
    const told = readMended(await peers.ask(this.primary, 'mend', asked, MEND_MS))
    if (told === 'good') mended?.(volume, page)
    return told
  }

  #replicate(request: Incoming): Answer | Promise<Answer> {
    const { epoch, seq } = request
    if (this.#learned !== null) return this.#learn(request, this.#learned)
    switch (this.#replica.judge(epoch, seq)) {
      case 'refused':
        return refused
      case 'gap':
        return { status: answerStatus.behind, epoch, seq: this.#replica.has }
      case 'had':
        return this.#again(seq)
      case 'take':
        return this.#take(request)
    }
  }

  /** CP3 */
  #learn(request: Incoming, learned: Learned): Answer | Promise<Answer> {
    const { epoch, seq } = request
    if (epoch !== this.#replica.active) return refused
    if (seq <= learned.upTo) return learned.underWay.get(seq) ?? { status: answerStatus.done, seq }
    learned.upTo = seq
    const coming = this.#take(request).finally(() => learned.underWay.delete(seq))
    learned.underWay.set(seq, coming)
    return coming
  }

  /** CP2 */
  #again(seq: number): Answer | Promise<Answer> {
    if (this.#replica.has >= seq) return this.#hasAnswer()
    return new Promise((resolve) => this.#had.push({ seq, answer: resolve }))
  }

  async #take(request: Incoming): Promise<Answer> {
    const { store } = this.#deps
    const write = writeOf(request)
    const ends = this.#ends
    const now = store.admit(write)
    const isFreed = now === null && (await this.#makeRoom())
    const isLate = ends !== this.#ends // CP4
    const room = now ?? (isFreed && !isLate ? store.admit(write) : null)
    if (room === null && !isLate) this.#stop()
    const writing = room === null ? null : this.#carry(store.write(write, room))
    if (now === null) this.#goOn()
    if (writing === null) return isLate ? refused : full
    countKept(this.#deps.work, write.data)
    if ((await writing) === 'done') return this.#stored(write)
    if (ends === this.#ends) this.#stop()
    return full
  }

  /** RL3 of replica.ts. Nothing is taken until it is asked anew. */
  #stop(): void {
    this.#replica.stop()
    this.#ends += 1
  }

  /** M2 of mutation-turn.ts holds here, too. What comes meanwhile waits behind (CP1), until `#goOn`. */
  #makeRoom(): Promise<boolean> {
    this.#behind = []
    return this.#carry(this.#deps.store.makeRoom())
  }

  #goOn(): void {
    const waiting = this.#behind ?? []
    this.#behind = null
    for (const f of waiting) this.#handOn(f)
  }

  /** One of those before it may wait for room again. */
  #handOn(f: () => void): void {
    if (this.#behind === null) f()
    else this.#behind.push(f)
  }

  #stored({ epoch, seq }: StoreWrite): Answer {
    if (epoch !== this.#replica.active) return refused
    if (this.#learned !== null) return { status: answerStatus.done, epoch, seq }
    if (!this.#replica.stored(epoch, this.#reached.add(seq))) return refused
    const { has } = this.#replica
    if (this.#had.length > 0) {
      const now = this.#had.filter((one) => one.seq <= has)
      this.#had = this.#had.filter((one) => one.seq > has)
      for (const { answer } of now) answer(this.#hasAnswer())
    }
    return this.#hasAnswer()
  }

  #hasAnswer(): Answer {
    const { active, has } = this.#replica
    return { status: answerStatus.done, epoch: active, seq: has }
  }

  async #install(request: Incoming): Promise<Answer> {
    const { epoch, volume, slice, offset, gen, seq, payload, checksums } = request
    if (epoch !== this.#replica.active || payload === null) return refused
    const { present, blocks, lost } = pageOfPayload(payload)
    if (lost !== null) return refused
    const stamp = { epoch: epochOf(gen), seq }
    countKept(this.#deps.work, blocks)
    const result = await this.#carry(
      this.#deps.store.install({
        ...{ volume, slice, page: offset / PAGE_BYTES, present, blocks, stamp },
        checksums: checksums === null ? null : checksums.subarray(1),
      }),
    )
    return result === 'full' ? full : { status: answerStatus.done, epoch, seq: this.#replica.has }
  }

  async #fetch(request: Incoming): Promise<Answer> {
    const { epoch, volume, offset, into } = request
    if (epoch !== this.#replica.active || into === null) return refused
    const copy = await this.#deps.store.partsOf(volume, offset / PAGE_BYTES)
    if (copy === null || copy === 'damaged') return damaged
    const bytes = pagePayload(into, copy)
    const checksums = pageChecksums(bytes, copy.checksums)
    const { epoch: of, seq } = copy.stamp
    return { status: answerStatus.done, bytes, checksums, epoch: of, seq }
  }

  async #carry<T>(work: Promise<T>): Promise<T> {
    this.#underWay += 1
    const result = await work
    this.#underWay -= 1
    if (this.#underWay === 0) for (const told of this.#whenIdle.splice(0)) told()
    return result
  }

  #refusal(): Activation {
    return { kind: 'refused', promised: this.#deps.store.promisedEpoch(this.#slice) }
  }
}

/** Whole windows, from the one at `from` on. */
export function someOperations(
  remembered: Iterable<OperationWindow>,
  from: number,
): OperationsPage {
  const operations: OperationWindow[] = []
  let at = 0
  let numbers = 0
  for (const one of remembered) {
    at += 1
    if (at <= from) continue
    if (numbers > NUMBERS_MOST) return { operations, isLast: false }
    operations.push(one)
    numbers += 3 + one.numbers.length
  }
  return { operations, isLast: true }
}

function writeOf(request: Incoming): StoreWrite {
  const { volume, slice, offset, bytes, session, gen, number, acknowledged } = request
  const { epoch, seq, data, checksums, edges } = request
  return {
    volume,
    slice,
    offset,
    bytes,
    session,
    gen,
    number,
    acknowledged,
    epoch,
    seq,
    data,
    checksums,
    edges,
  }
}

/** V5 of slices.ts: when the store has failed, or is closed, nothing is answered. */
export function unlessFailed<T>(answer: Promise<T>): Promise<T> {
  return answer.catch(() => new Promise(() => {}))
}
