// A session under random use, against a plain model of what the initiator and the consumer know.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readU32 } from '../base/bytes.ts'
import { opcode } from './pdu.ts'
import { after, ahead } from './serial.ts'
import type { SessionAction } from './session.ts'
import type { Task } from './task.ts'
import {
  commandBytes,
  concat,
  managementBytes,
  pduBytes,
  type SeenPdu,
  Wire,
} from './wire.fixture.ts'

/** The tag of all requests that must be ignored, and of those that are not commands. */
const strayTag = 0x7000_0000
const managementTag = 0x5000_0000

class Model {
  readonly wire: Wire
  /** What must come out next, in order: the tags of commands, and `managementTag`. */
  #due: number[] = []
  #held = false
  #silent = false
  /** Commands that came out and that the consumer still works on. */
  readonly #working: Task[] = []
  /** How each command that was taken ended. */
  readonly #ends = new Map<number, 'open' | 'answered' | 'aborted' | 'discarded'>()
  #nextTag = 1
  #cmdSn: number
  #maxCmdSn: number
  #statSn = 2

  readonly steps: Readonly<Record<string, (pick: number) => void>> = {
    read: () => this.#sendCommands(['read']),
    write: () => this.#sendCommands(['write']),
    swapped: () => this.#sendCommands(['read', 'write']),
    answer: (pick) => this.#answer(pick),
    answerMore: (pick) => this.#answer(pick),
    outside: (pick) => this.#sendStray(after(this.#maxCmdSn, 1 + pick)),
    again: (pick) => this.#sendStray(after(this.#cmdSn, -1 - pick)),
    ping: () => this.#ping(),
    manage: () => this.#manage(),
    abort: (pick) => this.#abort(pick),
    freeze: () => this.wire.session.window.freeze(),
    reopen: () => {
      this.wire.session.reopen()
      this.#see(this.wire.seen())
    },
    hold: () => {
      this.wire.session.hold()
      this.#held = true
    },
    release: () => this.#release(),
    discard: () => this.#discard(),
    tick: () => {
      this.wire.nowMs += 4000
      this.wire.session.tick(this.wire.nowMs)
    },
    silence: (pick) => {
      if (pick > 5) return
      this.wire.session.silence()
      this.#silent = true
    },
  }

  constructor(start: number) {
    this.wire = new Wire({}, start)
    this.#cmdSn = start
    this.#maxCmdSn = this.wire.session.window.maxCmdSn
  }

