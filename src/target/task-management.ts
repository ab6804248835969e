// Task management of one session (RFC 7143 §11.5, §11.6): which commands are dropped, and when that may be said.
//
// Invariants:
//   U1. A request is answered when no command that it aborted can reach the volume any more: an outcome that the gateway
//       owes is waited for.
//   U2. Only commands that came before the request are aborted.
// The control mode page reports one task set for each nexus (TST=001b), so CLEAR TASK SET ends where ABORT TASK SET does. A
// reset ends the commands and the mode parameters of the nexus that asks for it; other nexuses are not touched.
import { taskManagementFunction as functions, taskManagementResponse } from '../iscsi/pdu.ts'
import type { TaskManagementRequest } from '../iscsi/requests.ts'
import { ahead } from '../iscsi/serial.ts'
import type { Session } from '../iscsi/session.ts'
import type { Task } from '../iscsi/task.ts'
import { type NexusState, resetModePages } from '../scsi/nexus-state.ts'

export type ManagedSession = Pick<
  Session,
  'findTask' | 'tasksOf' | 'abort' | 'abortUnreceived' | 'answerTaskManagement'
>

/** Where a command is that was started and not answered: its data is missing, or the gateway has it. */
export type Waiting = 'collecting' | 'working'

interface Pending {
  readonly request: TaskManagementRequest
  readonly owed: Set<Task>
}

const unit = 0

export class TaskManagement {
  readonly #session: ManagedSession
  readonly #nexus: NexusState
  /** The runner's: commands that were started and are not answered. */
  readonly #waiting: Map<Task, Waiting>
  readonly #pending = new Set<Pending>()

  constructor(session: ManagedSession, nexus: NexusState, waiting: Map<Task, Waiting>) {
    this.#session = session
    this.#nexus = nexus
    this.#waiting = waiting
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
        if (request.lun === unit) resetModePages(this.#nexus)
        this.#abortAll(request)
        break
      case functions.taskReassign:
        this.#answer(request, taskManagementResponse.reassignNotSupported)
        break
      default:
        this.#answer(request, taskManagementResponse.notSupported)
    }
  }

  /** The outcome of a command is known that the gateway had. True if that was an answer's last obstacle. */
  settled(task: Task): boolean {
    let answered = false
    for (const pending of this.#pending) {
      if (!pending.owed.delete(task) || pending.owed.size > 0) continue
      this.#pending.delete(pending)
      this.#answer(pending.request, taskManagementResponse.complete)
      answered = true
    }
    return answered
  }

  /** The session is over: nothing is answered. */
  stop(): void {
    this.#pending.clear()
  }

  #abortTask(request: TaskManagementRequest): void {
    const task = this.#session.findTask(request.referencedTaskTag)
    if (task !== null) {
      this.#abort(request, [task])
      return
    }
    const counts = this.#session.abortUnreceived(request)
    const { complete, noSuchTask } = taskManagementResponse
    this.#answer(request, counts ? complete : noSuchTask)
  }

  #abortAll(request: TaskManagementRequest): void {
    if (request.lun !== unit) {
      this.#answer(request, taskManagementResponse.noSuchLun)
      return
    }
    const before = (task: Task) => this.#waiting.has(task) || ahead(task.cmdSn, request.cmdSn) > 0 // U2
    this.#abort(request, this.#session.tasksOf(unit).filter(before))
  }

  #abort(request: TaskManagementRequest, tasks: readonly Task[]): void {
    const owed = new Set<Task>()
    for (const task of tasks) {
      if (this.#waiting.get(task) === 'working') owed.add(task)
      else this.#waiting.delete(task)
      this.#session.abort(task)
    }
    if (owed.size > 0)
      this.#pending.add({ request, owed }) // U1
    else this.#answer(request, taskManagementResponse.complete)
  }

  #answer(request: TaskManagementRequest, response: number): void {
    this.#session.answerTaskManagement(request, response)
  }
}
