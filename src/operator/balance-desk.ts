// What people ask of the distribution besides its state: what members have kept of their load.
import { refusal } from '../api/errors.ts'
import { type Answered, answered } from '../api/operator.ts'
import { type RecordingPage, recordingPage } from '../api/schema.ts'
import type { Balancer } from '../balance/balancer.ts'
import { type MemberId, memberId } from '../base/ids.ts'
import type { ControlKind } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'
import type { ShownMember } from './shown-member.ts'

/** A page of a recording is read and written in a few milliseconds, by a member that may be busy. */
const ASK_MS = 3_000

export class BalanceDesk {
  readonly #member: ShownMember
  readonly #balancer: Balancer

  constructor(member: ShownMember, balancer: Balancer) {
    this.#member = member
    this.#balancer = balancer
  }

  async recording(name: string, after: number): Promise<Answered<RecordingPage>> {
    const id = memberId(name)
    if (!this.#member.group.members.has(id)) {
      return refusal('memberNotFound', `there is no member '${name}'`)
    }
    if (id === this.#member.id) return answered(this.#balancer.recorder.page(after))
    const page = recordingPage.safeParse(await this.#ask(id, 'recording', { after })).data
    if (page?.member !== id) return refusal('memberSilent', `${id} does not answer`)
    return answered(page)
  }

  #ask(id: MemberId, kind: ControlKind, body: Json): Promise<Json | null> {
    return this.#member.peers.ask(id, kind, body, ASK_MS)
  }
}
