// Unit attention conditions that wait for one nexus (SAM-5 §5.14). At most one of each kind waits: a second one tells the
// initiator nothing new. So the queue is bounded by the number of kinds.
import { type Condition, conditions } from './sense.ts'

export type AttentionKind =
  | 'powerOnOrReset'
  | 'logicalUnitReset'
  | 'nexusLoss'
  | 'modeParametersChanged'
  | 'capacityChanged'
  | 'commandsCleared'

export class UnitAttentions {
  readonly #waiting: AttentionKind[] = []

  get count(): number {
    return this.#waiting.length
  }

  waits(kind: AttentionKind): boolean {
    return this.#waiting.includes(kind)
  }

  /** Whether any other one waits. */
  waitsBut(kind: AttentionKind): boolean {
    return this.#waiting.some((one) => one !== kind)
  }

  raise(kind: AttentionKind): void {
    if (!this.waits(kind)) this.#waiting.push(kind)
  }

  /** Takes the oldest one off: it is about to be reported. */
  take(): Condition | null {
    const kind = this.#waiting.shift()
    return kind === undefined ? null : conditions[kind]
  }
}
