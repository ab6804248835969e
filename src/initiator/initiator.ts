// Our own iSCSI initiator, as a library on the Net and Clock ports: it runs unchanged in simulation, tests, demo and
// bench.
//
//   dialling ──login──▶ serving ──connection lost──▶ waiting ──Time2Wait, back-off──▶ dialling
//      └─────────────failed──────────────────────────▲
//   any ──close | given up | refused at the first login──▶ ended
//
// Invariants:
//   R1. Every command is answered once, or fails once when the initiator ends.
//   R2. Commands that a lost connection left unanswered are sent again first, in their old order, with new CmdSNs.
//   R3. Every login begins at the configured portal; redirections hold for one login.
//   R4. Never more than `queueDepth` commands are out, `commandsMax` in all.
//   R5. A session that asked to be left is waited for as long as its Time2Wait says, else as long as was negotiated.

import { BufferPool } from '../base/buffer-pool.ts'
import type { Timer } from '../base/clock.ts'
import { formatAddress } from '../base/net.ts'
import {
  asyncEvent,
  loginStatus,
  taskManagementFunction,
  taskManagementResponse,
} from '../iscsi/pdu.ts'
import { ActiveSession, type AsyncMessage, type SessionOwner } from './active-session.ts'
import {
  type Capacity,
  capacityBytes,
  isUnitAttention,
  parseCapacity,
  readCapacityCdb,
  readCdb,
  scsiStatus,
  writeCdb,
} from './cdb.ts'
import { CommandQueue } from './command-queue.ts'
import { Dial, type DialOutcome } from './dial.ts'
import type { CommandObserver } from './observer.ts'
import { type Answer, type CommandRequest, PendingCommand } from './pending-command.ts'
import {
  type Behaviour,
  behaviourOf,
  type InitiatorSettings,
  keysOf,
  randomIsid,
} from './settings.ts'
import { Travels } from './travels.ts'

const poolBytes = 4 * 1024 * 1024
/** QEMU tries a command seven times that is answered with BUSY or UNIT ATTENTION. */
const retriesMax = 7
const busyFirstMs = 8
const busyMostMs = 2_000
/** Linux gives a Logout 15 s; nobody here takes longer than a move. */
const logoutLimitMs = 5_000
const closeLimitMs = 2_000

type State =
  | { readonly kind: 'dialling'; readonly dial: Dial | null }
  | Serving
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | { readonly kind: 'ended'; readonly reason: string }

interface Serving {
  readonly kind: 'serving'
  readonly session: ActiveSession
  readonly address: string
  /** The target has asked to be left. */
  moved: boolean
  /** Seconds, as the target asked or as was negotiated. */
  time2Wait: number
  pingedAtMs: number
}

export class Initiator implements SessionOwner {
  readonly travels: Travels
  /** Of one logical block: 512 until `readCapacity` has told. */
  blockBytes = 512
  readonly #settings: InitiatorSettings
  readonly #behaviour: Behaviour
  readonly #buffers = new BufferPool(poolBytes)
  readonly #queue = new CommandQueue()
  #state: State = { kind: 'dialling', dial: null }
  #failures = 0
  #cmdSn: number
  #giveUp: Timer
  #watch: Timer
  #logoutTimer: Timer | null = null
  #first: { resolve: (it: Initiator) => void; reject: (reason: Error) => void } | null = null
  #closed: (() => void)[] = []
  #closing = false

  /** Resolves when logged in. Rejects if the target refuses the initiator or does not answer for as long as it would wait. */
  static connect(settings: InitiatorSettings): Promise<Initiator> {
    return new Promise((resolve, reject) => {
      const initiator = new Initiator(settings)
      initiator.#first = { resolve, reject }
      initiator.#dial()
    })
  }

  private constructor(settings: InitiatorSettings) {
    this.#settings = settings
    this.#behaviour = behaviourOf(settings)
    this.travels = new Travels(settings.clock.nowMs())
    this.#cmdSn = settings.prng.integer(1, 0x7fffffff)
    this.#giveUp = this.#giveUpLater()
    this.#watch = this.#watchLater()
  }

  /** 'ended' is final. */
  get phase(): State['kind'] {
    return this.#state.kind
  }

