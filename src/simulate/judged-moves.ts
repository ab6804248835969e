// What the moves of a simulated group were predicted to bring, and what they brought, as members find it out
// (balance/decider.ts).
import type { Proposal } from '../distribution/decide.ts'
import { gainOf } from '../distribution/judge.ts'
import { OBSERVED_AFTER_SECONDS } from '../distribution/moved-lately.ts'
import type { Policy } from '../distribution/policy.ts'
import { type JudgedMove, trustOf } from '../distribution/trust.ts'
import type { SimulatedMember } from './member.ts'

/** More are not asked for. */
const LAST = 100

export class JudgedMoves {
  readonly judged: JudgedMove[] = []
  readonly #policy: Policy
  readonly #moved: { readonly proposal: Proposal; readonly t: number }[] = []

  constructor(policy: Policy) {
    this.#policy = policy
  }

  moved(proposal: Proposal, t: number): void {
    this.#moved.push({ proposal, t })
  }

  second(t: number, member: (id: Proposal['to']) => SimulatedMember): void {
    while (t - (this.#moved[0]?.t ?? t) >= OBSERVED_AFTER_SECONDS) {
      const move = this.#moved.shift()
      if (move === undefined) return
      const { session, source, to, gain, verdict } = move.proposal
      const load = member(to).estimate.load(session.id)
      if (load === null) continue
      const asItWas = (id: Proposal['to']) =>
        member(id).asItWas(session.id, load, move.t * 1000, t * 1000)
      const observed = gainOf(load, asItWas(source.member), asItWas(to), verdict.by, this.#policy)
      this.judged.push({ atWallMs: move.t * 1000, predicted: gain, observed })
    }
  }

  /** By which moves are dearer now. */
  caution(t: number): number {
    return trustOf(this.judged.slice(-LAST), t * 1000, this.#policy).caution
  }
}
