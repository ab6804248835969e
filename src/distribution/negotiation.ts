// One decision round of a member carried through the answers that it gets: which move to propose next, until no more
// are worth it or allowed. The live balancer and the simulator both ask it; neither decides anything itself.
//
// N1. A round makes at most `movesPerRound` moves, and for each at most `tries` proposals.
// N2. What is proposed after an answer is judged by it: on the receiver's fresh load, and on this member's sessions as
//     they then are.
// N3. What was denied is not proposed again in the round.
import { decide, type Moment, type Proposal, type Round } from './decide.ts'
import type { Policy } from './policy.ts'
import { corrected, type End, type Own, type View } from './view.ts'

export class Negotiation {
  readonly round: Round
  readonly #moment: Moment
  readonly #policy: Policy
  #view: View
  #proposals: Proposal[]
  readonly #denied = new Set<string>()
  #moves = 0
  #tries = 0

  constructor(own: Own, view: View, moment: Moment, policy: Policy) {
    this.#view = view
    this.#moment = moment
    this.#policy = policy
    this.round = decide(own, view, moment, policy)
    this.#proposals = [...this.round.proposals]
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
    return this.#proposals.shift() ?? null
  }

  /** `own` as it is after the answer; `fresh` is the receiver's load with what it has promised, null if it is not known. */
  answered(proposal: Proposal, granted: boolean, own: Own, fresh: End | null): void {
    if (granted) {
      this.#moves += 1
      this.#tries = 0
    } else this.#denied.add(nameOf(proposal))
    if (fresh !== null) this.#view = corrected(this.#view, fresh)
    const again = decide(own, this.#view, this.#moment, this.#policy, this.round.candidates)
    this.#proposals = again.proposals.filter((one) => !this.#denied.has(nameOf(one)))
  }
}

const nameOf = ({ session, to }: Proposal) => `${session.id} ${to}`
