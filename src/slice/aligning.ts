// How a primary makes the other in-sync members of its slice equal to itself before it serves an epoch: what alignment.ts plans,
// carried out.
//
//   all are asked to activate ──equal──────────────────────────────────────────▶ aligned: mutations may come
//              └──differ──▶ versions ──▶ what the primary lacks is fetched ──▶ what the others lack is installed
//                           operations ──▶ united at all of them
//
// Invariants:
//   R7.  The primary's own store is drained, and has the newest version of each page and all operations, before a copy gets them (alignment.ts).
//   AG1. A member that does not answer (asking.ts), or whose store cannot keep what it lacks, is named, and nobody waits for it.
import type { MemberId, VolumeId } from '../base/ids.ts'
import { answerStatus } from '../peer/message.ts'
import type { OperationWindow } from '../store/operations.ts'
import { type PageCopy, type PageParts, wholeOf } from '../store/page-copy.ts'
import { digestOf, haveSamePages } from '../store/slice-digest.ts'
import { type Listing, type PagePlan, planAlignment } from './alignment.ts'
import { Asking, type AskingDeps, emptyPage, type Of, Unanswered } from './asking.ts'
import { someOperations } from './copy.ts'
import {
  type Activation,
  encodeActivate,
  encodeAligned,
  encodePaged,
  readActivation,
  readOperationsPage,
} from './copy-messages.ts'
import { FetchRequest, InstallRequest } from './copy-request.ts'
import type { Activated } from './lease.ts'
import { unitedOperations } from './united-operations.ts'

/** Pages that are copied at once. */
const PAGES_AT_ONCE = 4

export type Aligned =
  | { readonly kind: 'aligned'; readonly others: readonly Activated[] }
  /** AG1. These are to be removed. */
  | { readonly kind: 'without'; readonly members: readonly MemberId[] }
  /** Somebody has promised a higher epoch than this one. */
  | { readonly kind: 'behind' }
  /** The own store has no room for what it lacks. */
  | { readonly kind: 'full' }
  /** It was not wanted any more. */
  | { readonly kind: 'over' }

/** Ends an alignment early. */
class Ended extends Error {
  readonly as: Aligned

  constructor(as: Aligned) {
    super(as.kind)
    this.as = as
  }
}

/** One alignment of one slice. `isOver`: it is not wanted any more. */
export class Aligning {
  readonly #deps: AskingDeps
  readonly #of: Of
  readonly #isOver: () => boolean
  readonly #asking: Asking

  constructor(deps: AskingDeps, of: Of, isOver: () => boolean) {
    this.#deps = deps
    this.#of = of
    this.#isOver = isOver
    this.#asking = new Asking(deps, of, isOver)
  }

