// For tests of the initiator: a small target with a disk in memory, on the product's own half of the protocol, that does
// what a test tells it to.

import { Budget } from '../src/base/budget.ts'
import { BufferPool } from '../src/base/buffer-pool.ts'
import { readU16, readU32, writeU32 } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import type { Address, Listener, Net, Stream, StreamOwner } from '../src/base/net.ts'
import { Framer, type Pdu } from '../src/iscsi/framer.ts'
import {
  LoginNegotiation,
  type LoginRequest,
  type LoginStep,
} from '../src/iscsi/login-negotiation.ts'
import { type KeySettings, targetSettings } from '../src/iscsi/negotiate.ts'
import { Outbox } from '../src/iscsi/outbox.ts'
import { printTargets } from '../src/iscsi/send-targets.ts'
import { Session, type SessionAction } from '../src/iscsi/session.ts'
import type { Task } from '../src/iscsi/task.ts'

export type LoginVerdict =
  | { readonly kind: 'admit' }
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'reject'; readonly status: number }
  | { readonly kind: 'silence' }

export type CommandVerdict =
  | { readonly kind: 'run' }
  /** Unanswered until `release`. */
  | { readonly kind: 'hold' }
  /** Executed, not answered. */
  | { readonly kind: 'runUnanswered' }
  | { readonly kind: 'status'; readonly status: number; readonly sense?: Uint8Array }

export interface Seen {
  readonly connection: number
  readonly cmdSn: number
  readonly tag: number
  readonly operation: number
  readonly lba: number
}

const blockBytes = 512
const wide = new Budget({ total: 2 ** 30, each: 2 ** 30, least: 0 })

export class ScriptedTarget {
  readonly disk = new Uint8Array(4 * 1024 * 1024)
  readonly logins: LoginRequest[] = []
  readonly seen: Seen[] = []
  readonly connections: TargetConnection[] = []
  keys: KeySettings = targetSettings
  listing = [{ name: 'iqn.2026-11.dev.evenkeel:test', addresses: ['b:3260'] }]
  login: (request: LoginRequest) => LoginVerdict = () => ({ kind: 'admit' })
  command: (task: Task, lba: number) => CommandVerdict = () => ({ kind: 'run' })
  readonly clock: Clock

  constructor(clock: Clock) {
    this.clock = clock
  }

  listen(net: Net, address: Address): Promise<Listener> {
    return net.listen(address, (stream) => {
      this.connections.push(new TargetConnection(this, stream, this.connections.length))
    })
  }

  get last(): TargetConnection {
    const last = this.connections.at(-1)
    if (last === undefined) throw new Error('nobody has connected')
    return last
  }

  /** How many connections are open. */
  get open(): number {
    return this.connections.filter((connection) => !connection.isClosed).length
  }
}

export class TargetConnection implements StreamOwner {
  readonly stream: Stream
  readonly held: Task[] = []
  session: Session | null = null
  isClosed = false
  ended_ = false
  loggedOut = false
  nopOut: (transferTag: number) => void = () => {}
  readonly #target: ScriptedTarget
  readonly #number: number
  readonly #outbox: Outbox
  readonly #pool = new BufferPool(1 << 20)
  readonly #login: LoginNegotiation
  readonly #framer = new Framer({ maxDataBytes: 0xffffff, maxAhsBytes: 0 })
  readonly #parts: Uint8Array[] = []

  constructor(target: ScriptedTarget, stream: Stream, number: number) {
    this.#target = target
    this.stream = stream
    this.#number = number
    this.#outbox = new Outbox(this.#pool)
    this.#login = new LoginNegotiation({ targetPortalGroupTag: 1, keys: target.keys }, this.#outbox)
    stream.own(this)
  }

