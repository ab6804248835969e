// One SCSI command of a caller, from `command` to its answer, over as many transmissions as that takes.
//
//   waiting ──sent──▶ sent ──answered | aborted | the session ended──▶ settled
//      ▲───connection lost, or BUSY──┘
import type { CommandObserver } from './observer.ts'

export type Answer =
  | {
      readonly kind: 'answered'
      /** SAM-5 §5.3.1; 0 is GOOD. */
      readonly status: number
      /** Sense data without its length, if there was any. */
      readonly sense: Uint8Array | null
      /** Bytes of Data-In that were put into the caller's buffer. */
      readonly dataBytes: number
      /** Bytes that the command would have moved beyond what was expected (> 0), or less than expected (< 0). */
      readonly residualBytes: number
    }
  /** Ended by ABORT TASK or LOGICAL UNIT RESET: it may or may not have been executed. */
  | { readonly kind: 'aborted' }

export interface CommandRequest {
  /** At most 16 bytes. */
  readonly cdb: Uint8Array
  /** 0 if left out. */
  readonly lun?: number
  /** Data to send; must not change before the answer. A command has one direction. */
  readonly write?: Uint8Array
  /** Where data is received; what it holds is certain only after an answer with GOOD. */
  readonly read?: Uint8Array
  readonly observer?: CommandObserver
  /** BUSY, TASK SET FULL and UNIT ATTENTION are answers too, instead of being tried again. */
  readonly once?: boolean
}

export class PendingCommand {
  readonly request: CommandRequest
  readonly answer: Promise<Answer>
  /** Counts the commands of an initiator: they are sent again in this order. */
  readonly number: number
  state: 'waiting' | 'sent' | 'settled' = 'waiting'
  transmissions = 0
  /** How often it was answered with a status that is tried again. */
  retries = 0
  tag = 0
  cmdSn = 0
  sentAtMs = 0
  /** Data-In of this transmission: bytes, and the DataSN of the next. */
  receivedBytes = 0
  dataSn = 0
  /** What had been written to this connection when all of its data was. */
  burstEnd = 0
  #resolve: (answer: Answer) => void = () => {}
  #reject: (reason: Error) => void = () => {}

  constructor(request: CommandRequest, number: number) {
    this.request = request
    this.number = number
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  get expectedBytes(): number {
    return this.request.write?.length ?? this.request.read?.length ?? 0
  }

  settle(answer: Answer): void {
    this.state = 'settled'
    this.#resolve(answer)
  }

  fail(reason: Error): void {
    this.state = 'settled'
    this.#reject(reason)
  }
}