  /** Where the session is, or '' between two. */
  get address(): string {
    return this.#state.kind === 'serving' ? this.#state.address : ''
  }

  /** Commands of callers without an answer. */
  get underWay(): number {
    return this.#queue.size
  }

  read(lba: number, blocks: number, into: Uint8Array, observer?: CommandObserver): Promise<Answer> {
    const request = { cdb: readCdb(lba, blocks), read: into }
    return this.command(observer === undefined ? request : { ...request, observer })
  }

  /** `data` must not change before the answer, but by the observer before a transmission. */
  write(lba: number, data: Uint8Array, observer?: CommandObserver): Promise<Answer> {
    const request = { cdb: writeCdb(lba, data.length / this.blockBytes), write: data }
    return this.command(observer === undefined ? request : { ...request, observer })
  }

  /** READ CAPACITY(16); also sets `blockBytes`. */
  async readCapacity(): Promise<Capacity> {
    const data = new Uint8Array(capacityBytes)
    const answer = await this.command({ cdb: readCapacityCdb(), read: data })
    if (answer.kind !== 'answered' || answer.status !== scsiStatus.good) {
      throw new Error('the target does not tell its capacity')
    }
    const capacity = parseCapacity(data)
    this.blockBytes = capacity.blockBytes
    return capacity
  }

  /** Any command. The answer is a value whatever its status; the promise rejects only when the initiator ends. */
  command(request: CommandRequest): Promise<Answer> {
    return this.start(request).answer
  }