  /** S2: with nothing left to do, every command that was taken has exactly one end. */
  finish(): void {
    this.#release()
    while (this.#working.length > 0) this.#answer(0)
    if (this.#silent) return
    expect([...this.#ends.values()]).not.toContain('open')
    expect(this.wire.session.outstanding).toBe(0)
  }

  #sendCommands(directions: readonly ('read' | 'write')[]): void {
    if (ahead(this.#cmdSn, this.#maxCmdSn) < directions.length - 1) return
    const commands = directions.map((direction) => {
      const tag = this.#nextTag
      const cmdSn = this.#cmdSn
      this.#nextTag += 1
      this.#cmdSn = after(cmdSn)
      if (!this.#silent) {
        this.#due.push(tag)
        this.#ends.set(tag, 'open')
      }
      const data = new Uint8Array(direction === 'write' ? 64 : 0).fill(tag)
      return commandBytes({ tag, cmdSn, direction, bytes: 64, data, expStatSn: this.#statSn })
    })
    this.#send(concat(commands.reverse()))
  }

  #sendStray(cmdSn: number): void {
    this.#send(commandBytes({ tag: strayTag, cmdSn }))
    expect(this.wire.outbox.waitingBytes).toBe(0)
  }

  #ping(): void {
    const fields = { 16: strayTag, 20: 0xffffffff, 24: this.#cmdSn }
    this.#send(pduBytes(opcode.nopOut | 0x40, 0x80, fields))
    const seen = this.wire.seen()
    expect(seen.map((pdu) => pdu.opcode)).toEqual(this.#silent ? [] : [opcode.nopIn])
    this.#see(seen)
  }

  #manage(): void {
    if (!this.#silent) this.#due.push(managementTag)
    this.#send(managementBytes({ tag: managementTag, cmdSn: this.#cmdSn, function: 5 }))
  }

  #abort(pick: number): void {
    const task = this.#working[pick % Math.max(1, this.#working.length)]
    if (task === undefined || task.state === 'aborted') return
    this.wire.session.abort(task)
    this.#ends.set(task.initiatorTaskTag, 'aborted')
  }

  #release(): void {
    this.wire.session.releaseHeld()
    this.#held = false
    this.#take(this.wire.actions())
  }

  #discard(): void {
    const dropped = this.#held ? this.#due : []
    expect(this.wire.session.discardHeld()).toBe(dropped.length)
    for (const tag of dropped) if (tag !== managementTag) this.#ends.set(tag, 'discarded')
    this.#due = []
  }

  #answer(pick: number): void {
    const [task] = this.#working.splice(pick % Math.max(1, this.#working.length), 1)
    if (task === undefined) return
    const isAnswered = task.state !== 'aborted' && !this.#silent
    if (isAnswered) this.#ends.set(task.initiatorTaskTag, 'answered')
    const { session } = this.wire
    if (task.isRead && pick % 2 === 0) {
      session.reserveDataIn(task, 64, [])
      session.finishDataIn(task, 64)
    } else session.respond(task, 0, null, 64)
    const seen = this.wire.seen()
    expect(seen.length).toBe(isAnswered ? 1 : 0)
    this.#see(seen)
  }

  /** S5: while held nothing comes out; else all that is due (S1). */
  #send(bytes: Uint8Array): void {
    const actions = this.wire.send(bytes)
    if (this.#held) expect(actions).toEqual([])
    else this.#take(actions)
  }

  /** S1. */
  #take(actions: readonly SessionAction[]): void {
    const got = actions.map((action) =>
      action.kind === 'command' ? action.task.initiatorTaskTag : managementTag,
    )
    expect(got).toEqual(this.#due)
    this.#due = []
    for (const action of actions) {
      if (action.kind === 'taskManagement') {
        this.wire.session.respondToTaskManagement(action.request, 0)
      } else if (action.kind === 'command') {
        const { task } = action
        if (task.isWrite) expect(task.data).toEqual(new Uint8Array(64).fill(task.initiatorTaskTag))
        this.#working.push(task)
      }
    }
    const managed = actions.filter(({ kind }) => kind === 'taskManagement').length
    if (managed === 0) return
    const seen = this.wire.seen()
    expect(seen.length).toBe(this.#silent ? 0 : managed)
    this.#see(seen)
  }

  /** S4, A1 and S3 hold of all that is sent. */
  #see(pdus: readonly SeenPdu[]): void {
    if (this.#silent) expect(pdus).toEqual([])
    for (const { header, opcode: code } of pdus) {
      expect(readU32(header, 24)).toBe(this.#statSn)
      const isOurPing = code === opcode.nopIn && readU32(header, 16) === 0xffffffff
      if (!isOurPing) this.#statSn = after(this.#statSn)
      const maxCmdSn = readU32(header, 32)
      expect(ahead(this.#maxCmdSn, maxCmdSn)).toBeGreaterThanOrEqual(0)
      this.#maxCmdSn = maxCmdSn
      expect(readU32(header, 28)).toBe(this.#cmdSn)
    }
  }
}

interface OddPdu {
  readonly first: number
  readonly flags: number
  readonly tag: number
  readonly cmdSn: number
  readonly mutations: readonly (readonly [number, number])[]
  readonly data: Uint8Array
  readonly ahs: Uint8Array
}

/** Well-formed enough to be cut out of the stream, and wrong in any other way. */
function oddBytes({ first, flags, tag, cmdSn, mutations, data, ahs }: OddPdu): Uint8Array {
  const fields = { 16: tag, 20: flags % 2 === 1 ? 0xffffffff : 1, 24: cmdSn }
  const bytes = pduBytes(first, flags, fields, data)
  for (const [at, byte] of mutations) if (at < 4 || at > 7) bytes[at] = byte
  bytes[4] = ahs.length / 4
  return concat([bytes.subarray(0, 48), ahs, bytes.subarray(48)])
}

function carryOut(wire: Wire, action: SessionAction): void {
  if (action.kind === 'command') wire.session.solicit(action.task, 400)
  else if (action.kind === 'text') wire.session.respondToText(action.request, new Uint8Array(1000))
  else if (action.kind === 'data') wire.session.respond(action.task, 0, null, 0)
}

describe('Session under random use', () => {
  it('S1 S2 S3 S4 S5 A1 hold', () => {
    const names = Object.keys(new Model(0).steps)
    const step = fc.tuple(fc.constantFrom(...names, 'read', 'read', 'write'), fc.nat(100))
    const start = fc.oneof(fc.constant(0xfffffff0), fc.nat(1000))
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 150, size: 'max' }), (first, list) => {
        const model = new Model(first)
        for (const [name, pick] of list) model.steps[name]?.(pick)
        model.finish()
      }),
      { numRuns: 200 },
    )
  })

  it('S7 any PDUs of a logged-in initiator end in actions, never in an exception', () => {
    const pdu = fc.record({
      first: fc.constantFrom(0, 1, 2, 4, 5, 6, 0x10, 0x40, 0x41, 0x42, 0x44, 0x46, 0x1f, 0x20, 3),
      flags: fc.nat(255),
      tag: fc.nat(4),
      cmdSn: fc.integer({ min: 98, max: 120 }),
      mutations: fc.array(fc.tuple(fc.nat(47), fc.nat(255)), { maxLength: 2 }),
      data: fc.uint8Array({ maxLength: 600 }),
      ahs: fc.uint8Array({ maxLength: 24 }).filter((bytes) => bytes.length % 4 === 0),
    })
    fc.assert(
      fc.property(fc.array(pdu, { maxLength: 30 }), (pdus) => {
        const wire = new Wire({ firstBurstLength: 512, maxSendDataSegmentLength: 512 })
        for (const odd of pdus) {
          for (const action of wire.send(oddBytes(odd))) carryOut(wire, action)
          for (const action of wire.actions()) carryOut(wire, action)
          wire.seen()
        }
        wire.session.close()
        expect(wire.session.outstanding).toBeLessThanOrEqual(32)
      }),
      { numRuns: 300 },
    )
  })
})
