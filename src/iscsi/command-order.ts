// The command order of a session delivers what arrives by its CmdSN (RFC 7143 §4.2.2.1), and keeps it back while the session
// is held (target/DESIGN.md).
//
// Invariants:
//   S1. Commands reach the consumer in CmdSN order, each exactly once; immediate ones at once.
//   S5. While held, nothing is delivered but a Logout, which executes nothing and whose initiator answers no NOP-In any
//       more; what was kept comes out in order, or never.
import type { LogoutRequest, TaskManagementRequest, TextRequest } from './requests.ts'
import { ahead } from './serial.ts'
import type { Task } from './task.ts'
import type { CommandWindow } from './window.ts'

export type Delivery =
  | { readonly kind: 'command'; readonly task: Task }
  | { readonly kind: 'taskManagement'; readonly request: TaskManagementRequest }
  | { readonly kind: 'logout'; readonly request: LogoutRequest }
  | { readonly kind: 'text'; readonly request: TextRequest }

export class CommandOrder {
  readonly #window: CommandWindow
  readonly #delivered: { push(delivery: Delivery): unknown }
  /** Received ahead of their turn, by CmdSN; null: only the number is to be counted. At most the window. */
  readonly #early = new Map<number, Delivery | null>()
  #held: Delivery[] | null = null

  /** What is delivered is pushed to `delivered`. */
  constructor(window: CommandWindow, delivered: { push(delivery: Delivery): unknown }) {
    this.#window = window
    this.#delivered = delivered
  }

  /** Commands and task management requests kept back by `hold`. */
  get heldCount(): number {
    if (this.#held === null) return 0
    let count = 0
    for (const { kind } of this.#held) {
      if (kind === 'command' || kind === 'taskManagement') count += 1
    }
    return count
  }

  get heldTaskManagement(): number {
    return this.#held?.filter(({ kind }) => kind === 'taskManagement').length ?? 0
  }

  /** Whether a request that is not immediate is to be taken: else it is silently ignored. */
  accepts(cmdSn: number): boolean {
    const place = this.#window.place(cmdSn)
    return place === 'next' || (place === 'early' && !this.#early.has(cmdSn))
  }

  /** Takes an immediate request: it does not advance CmdSN. */
  takeImmediate(delivery: Delivery): void {
    this.#deliver(delivery)
  }

  /** Takes an accepted request; null if there is nothing to deliver for its CmdSN. */
  take(cmdSn: number, delivery: Delivery | null): void {
    if (cmdSn !== this.#window.expCmdSn) {
      this.#early.set(cmdSn, delivery)
      return
    }
    this.#takeNext(delivery)
    while (this.#early.size > 0) {
      const next = this.#early.get(this.#window.expCmdSn)
      if (next === undefined) return
      this.#early.delete(this.#window.expCmdSn)
      this.#takeNext(next)
    }
  }

  /** §11.5.1: a CmdSN that a task management request names and that has not come counts as received. */
  countUnreceived(refCmdSn: number, requestCmdSn: number): boolean {
    if (ahead(refCmdSn, requestCmdSn) <= 0 || !this.accepts(refCmdSn)) return false
    this.take(refCmdSn, null)
    return true
  }

  /** A queued task will never be delivered; its CmdSN still counts. */
  forget(task: Task): void {
    const early = this.#early.get(task.cmdSn)
    if (!task.immediate && early?.kind === 'command' && early.task === task) {
      this.#early.set(task.cmdSn, null)
    }
    const held = this.#held
    const index = held?.indexOf(task.commandAction) ?? -1
    if (index >= 0) held?.splice(index, 1)
  }

  hold(): void {
    this.#held ??= []
  }

  /** Delivers what was kept. */
  release(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const delivery of held) this.#deliver(delivery)
  }

  /** What was kept, for the last time; the session stays held. */
  discard(): readonly Delivery[] {
    const held = this.#held
    if (held === null) return []
    this.#held = []
    return held
  }

  #takeNext(delivery: Delivery | null): void {
    if (delivery !== null && delivery.kind === 'command') {
      delivery.task.counted = true
      this.#window.accepted(delivery.task.expStatSn)
    } else {
      this.#window.counted()
    }
    if (delivery !== null) this.#deliver(delivery)
  }

  #deliver(delivery: Delivery): void {
    if (this.#held !== null && delivery.kind !== 'logout') {
      this.#held.push(delivery)
      return
    }
    if (delivery.kind === 'command') delivery.task.state = 'delivered'
    this.#delivered.push(delivery)
  }
}
