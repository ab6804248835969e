// Task management of one session (RFC 7143 §11.5, §11.6): which commands are dropped, and when that may be said.
//
// Invariants:
//   U1. A request is answered when no command that it aborted, or that an earlier one did, can reach the volume any more:
//       an outcome that the gateway owes is waited for, by each request that names the command.
//   U2. Only commands that came before the request are aborted.
//   U3. A reset ends the commands and mode parameters of every nexus of the volume, at every member (unit-reset.ts).
//       Every nexus hears of it by a unit attention, also the one that reset (SAM-5 §5.14, §6.3.3). At another one what
//       waits for data is answered with it, and what the gateway has comes to its own end first.
//   U4. A reset that is rejected has ended no command of its own nexus: the initiator goes on waiting for them.
// The control mode page reports one task set for each nexus (TST=001b), so CLEAR TASK SET ends where ABORT TASK SET
// does. A target has one logical unit, so its warm reset is that of the unit.
import { taskManagementFunction as functions, taskManagementResponse } from '../iscsi/pdu.ts'
import type { TaskManagementRequest } from '../iscsi/requests.ts'
import { ahead } from '../iscsi/serial.ts'
import type { Session } from '../iscsi/session.ts'
import type { Task } from '../iscsi/task.ts'
import type { SessionCounters } from '../load/counters.ts'
import { type NexusState, resetModePages } from '../scsi/nexus-state.ts'

export type ManagedSession = Pick<
  Session,
  'findTask' | 'tasksOf' | 'abort' | 'abortUnreceived' | 'respondToTaskManagement'
>

/** Where a command is that was started and not answered: its data is missing, the gateway has it, or it is a READ that waits for room (reads.ts). `ended`: its data is let come, and it is answered with the unit attention. */
export type Waiting = 'collecting' | 'working' | 'queued' | 'ended'

interface Pending {
  readonly request: TaskManagementRequest
  readonly owed: Set<Task>
}

/** A command, however often its task serves another one. */
interface Named {
  readonly task: Task
  readonly tag: number
  readonly cmdSn: number
}

/** Another nexus waits for these. */
interface Watched {
  readonly owed: Set<Task>
  readonly over: (sure: boolean) => void
}

export interface ResetDeps {
  readonly counters: SessionCounters
  /** Settles when no command of another nexus that came before can reach the volume any more; false: that is not sure. */
  readonly resetOthers: () => Promise<boolean>
  /** A response was written outside of `manage`. */
  readonly wrote: () => void
}

const unit = 0

export class TaskManagement {
  readonly #session: ManagedSession
  readonly #nexus: NexusState
  /** The runner's: commands that were started and are not answered. */
  readonly #waiting: Map<Task, Waiting>
  readonly #pending = new Set<Pending>()
  readonly #watched = new Set<Watched>()
  /** Resets that wait for the other nexuses. */
  readonly #resets = new Set<TaskManagementRequest>()
  readonly #deps: ResetDeps

  constructor(
    session: ManagedSession,
    nexus: NexusState,
    waiting: Map<Task, Waiting>,
    deps: ResetDeps,
  ) {
    this.#session = session
    this.#nexus = nexus
    this.#waiting = waiting
    this.#deps = deps
  }

  manage(request: TaskManagementRequest): void {
    switch (request.function) {
      case functions.abortTask:
        this.#abortTask(request)
        break
      case functions.abortTaskSet:
      case functions.clearTaskSet:
        this.#abortAll(request)
        break
      case functions.logicalUnitReset:
      case functions.targetWarmReset:
        this.#reset(request)
        break
      case functions.taskReassign:
        this.#respond(request, taskManagementResponse.reassignNotSupported)
        break
      default:
        this.#respond(request, taskManagementResponse.notSupported)
    }
  }

