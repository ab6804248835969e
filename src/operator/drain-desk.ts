// The operator's commands on the drain of a member: it gives its sessions away and takes no new ones.
//
// Invariants:
//   DD1. The last member that takes sessions is not drained: initiators would have nowhere to go.

import { type ErrorCode, type Refusal, refusal } from '../api/errors.ts'
import { type Drain, type DrainState, drainState } from '../api/keeping-schema.ts'
import { answered, type Outcome } from '../api/refusals.ts'
import type { Balancer } from '../balance/balancer.ts'
import { type MemberId, memberId } from '../base/ids.ts'
import type { Stored } from '../group/change.ts'
import { setDraining } from '../group/founding.ts'
import type { MemberRecord } from '../group/record.ts'
import { drainSentence } from './drain-words.ts'
import { hearNews, type ShownMember } from './shown-member.ts'

const TRIES = 5
const ASK_MS = 800

export class DrainDesk {
  readonly #member: ShownMember
  readonly #balancer: Balancer

  constructor(member: ShownMember, balancer: Balancer) {
    this.#member = member
    this.#balancer = balancer
  }

  /** How far it is; of a member that is not drained, what a drain would find. */
  async show(name: string): Promise<Outcome<'showDrain', Drain>> {
    const id = memberId(name)
    await hearNews(this.#member)
    const record = this.#member.group.members.get(id)
    if (record === undefined) return refusal('memberNotFound', `there is no member ${name}`)
    if (!record.draining && this.#witness(id) === null) return lastOne(id)
    const state = await this.#stateOf(id)
    if (state === null) return refusal('memberSilent', `${name} does not answer`)
    const says = record.draining ? 'is' : 'would'
    const { draining } = record
    return answered({ member: id, draining, state, sentence: drainSentence(id, says, state) })
  }

  async begin(name: string): Promise<Outcome<'beginDrain', Drain>> {
    const id = memberId(name)
    const refused = await this.#set(id, () => this.#witness(id) ?? lastOne(id))
    if (refused !== null) return refused
    const state = await this.#stateOf(id)
    return answered({ member: id, draining: true, state, sentence: drainSentence(id, 'is', state) })
  }

  async undo(name: string): Promise<Outcome<'endDrain', Drain>> {
    const id = memberId(name)
    const refused = await this.#set<never>(id, null)
    if (refused !== null) return refused
    const sentence = `${id} takes sessions again. What has left does not come back by itself, but by load.`
    return answered({ member: id, draining: false, state: null, sentence })
  }

  async #stateOf(id: MemberId): Promise<DrainState | null> {
    const { id: self, peers } = this.#member
    if (id === self) return this.#balancer.drainer.plan()
    return drainState.safeParse(await peers.ask(id, 'drain', null, ASK_MS)).data ?? null
  }

  /** `choose`: the witness of a drain, or why there is none; null: it takes sessions again. */
  async #set<C extends ErrorCode>(
    id: MemberId,
    choose: (() => Stored<MemberRecord> | Refusal<C>) | null,
  ): Promise<Refusal<C | 'memberNotFound' | 'coordinatorDown'> | null> {
    const { group, ports } = this.#member
    for (let tries = 0; tries < TRIES; tries += 1) {
      await hearNews(this.#member)
      const stored = group.storedMember(id)
      if (stored === null) return refusal('memberNotFound', `there is no member ${id}`)
      if (stored.record.draining === (choose !== null)) return null
      const witness = choose?.() ?? null
      if (witness !== null && 'kind' in witness) return witness
      const result = await ports.coordinator.txn(setDraining(stored, witness))
      if (result.kind === 'unknown') break
      if (result.kind === 'done') {
        await hearNews(this.#member)
        return null
      }
    }
    return refusal('coordinatorDown', `whether ${id} is drained cannot be written now`)
  }

  /** DD1: another one that takes sessions, and is heard. */
  #witness(id: MemberId): Stored<MemberRecord> | null {
    const { group, id: self } = this.#member
    const others = [...group.members.values()].filter(
      (one) =>
        one.id !== id && !one.draining && (one.id === self || this.#balancer.isHeard(one.id)),
    )
    const [other] = others
    return other === undefined ? null : group.storedMember(other.id)
  }
}

function lastOne(id: MemberId): Refusal<'lastMember'> {
  return refusal('lastMember', `no member but ${id} answers and takes sessions`)
}