  received(bytes: Uint8Array): void {
    this.#framer.push(bytes)
    for (let pdu = this.#framer.next(); pdu !== null; pdu = this.#framer.next()) this.#receive(pdu)
    this.flush()
  }

  ended(): void {
    this.ended_ = true
    this.stream.end()
  }

  written(): void {
    const part = this.#parts.shift()
    if (part !== undefined) this.#outbox.released(part)
  }

  closed(): void {
    this.isClosed = true
    this.session?.close()
  }

  flush(): void {
    for (const part of this.#outbox.take()) {
      this.#parts.push(part)
      this.stream.write(part)
    }
  }

  /** The full feature phase of this connection. */
  get iscsi(): Session {
    if (this.session === null) throw new Error('not logged in')
    return this.session
  }

  /** Answers what was held. */
  release(): void {
    for (const task of this.held.splice(0)) this.#execute(task, true)
    this.flush()
  }

  #receive(pdu: Pdu): void {
    if (this.session === null) {
      this.#follow(this.#login.receive(pdu))
      return
    }
    this.session.receive(pdu, this.#target.clock.nowMs())
    this.#act()
  }

  #follow(step: LoginStep): void {
    switch (step.kind) {
      case 'ask': {
        this.#target.logins.push(step.request)
        const verdict = this.#target.login(step.request)
        if (verdict.kind === 'admit') this.#follow(this.#login.admit())
        else if (verdict.kind === 'redirect') this.#login.redirect(verdict.to)
        else if (verdict.kind === 'reject') this.#login.reject(verdict.status)
        return
      }
      case 'ready': {
        this.#login.respond(this.#number + 1)
        const { cid, expCmdSn, statSn } = this.#login
        const { parameters } = step
        this.#framer.headerDigest = parameters.headerDigest
        this.#framer.dataDigest = parameters.dataDigest
        const [outbox, buffers] = [this.#outbox, this.#pool]
        const room = { asked: wide.share(), unasked: wide.share() }
        this.session = new Session({ parameters, cid, expCmdSn, statSn, outbox, buffers, room })
        return
      }
      default:
        this.#login.respond(0)
    }
  }

  #act(): void {
    const session = this.iscsi
    for (let i = 0; i < session.actions.length; i++) {
      const action = session.actions[i]
      if (action !== undefined) this.#do(session, action)
    }
    session.clearActions()
  }

  #do(session: Session, action: SessionAction): void {
    switch (action.kind) {
      case 'command':
        this.#command(session, action.task)
        return
      case 'data':
        this.#decide(action.task)
        return
      case 'taskManagement': {
        const { request } = action
        for (const task of this.held.splice(0)) {
          const meant =
            request.function === 5 || task.initiatorTaskTag === request.referencedTaskTag
          if (!meant) {
            this.held.push(task)
            continue
          }
          session.abort(task)
          session.release(task)
        }
        session.respondToTaskManagement(request, 0)
        return
      }
      case 'logout':
        this.loggedOut = session.respondToLogout(action.request)
        return
      case 'text':
        session.respondToKeys(action.request, () => printTargets(this.#target.listing, 1))
        return
      case 'nopOut':
        this.nopOut(action.transferTag)
        return
      case 'close':
        throw new Error(action.reason)
    }
  }

  #command(session: Session, task: Task): void {
    const { cmdSn, initiatorTaskTag: tag } = task
    const lba = lbaOf(task.cdb)
    const operation = task.cdb[0] ?? 0
    this.#target.seen.push({ connection: this.#number, cmdSn, tag, operation, lba })
    if (task.isWrite) session.solicit(task, task.expectedDataTransferLength)
    else this.#decide(task)
  }

  #decide(task: Task): void {
    if (task.dataError !== 'none') throw new Error(`bad data: ${task.dataError}`)
    const verdict = this.#target.command(task, lbaOf(task.cdb))
    if (verdict.kind === 'run') this.#execute(task, true)
    else if (verdict.kind === 'hold') this.held.push(task)
    else if (verdict.kind === 'runUnanswered') this.#execute(task, false)
    else this.iscsi.respond(task, verdict.status, verdict.sense ?? null, 0)
  }

  #execute(task: Task, answering: boolean): void {
    const { disk } = this.#target
    const { cdb } = task
    const at = lbaOf(cdb) * blockBytes
    const bytes = blocksOf(cdb) * blockBytes
    const operation = cdb[0] ?? 0
    if (operation === 0x2a || operation === 0x8a) {
      disk.set(task.data.subarray(0, bytes), at)
      if (answering) this.iscsi.respond(task, 0, null, bytes)
    } else if (operation === 0x28 || operation === 0x88) {
      if (answering) this.#send(task, disk.subarray(at, at + bytes))
    } else if (operation === 0x9e) {
      const data = new Uint8Array(32)
      writeU32(data, 4, disk.length / blockBytes - 1)
      writeU32(data, 8, blockBytes)
      this.#send(task, data)
    } else this.iscsi.respond(task, 0, null, 0)
  }

  #send(task: Task, data: Uint8Array): void {
    const payloads: Uint8Array[] = []
    this.iscsi.reserveDataIn(task, data.length, payloads)
    let from = 0
    for (const payload of payloads) {
      payload.set(data.subarray(from, from + payload.length))
      from += payload.length
    }
    this.iscsi.finishDataIn(task, data.length)
  }
}

function lbaOf(cdb: Uint8Array): number {
  return cdb[0] === 0x88 || cdb[0] === 0x8a ? readU32(cdb, 6) : readU32(cdb, 2)
}

function blocksOf(cdb: Uint8Array): number {
  return cdb[0] === 0x88 || cdb[0] === 0x8a ? readU32(cdb, 10) : readU16(cdb, 7)
}
