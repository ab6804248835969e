// One decision round of a member carried through the answers that it gets: which move to propose next, until no more
// are worth it or allowed. The live balancer and the simulator both ask it; neither decides anything itself.
//
// N1. A round makes at most `movesPerRound` moves, and for each at most `tries` proposals.
// N2. What is proposed after an answer is judged by it: on the receiver's fresh load, and on this member's sessions as
//     they then are.
// N3. What was denied is not proposed again in the round.
// N4. Only what the round found to be worth a move is judged again, the best first, until no other can be better: an answer
//     takes from the gains of a round far more often than it adds to them. At most `AGAIN_MAX` for an answer, however many there are.
import {
  before,
  decide,
  type Moment,
  type Proposal,
  proposeAgain,
  type Round,
  type Situation,
  situationOf,
} from './decide.ts'
import type { Policy } from './policy.ts'
import { corrected, type End, type Own, type View } from './view.ts'

export const AGAIN_MAX = 24

/** By what it was judged: how many answers there had been. */
interface Waiting {
  readonly proposal: Proposal
  readonly answers: number
}

export class Negotiation {
  readonly round: Round
  readonly #moment: Moment
  readonly #policy: Policy
  #own: Own
  #view: View
  /** Of `#own` and `#view`, once it is asked for. */
  #situation: Situation | null = null
  /** Best first. */
  readonly #waiting: Waiting[]
  readonly #denied = new Set<string>()
  #answers = 0
  #moves = 0
  #tries = 0

  constructor(own: Own, view: View, moment: Moment, policy: Policy) {
    this.#own = own
    this.#view = view
    this.#moment = moment
    this.#policy = policy
    this.round = decide(own, view, moment, policy)
    this.#waiting = this.round.proposals.map((proposal) => ({ proposal, answers: 0 }))
  }

  /** By which proposals are judged now: as it was, with what was answered. */
  get view(): View {
    return this.#view
  }

  /** null: the round is over. */
  next(): Proposal | null {
    const { movesPerRound, tries } = this.#policy
    if (this.#moves >= movesPerRound || this.#tries >= tries) return null
    this.#tries += 1
    for (let judged = 0; judged < AGAIN_MAX; judged++) {
      const [first] = this.#waiting
      if (first === undefined) return null
      if (this.#isFresh(first)) break
      this.#waiting.shift()
      const proposal = this.#again(first.proposal)
      if (proposal !== null) this.#wait(proposal)
    }
    const at = this.#waiting.findIndex((one) => this.#isFresh(one))
    const [best] = at < 0 ? [] : this.#waiting.splice(at, 1)
    return best?.proposal ?? null
  }

  #isFresh({ answers }: Waiting): boolean {
    return answers === this.#answers
  }

  /** null: it is worth no move any more. */
  #again({ session }: Proposal): Proposal | null {
    const now = this.#own.sessions.find(({ id }) => id === session.id)
    if (now === undefined) return null
    this.#situation ??= situationOf(
      this.#own,
      this.#view,
      this.#moment,
      this.#policy,
      this.round.candidates,
    )
    const proposal = proposeAgain(now, this.#situation)
    return proposal === null || this.#denied.has(nameOf(proposal)) ? null : proposal
  }

  #wait(proposal: Proposal): void {
    const at = this.#waiting.findIndex((one) => before(proposal, one.proposal, this.#policy) < 0)
    const waiting = { proposal, answers: this.#answers }
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, waiting)
  }

  /** `own` as it is after the answer; `fresh` is the receiver's load with what it has promised, null if it is not known. */
  answered(proposal: Proposal, granted: boolean, own: Own, fresh: End | null): void {
    if (granted) {
      this.#moves += 1
      this.#tries = 0
    } else {
      this.#denied.add(nameOf(proposal))
      this.#waiting.unshift({ proposal, answers: this.#answers })
    }
    this.#answers += 1
    this.#own = own
    if (fresh !== null) this.#view = corrected(this.#view, fresh)
    this.#situation = null
  }
}

const nameOf = ({ session, to }: Proposal) => `${session.id} ${to}`