  /** Rejects when the own store has failed. */
  async align(members: readonly MemberId[]): Promise<Aligned> {
    try {
      const answers = await this.#each(members, (member) => this.#activate(member))
      const { store } = this.#deps
      const own = digestOf(store.versions(this.#of.slice), store.operationsOf(this.#of.slice))
      const differ = answers.filter(({ has }) => !haveSamePages(has, own))
      if (differ.length > 0) await this.#alignPages(differ.map(({ member }) => member))
      const isUnited = answers.every(({ has }) => has.operations === own.operations)
      const united = isUnited ? [] : await this.#unite(answers.map(({ member }) => member))
      await this.#each(members, (member) => this.#aligned(member, united))
      return { kind: 'aligned', others: answers.map(({ member, boot }) => ({ member, boot })) }
    } catch (error) {
      if (error instanceof Ended) return error.as
      if (error instanceof Unanswered) return withoutOne(error)
      throw error
    }
  }

  async #activate(member: MemberId): Promise<Extract<Activation, { kind: 'active' }> & Activated> {
    const asked = encodeActivate({ ...this.#of, isLearner: false })
    const answer = await this.#asking.ask(member, 'activate', asked, readActivation)
    if (answer.kind === 'refused') throw new Ended({ kind: 'behind' })
    return { ...answer, member }
  }

  async #alignPages(differ: readonly MemberId[]): Promise<void> {
    const { store } = this.#deps
    const listings = new Map<MemberId, Listing>()
    const listed = await this.#each(differ, (member) => this.#asking.list(member))
    for (const [at, member] of differ.entries()) {
      const listing = listed[at]
      if (listing !== undefined) listings.set(member, listing)
    }
    const { slice } = this.#of
    const own = { pages: [...store.versions(slice)], folded: store.foldedOf(slice) }
    const plans = planAlignment(own, listings)
    const left = plans.values()
    const work = async () => {
      for (const plan of left) await this.#alignPage(plan)
    }
    await Promise.all(Array.from({ length: PAGES_AT_ONCE }, work))
  }

  /** R7 */
  async #alignPage({ volume, page, from, stamp, isEmpty, to }: PagePlan): Promise<void> {
    const { store } = this.#deps
    const { slice, epoch } = this.#of
    const of = { slice, volume, page, epoch }
    let copy: PageCopy | null = isEmpty ? emptyPage(stamp) : null
    if (from !== null) {
      const found = copy ?? (await this.#fetched(from, of))
      if (found === null) throw new Ended({ kind: 'without', members: [from] })
      copy = found
      const { present, blocks, checksums } = found
      const installed = { volume, slice, page, present, blocks, checksums, stamp: found.stamp }
      if ((await store.install(installed)) === 'full') throw new Ended({ kind: 'full' })
    }
    for (const member of to) {
      copy ??= await this.#own(volume, page)
      if (copy === null) continue // It is damaged here, and not newer there.
      const whole = copy
      const status = await this.#asking.request<number>(
        member,
        (told) => new InstallRequest(of, whole, told),
      )
      if (status === answerStatus.refused) throw new Ended({ kind: 'behind' })
      if (status !== answerStatus.done) throw new Ended({ kind: 'without', members: [member] })
    }
  }

  async #fetched(from: MemberId, of: Of & { volume: VolumeId; page: number }) {
    const parts = await this.#asking.request<PageParts | null>(
      from,
      (told) => new FetchRequest(of, told),
    )
    const copy = wholeOf(parts)
    return copy === 'damaged' ? null : copy
  }

  async #own(volume: PagePlan['volume'], page: number): Promise<PageCopy | null> {
    const copy = await this.#deps.store.pageOf(volume, page)
    return copy === 'damaged' ? null : copy
  }

  /** R7: at the own store first. */
  async #unite(members: readonly MemberId[]): Promise<readonly OperationWindow[]> {
    const { store } = this.#deps
    const { slice } = this.#of
    const told = await this.#each(members, async (member) => {
      const operations: OperationWindow[] = []
      for (;;) {
        const asked = encodePaged({ ...this.#of, from: operations.length })
        const page = await this.#asking.ask(member, 'operations', asked, readOperationsPage)
        operations.push(...page.operations)
        if (page.isLast) return operations
      }
    })
    const united = unitedOperations([[...store.operationsOf(slice)], ...told])
    if ((await store.adopt(slice, united, false)) === 'full') throw new Ended({ kind: 'full' })
    return united
  }

  async #aligned(member: MemberId, united: readonly OperationWindow[]): Promise<void> {
    let from = 0
    for (;;) {
      const { operations, isLast } = someOperations(united, from)
      from += operations.length
      const asked = encodeAligned({ ...this.#of, operations, isInstead: false, isLast })
      const isDone = await this.#asking.ask(member, 'aligned', asked, (json) => json === true)
      if (!isDone) throw new Ended({ kind: 'behind' })
      if (isLast) return
    }
  }

  async #each<T>(members: readonly MemberId[], f: (member: MemberId) => Promise<T>): Promise<T[]> {
    const settled = await Promise.allSettled(members.map(f))
    const ends: Aligned[] = []
    const values: T[] = []
    for (const one of settled) {
      if (one.status === 'fulfilled') values.push(one.value)
      else if (one.reason instanceof Ended) ends.push(one.reason.as)
      else if (one.reason instanceof Unanswered) ends.push(withoutOne(one.reason))
      else throw one.reason
    }
    if (this.#isOver()) throw new Ended({ kind: 'over' })
    const [first] = ends
    if (first === undefined) return values
    const silent = ends.flatMap((end) => (end.kind === 'without' ? end.members : []))
    const other = ends.find(({ kind }) => kind !== 'without')
    throw new Ended(other ?? { kind: 'without', members: silent })
  }
}

function withoutOne({ member }: Unanswered): Aligned {
  return member === null ? { kind: 'over' } : { kind: 'without', members: [member] }
}
