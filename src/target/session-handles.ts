// The TSIHs of this member's sessions (RFC 7143 §11.12.6): what a login that names one is told.
//
// Invariants:
//   H1. No two living sessions of a member have one TSIH.
//   H2. A login with a TSIH is never admitted: a session has one connection, which at error recovery level 0 is not
//       reinstated. It is told whether its session is here; with TSIH 0 it reinstates the session.
import type { VolumeId } from '../base/ids.ts'
import { loginStatus } from '../iscsi/pdu.ts'
import type { LiveSession } from './live-session.ts'

const TSIH_MAX = 0xffff

/** Who a login says it is. */
export interface Named {
  readonly tsih: number
  readonly cid: number
  readonly initiator: string
  readonly isid: string
  readonly volume: VolumeId
}

export class SessionHandles {
  readonly #living = new Map<number, { readonly session: LiveSession; readonly cid: number }>()
  #last = 0

  /** One that no living session has (H1); of a discovery session it is used by nothing. */
  next(): number {
    do this.#last = (this.#last % TSIH_MAX) + 1
    while (this.#living.has(this.#last))
    return this.#last
  }

  began(tsih: number, session: LiveSession, cid: number): void {
    this.#living.set(tsih, { session, cid })
  }

  ended(session: LiveSession): void {
    for (const [tsih, one] of this.#living) if (one.session === session) this.#living.delete(tsih)
  }

  /** H2. */
  refusal({ tsih, cid, initiator, isid, volume }: Named): {
    readonly status: number
    readonly sentence: string
  } {
    const living = this.#living.get(tsih)
    const record = living?.session.record
    const isIt = record?.initiator === initiator && record.isid === isid && record.volume === volume
    if (!isIt)
      return { status: loginStatus.sessionDoesNotExist, sentence: `no session ${tsih} here` }
    if (living?.cid !== cid) {
      return { status: loginStatus.tooManyConnections, sentence: 'a session has one connection' }
    }
    const sentence = 'a connection is not reinstated: a login with TSIH 0 reinstates its session'
    return { status: loginStatus.cannotIncludeInSession, sentence }
  }
}
