// How a primary makes a copy of its slice at a member that is to have one: page by page while it serves, and the last of it while
// it pauses. learner.ts keeps what is equal by then.
//
//   asked ──differs──▶ listed, in its turn ──▶ pages are copied, writes of equal ones go along ──none is left──▶ ready
//     └── has the same pages already ─────────────────────────────────────────────────────────────────────────────▲
//   paused, all is over ──▶ listed once more, what still differs is copied, operations are told ──▶ proven equal: it may join
//
// Invariants:
//   R8.  A learner joins only when it was proven equal (learner.ts), after the last write and before the next one. What it
//        remembers of operations is forgotten for what the primary remembers.
// What stops the slice is bounded: with more than PAUSED_PAGES left the learner is given up, and tried again later. Copying gives way:
// a write waits for one page at most, a read for none, and beside writes that wait, of any slice, copy-pace.ts says when the next page
// is copied.
import type { MemberId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import { answerStatus } from '../peer/message.ts'
import type { OperationWindow } from '../store/operations.ts'
import type { PageCopy } from '../store/page-copy.ts'
import { digestOf, haveSamePages } from '../store/slice-digest.ts'
import { NEVER, planLearning } from './alignment.ts'
import { Asking, type AskingDeps, emptyPage, type Of, Unanswered } from './asking.ts'
import { someOperations } from './copy.ts'
import { encodeActivate, encodeAligned, readActivation } from './copy-messages.ts'
import type { CopyPace } from './copy-pace.ts'
import { InstallRequest } from './copy-request.ts'
import type { CopySet } from './copy-set.ts'
import type { GroupSlices } from './group-slices.ts'
import { ownRuns } from './lanes.ts'
import type { Learner, OwnRuns, PagePlace } from './learner.ts'
import type { Primary } from './primary.ts'

/** While nothing is served. */
const PAUSED_PAGES = 64

export type Learned =
  | 'ready'
  /** It does not answer, cannot keep what it is sent, or was overtaken by another change. */
  | 'given up'
  /** It has promised a higher epoch. */
  | 'behind'

export interface LearningDeps extends AskingDeps {
  readonly pace: CopyPace
  readonly group: Pick<GroupSlices, 'volumes'>
  /** Of slices whose pages are copied. */
  readonly copying: Turns
}

/** So many at once. */
export class Turns {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(free: number) {
    this.#free = free
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#free -= 1
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free += 1
      else next()
    }
  }
}

export class Learning {
  readonly #deps: LearningDeps
  readonly #of: Of
  readonly #member: MemberId
  #asking: Asking
  /** A page was sent. */
  readonly #sent: (page: PageCopy) => void

  constructor(deps: LearningDeps, of: Of, member: MemberId, sent: (page: PageCopy) => void) {
    this.#sent = sent
    this.#deps = deps
    this.#of = of
    this.#member = member
    this.#asking = new Asking(deps, of, () => false)
  }

  /** While the slice is served. */
  prepare(primary: Primary, copies: CopySet, isOver: () => boolean): Promise<Learned> {
    this.#asking = new Asking(this.#deps, this.#of, isOver)
    return this.#guarded(async () => {
      const has = await this.#activate()
      if (has === 'behind') return has
      // Of one instant, here as below: what is written from here on is sent, or noted as unequal.
      const own = this.#ownListing()
      if (!haveSamePages(has, digestOf(own.pages, [])))
        return await this.#deps.copying.take(() => this.#copyAll(primary, copies, isOver))
      const learner = copies.learn(this.#member, this.#runs)
      for (const page of own.pages) learner.found(page)
      return 'ready'
    })
  }

  async #copyAll(primary: Primary, copies: CopySet, isOver: () => boolean): Promise<Learned> {
    if (isOver()) return 'given up'
    const learner = copies.learn(this.#member, this.#runs)
    const own = this.#ownListing()
    const listing = await this.#asking.list(this.#member)
    const plans = planLearning(own, listing, this.#member)
    const differ = new Set(plans.map(({ volume, page }) => `${volume}:${page}`))
    for (const page of own.pages)
      if (!differ.has(`${page.volume}:${page.page}`)) learner.found(page)
    for (const plan of plans) learner.unequal(plan)
    while (learner.left > 0 && !learner.isOver) await this.#copyNext(primary, learner)
    return learner.isOver ? 'given up' : 'ready'
  }

  /** R8. While the slice pauses and nothing is under way. */
  prove(isOver: () => boolean): Promise<Learned> {
    this.#asking = new Asking(this.#deps, this.#of, isOver)
    return this.#guarded(async () => {
      const { store } = this.#deps
      const has = await this.#activate()
      if (has === 'behind') return has
      const operations = [...store.operationsOf(this.#of.slice)]
      const own = this.#ownListing()
      const digest = digestOf(own.pages, operations)
      if (!haveSamePages(has, digest)) {
        const listing = await this.#asking.list(this.#member)
        const plans = planLearning(own, listing, this.#member)
        if (plans.length > PAUSED_PAGES) return 'given up'
        for (const plan of plans) if (!(await this.#send(plan))) return 'given up'
      }
      if (has.operations !== digest.operations) await this.#tell(operations)
      return 'ready'
    })
  }

  async #guarded(work: () => Promise<Learned>): Promise<Learned> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof Unanswered) return 'given up'
      throw error
    }
  }

  async #activate() {
    const asked = encodeActivate({ ...this.#of, isLearner: true })
    const answer = await this.#asking.ask(this.#member, 'activate', asked, readActivation)
    return answer.kind === 'refused' ? 'behind' : answer.has
  }

  /** LN2 of learner.ts. Of a volume that is gone nothing is left anywhere. */
  readonly #runs: OwnRuns = (volume, bytes) => {
    const striped = this.#deps.group.volumes.get(volume)
    return striped === undefined ? [] : ownRuns(striped, this.#of.slice, bytes)
  }

  #ownListing() {
    const { store } = this.#deps
    const { slice } = this.#of
    return { pages: [...store.versions(slice)], folded: store.foldedOf(slice) }
  }

  /** Gives way. */
  #copyNext(primary: Primary, learner: Learner): Promise<void> {
    return this.#deps.pace.page(this.#member, async () => {
      const place = learner.isOver ? null : learner.next()
      if (place === null) return
      const { volume, page } = place
      const from = page * PAGE_BYTES
      try {
        await primary.hold({ volume, from, to: from + PAGE_BYTES })
        if (learner.isOver || !(await this.#send(place))) learner.isOver = true
        else learner.copied(place)
      } finally {
        primary.release()
      }
    })
  }

  /** As it is here; false: the learner cannot keep it, or it is damaged here. */
  async #send({ volume, page }: PagePlace): Promise<boolean> {
    const { slice, epoch } = this.#of
    const found = await this.#deps.store.pageOf(volume, page)
    if (found === 'damaged') return false
    const copy = found ?? emptyPage(NEVER)
    const of = { slice, volume, page, epoch }
    const status = await this.#asking.request<number>(
      this.#member,
      (told) => new InstallRequest(of, copy, told),
    )
    this.#sent(copy)
    return status === answerStatus.done
  }

  async #tell(all: readonly OperationWindow[]): Promise<void> {
    for (let from = 0; ; ) {
      const { operations, isLast } = someOperations(all, from)
      const asked = encodeAligned({ ...this.#of, operations, isInstead: from === 0, isLast })
      from += operations.length
      const isDone = await this.#asking.ask(this.#member, 'aligned', asked, (json) => json === true)
      if (!isDone) throw new Unanswered(this.#member)
      if (isLast) return
    }
  }
}
