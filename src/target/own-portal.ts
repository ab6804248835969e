// A member's own portal: where it listens. If another member answers there since this one was away (stand-ins.ts), that goes on
// until this one serves; then it is asked for the portal, and the portal is taken.
//
// Invariants:
//   OP1. A portal that is free is had without asking anybody. One that is not is refused as it always was if every other
//        member says that it does not stand in there.
//   OP3. Who stands in may stand still: this member serves its slices all the same, and says what it waits for.
//   OP2. Nobody is asked to give it before this member can serve logins there; it listens before it says that it serves.
import { type Clock, sleep } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import type { Address, Listener } from '../base/net.ts'
import { formatAddress } from '../base/net.ts'
import type { PeerLinks } from '../peer/links.ts'
import { fieldsOf } from '../peer/message.ts'
import type { TargetEvent } from './target-event.ts'

const ASK_MS = 2_000
const AGAIN_MS = 50
/** Who waits so long says so. */
const TOLD_AFTER_MS = 5_000

export interface OwnPortalDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly group: { readonly members: ReadonlyMap<MemberId, unknown> }
  readonly peers: Pick<PeerLinks, 'ask'>
  readonly listen: (address: Address) => Promise<Listener>
  readonly tell: (event: TargetEvent) => void
}

export class OwnPortal {
  readonly #deps: OwnPortalDeps
  /** Where another member stands in, or may. */
  #held: { readonly address: Address; readonly by: MemberId } | null = null

  constructor(deps: OwnPortalDeps) {
    this.#deps = deps
  }

  /** The address that initiators come to; this member may not listen there yet. Rejects if it never will. */
  async open(address: Address): Promise<Address> {
    try {
      return (await this.#deps.listen(address)).address
    } catch (error) {
      const by = await this.#holder(false)
      if (by === null) throw error // OP1
      this.#held = { address, by }
      return address
    }
  }

  /** Settles when this member listens there, or `isOver`. */
  async take(isOver: () => boolean): Promise<void> {
    const { clock, listen, tell } = this.#deps
    const begunMs = clock.nowMs()
    let isTold = false
    while (this.#held !== null && !isOver()) {
      const { address, by } = this.#held
      await this.#holder(true)
      const failure = await listen(address).then(
        () => null,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      )
      if (failure === null) {
        this.#held = null
        return
      }
      if (!isTold && clock.nowMs() - begunMs >= TOLD_AFTER_MS) {
        isTold = true
        tell({ kind: 'portal', portal: formatAddress(address), by, why: failure })
      }
      await sleep(clock, AGAIN_MS)
    }
  }

  /**
   * The first that says that it stands in; else one that does not answer, as it may; null: nobody does. If it is to give the
   * portal, it has.
   */
  #holder(give: boolean): Promise<MemberId | null> {
    const { self, group, peers } = this.#deps
    const others = [...group.members.keys()].filter((id) => id !== self)
    return new Promise((resolve) => {
      let silent: MemberId | null = null
      const asked = others.map(async (id) => {
        const reply = await peers.ask(id, 'portal', { give }, ASK_MS)
        if (fieldsOf(reply)?.['held'] === true) resolve(id)
        else if (reply === null) silent ??= id
      })
      void Promise.all(asked).then(() => resolve(silent))
    })
  }
}