  /** The same, with something to abort it by. */
  start(request: CommandRequest): PendingCommand {
    const command = new PendingCommand(request, this.#queue.nextNumber())
    if (this.#state.kind === 'ended' || this.#closing) {
      command.fail(new Error(this.#state.kind === 'ended' ? this.#state.reason : 'closing'))
    } else if (this.#queue.size >= this.#behaviour.commandsMax) {
      command.fail(new Error(`more than ${this.#behaviour.commandsMax} commands under way`)) // R4
    } else {
      this.#queue.add(command)
      this.#pump()
    }
    return command
  }

  /** ABORT TASK. The response code (`taskManagementResponse`), or null: not sent or not answered, since there is no session. */
  abortTask(command: PendingCommand): Promise<number | null> {
    if (command.state === 'waiting') {
      this.#queue.finish(command)
      command.settle({ kind: 'aborted' })
      return Promise.resolve(0)
    }
    if (command.state === 'settled') return Promise.resolve(taskManagementResponse.noSuchTask)
    const lun = command.request.lun ?? 0
    return this.#manage(taskManagementFunction.abortTask, lun, command)
  }

  /** ABORT TASK SET: ends all commands of this initiator on the logical unit. */
  abortTaskSet(lun = 0): Promise<number | null> {
    return this.#manage(taskManagementFunction.abortTaskSet, lun, null)
  }

  /** LOGICAL UNIT RESET; ends all commands of this initiator on it, and those of others. */
  resetLogicalUnit(lun = 0): Promise<number | null> {
    return this.#manage(taskManagementFunction.logicalUnitReset, lun, null)
  }

  /** Logs out. Commands that are not answered fail. */
  close(): Promise<void> {
    const state = this.#state
    if (state.kind === 'ended') return Promise.resolve()
    const closed = new Promise<void>((resolve) => {
      this.#closed.push(resolve)
    })
    if (this.#closing) return closed
    this.#closing = true
    if (state.kind === 'serving') this.#logout(state, closeLimitMs)
    else this.#end('closed')
    return closed
  }

  /** Breaks the connection as a failing network would; it reconnects. For tests and demonstrations. */
  breakConnection(): void {
    if (this.#state.kind === 'serving') this.#state.session.wire.destroy('broken on purpose')
  }

  // What the session tells

  answered(command: PendingCommand, answer: Answer): void {
    const { clock } = this.#settings
    this.travels.answered(clock.nowMs())
    command.request.observer?.answered(answer, this.travels.logins)
    if (answer.kind === 'answered' && this.#triesAgain(command, answer)) return
    this.#queue.finish(command)
    command.settle(answer)
  }

  roomFor(session: ActiveSession): void {
    if (this.#state.kind === 'serving' && this.#state.session === session) this.#pump()
  }

  asked(message: AsyncMessage): void {
    this.travels.asyncMessages += 1
    const state = this.#state
    if (state.kind !== 'serving') return
    switch (message.event) {
      case asyncEvent.logoutRequested:
        state.moved = true
        this.#logout(state, logoutLimitMs)
        return
      case asyncEvent.connectionDrops:
      case asyncEvent.sessionDrops:
        state.moved = true
        state.time2Wait = message.parameter2
        return
      case asyncEvent.renegotiate:
        this.#logout(state, logoutLimitMs)
        return
      default:
        // Sense data of the logical unit: it comes again with a command.
        return
    }
  }

  loggedOut(): void {
    if (this.#state.kind === 'serving') this.#state.session.wire.destroy('logged out')
  }

  over(reason: string, isBreach: boolean): void {
    const state = this.#state
    if (state.kind !== 'serving') return
    const { clock } = this.#settings
    const unanswered = state.session.unanswered()
    this.#cmdSn = state.session.cmdSn
    this.#queue.again(unanswered) // R2
    if (isBreach) this.travels.breach ??= reason
    this.travels.lost(clock.nowMs(), state.moved, state.address, reason, unanswered.length)
    this.#logoutTimer?.cancel()
    if (this.#closing) {
      this.#end('closed')
      return
    }
    this.#giveUp = this.#giveUpLater()
    this.#failures = 0
    this.#dialLater(state.time2Wait * 1000)
  }

  // Sessions

  #dialLater(delayMs: number): void {
    const timer = this.#settings.clock.after(delayMs, () => this.#dial())
    this.#state = { kind: 'waiting', timer }
  }

  #dial(): void {
    const { net, clock, portal, isid, initiatorName, targetName, prng } = this.#settings
    // Linux goes on counting commands, libiscsi begins anywhere.
    if (isid.kind === 'random') this.#cmdSn = prng.integer(1, 0x7fffffff)
    const login = {
      initiatorName,
      targetName,
      isid: isid.kind === 'stable' ? isid.value : randomIsid(prng),
      cmdSn: this.#cmdSn,
      cid: 0,
      securityStage: this.#behaviour.securityStage,
      keys: keysOf(this.#settings),
    }
    const limitMs = this.#behaviour.loginLimitMs
    const settings = { net, clock, buffers: this.#buffers, portal, login, limitMs }
    const dial = new Dial(settings, (outcome) => this.#dialled(outcome))
    this.#state = { kind: 'dialling', dial }
  }

  #dialled(outcome: DialOutcome): void {
    if (outcome.kind === 'failed') {
      this.#dialFailed(outcome.status, outcome.reason)
      return
    }
    const { clock } = this.#settings
    const { wire, session: ready } = outcome
    const session = new ActiveSession(wire, ready, this, () => clock.nowMs())
    const address = formatAddress(outcome.address)
    const time2Wait = ready.parameters.defaultTime2Wait
    this.#state = { kind: 'serving', session, address, moved: false, time2Wait, pingedAtMs: 0 }
    this.#giveUp.cancel()
    this.travels.arrived(clock.nowMs(), address, outcome.redirects)
    this.#first?.resolve(this)
    this.#first = null
    this.#pump()
  }

  #dialFailed(status: number, reason: string): void {
    this.travels.loginFailures += 1
    this.travels.lastLoss = reason
    // An error of the initiator does not mend itself; but one that had a session comes back, as Linux and libiscsi do.
    const refused = status >= loginStatus.initiatorError && status < loginStatus.targetError
    if (refused && this.#first !== null) {
      this.#end(reason)
      return
    }
    const { retryFirstMs, retryMostMs } = this.#behaviour
    const delayMs = Math.min(retryMostMs, retryFirstMs * 2 ** this.#failures)
    this.#failures += 1
    this.#dialLater(delayMs * (0.75 + this.#settings.prng.unit() / 2))
  }

  #logout(state: Serving, limitMs: number): void {
    state.session.logout()
    this.#logoutTimer?.cancel()
    this.#logoutTimer = this.#settings.clock.after(limitMs, () =>
      state.session.wire.destroy('the Logout Request was not answered'),
    )
  }

  #end(reason: string): void {
    const state = this.#state
    if (state.kind === 'ended') return
    this.#state = { kind: 'ended', reason }
    if (state.kind === 'dialling') state.dial?.abandon()
    if (state.kind === 'waiting') state.timer.cancel()
    this.#giveUp.cancel()
    this.#watch.cancel()
    this.#logoutTimer?.cancel()
    const error = new Error(reason)
    for (const command of this.#queue.takeAll()) command.fail(error)
    this.#first?.reject(error)
    this.#first = null
    for (const closed of this.#closed) closed()
    this.#closed = []
  }

  #giveUpLater(): Timer {
    const { giveUpMs } = this.#behaviour
    return this.#settings.clock.after(giveUpMs, () => {
      this.#end(`no session for ${giveUpMs} ms: ${this.travels.lastLoss}`)
    })
  }

  #watchLater(): Timer {
    const { pingIdleMs, pingLimitMs } = this.#behaviour
    return this.#settings.clock.after(Math.min(pingIdleMs, pingLimitMs, 1000) / 2, () => {
      if (this.#state.kind === 'serving') this.#watchOver(this.#state)
      if (this.#state.kind !== 'ended') this.#watch = this.#watchLater()
    })
  }

  #watchOver(state: Serving): void {
    const { pingIdleMs, pingLimitMs, commandLimitMs } = this.#behaviour
    const { session } = state
    const nowMs = this.#settings.clock.nowMs()
    const heardMs = session.lastReceivedMs
    if (session.isPinging) {
      const silentMs = nowMs - Math.max(heardMs, state.pingedAtMs)
      if (silentMs > pingLimitMs) session.wire.destroy('no answer to a NOP-Out')
      return
    }
    const oldest = commandLimitMs > 0 ? session.oldestSentMs : nowMs
    if (nowMs - oldest > commandLimitMs && commandLimitMs > 0) {
      session.wire.destroy('a command was not answered')
    } else if (nowMs - heardMs > pingIdleMs) {
      state.pingedAtMs = nowMs
      session.ping()
    }
  }

  // Commands

  #pump(): void {
    const state = this.#state
    if (state.kind !== 'serving') return
    const { session } = state
    const { queueDepth } = this.#behaviour
    while (session.hasRoom && session.outstanding < queueDepth) {
      const command = this.#queue.takeNext()
      if (command === null) return
      if (command.transmissions > command.retries) this.travels.resent += 1
      command.transmissions += 1
      command.state = 'sent'
      command.sentAtMs = this.#settings.clock.nowMs()
      command.receivedBytes = 0
      command.dataSn = 0
      command.burstEnd = 0
      command.request.observer?.sending(this.travels.logins)
      session.send(command)
    }
  }

  #triesAgain(command: PendingCommand, answer: Answer & { readonly kind: 'answered' }): boolean {
    const { status, sense } = answer
    const busy = status === scsiStatus.busy || status === scsiStatus.taskSetFull
    const attention = status === scsiStatus.checkCondition && isUnitAttention(sense)
    if (attention) this.travels.unitAttentions += 1
    if (!busy && !attention) return false
    if (command.request.once === true || command.retries >= retriesMax || this.#closing)
      return false
    command.retries += 1
    command.state = 'waiting'
    if (attention) {
      this.#queue.later(command)
      this.#pump()
      return true
    }
    this.travels.busyRetries += 1
    const delayMs = Math.min(busyMostMs, busyFirstMs * 4 ** (command.retries - 1))
    this.#settings.clock.after(delayMs * (0.5 + this.#settings.prng.unit()), () => {
      if (command.state !== 'waiting') return
      this.#queue.later(command)
      this.#pump()
    })
    return true
  }

  #manage(code: number, lun: number, task: PendingCommand | null): Promise<number | null> {
    const state = this.#state
    if (state.kind !== 'serving') return Promise.resolve(null)
    return new Promise((resolve) => {
      state.session.manage({ function: code, lun, task }, resolve)
    })
  }
}