  /** U3, for another nexus: settles when nothing that was started can reach the volume any more; false: the session is over. */
  resetByAnother(): Promise<boolean> {
    resetModePages(this.#nexus)
    this.#nexus.attentions.raise('logicalUnitReset')
    const owed = new Set<Task>()
    for (const [task, waiting] of this.#waiting) {
      if (waiting === 'working') owed.add(task)
      else this.#waiting.set(task, 'ended')
    }
    if (owed.size === 0) return Promise.resolve(true)
    return new Promise((over) => this.#watched.add({ owed, over }))
  }

  /** The outcome of a command is known that the gateway had. True if a response was written, which had waited for that alone. */
  settled(task: Task): boolean {
    for (const watched of this.#watched) {
      if (!watched.owed.delete(task) || watched.owed.size > 0) continue
      this.#watched.delete(watched)
      watched.over(true)
    }
    let wrote = false
    for (const pending of this.#pending) {
      if (!pending.owed.delete(task) || pending.owed.size > 0) continue
      this.#pending.delete(pending)
      this.#respond(pending.request, taskManagementResponse.complete)
      wrote = true
    }
    return wrote
  }

  /** Nobody waits for the outcomes of commands. */
  get isIdle(): boolean {
    return this.#watched.size + this.#pending.size === 0
  }

  /** The session is over: nothing is answered. */
  stop(): void {
    this.#pending.clear()
    this.#resets.clear()
    for (const { over } of this.#watched) over(false)
    this.#watched.clear()
  }

  #abortTask(request: TaskManagementRequest): void {
    const tag = request.referencedTaskTag
    const task = this.#session.findTask(tag)
    const before = this.#owed().filter((one) => one.initiatorTaskTag === tag)
    if (task !== null || before.length > 0) {
      this.#abort(request, task === null ? [] : [task], before)
      return
    }
    const counts = this.#session.abortUnreceived(request)
    const { complete, noSuchTask } = taskManagementResponse
    this.#respond(request, counts ? complete : noSuchTask)
  }

  #abortAll(request: TaskManagementRequest): void {
    if (request.lun === unit) this.#abort(request, this.#tasksBefore(request), this.#owed())
    else this.#respond(request, taskManagementResponse.noSuchLun)
  }

  /** U3, U4: the other nexuses first, and what of this one is still under way then. */
  #reset(request: TaskManagementRequest): void {
    if (request.lun !== unit) {
      this.#respond(request, taskManagementResponse.noSuchLun)
      return
    }
    const before = this.#tasksBefore(request).map(named)
    this.#resets.add(request)
    void this.#deps.resetOthers().then((sure) => this.#othersReset(request, before, sure))
  }

  #othersReset(request: TaskManagementRequest, before: readonly Named[], sure: boolean): void {
    if (!this.#resets.delete(request)) return // the session is over
    if (sure) {
      resetModePages(this.#nexus)
      this.#nexus.attentions.raise('logicalUnitReset')
      const isSame = ({ task, tag, cmdSn }: Named) =>
        this.#session.findTask(tag) === task && task.cmdSn === cmdSn
      this.#abort(
        request,
        before.filter(isSame).map(({ task }) => task),
        this.#owed(),
      )
    } else this.#respond(request, taskManagementResponse.rejected)
    this.#deps.wrote()
  }

  /** U2. */
  #tasksBefore({ cmdSn }: TaskManagementRequest): Task[] {
    const before = (task: Task) => this.#waiting.has(task) || ahead(task.cmdSn, cmdSn) > 0
    return this.#session.tasksOf(unit).filter(before)
  }

  /** U1: aborted by an earlier request, so no longer the session's, and still the gateway's. */
  #owed(): Task[] {
    const working = [...this.#waiting].filter(([, waiting]) => waiting === 'working')
    return working.map(([task]) => task).filter(({ state }) => state === 'aborted')
  }

  /** `before`: aborted already. */
  #abort(request: TaskManagementRequest, tasks: readonly Task[], before: readonly Task[]): void {
    const owed = new Set(before)
    for (const task of tasks) {
      if (this.#waiting.get(task) === 'working') owed.add(task)
      else if (this.#waiting.delete(task)) this.#deps.counters.outstanding -= 1
      this.#session.abort(task)
    }
    if (owed.size > 0)
      this.#pending.add({ request, owed }) // U1
    else this.#respond(request, taskManagementResponse.complete)
  }

  #respond(request: TaskManagementRequest, response: number): void {
    this.#session.respondToTaskManagement(request, response)
  }
}

function named(task: Task): Named {
  return { task, tag: task.initiatorTaskTag, cmdSn: task.cmdSn }
}
