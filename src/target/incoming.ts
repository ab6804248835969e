// What comes on one connection: the room for the data of its writes, and when its stream is not read.
//
// Invariants:
//   C8. Data of writes that a member holds is bounded, for each connection and for all of the member's: what was asked
//       for by R2T and what came unsolicited, each by itself, so that the one never waits for the other (data-out.ts).
//   C9. A connection that brings more unsolicited data than there is room for is not read while commands of it are
//       carried out, for a second at most: its initiator also wants its NOP-Outs answered.
import type { Stream } from '../base/net.ts'
import type { WriteRoom } from '../iscsi/data-out.ts'
import type { Session } from '../iscsi/session.ts'
import { type Budgets, FIRST_BURST_BYTES } from './memory-bounds.ts'

type Reason = 'responses' | 'data'

/** A stream is read unless there is a reason against it. */
export class Valve {
  readonly #stream: Stream
  readonly #reasons = new Set<Reason>()

  constructor(stream: Stream) {
    this.#stream = stream
  }

  isClosedFor(reason: Reason): boolean {
    return this.#reasons.has(reason)
  }

  close(reason: Reason): void {
    if (this.#reasons.size === 0) this.#stream.pause()
    this.#reasons.add(reason)
  }

  open(reason: Reason): void {
    if (this.#reasons.delete(reason) && this.#reasons.size === 0) this.#stream.resume()
  }
}

export class Incoming {
  readonly room: WriteRoom
  readonly valve: Valve
  /** It was not read for as long as it may: it is read until there was room again. */
  #waitedEnough = false

  /** `came`: there may be room for a write that waits. */
  constructor(stream: Stream, { asked, unasked }: Budgets['receiving'], came: () => void) {
    this.valve = new Valve(stream)
    this.room = { asked: asked.share(came), unasked: unasked.share() }
  }

  /** At the end of each turn. */
  look(session: Session): void {
    session.writes.roomCame()
    const hasRoom = this.room.unasked.allows(FIRST_BURST_BYTES)
    if (hasRoom) this.#waitedEnough = false
    if (!hasRoom && !this.#waitedEnough && session.worksOnData) this.valve.close('data')
    else this.valve.open('data')
  }

  /** While others wait for the room of writes whose data was asked for: how many Data-Outs have come. */
  owes(session: Session): number | null {
    const { asked } = this.room
    return asked.held > 0 && asked.othersWait && !session.worksOnData
      ? session.writes.received
      : null
  }

  /** Once a second. */
  tick(): void {
    if (!this.valve.isClosedFor('data')) return
    this.#waitedEnough = true
    this.valve.open('data')
  }
}
