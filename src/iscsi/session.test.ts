import { describe, expect, it } from 'vitest'
import { readU32 } from '../base/bytes.ts'
import { decodeText } from '../base/text.ts'
import { opcode, rejectReason, reservedTag } from './pdu.ts'
import {
  commandBytes,
  dataOutBytes,
  isWhole,
  managementBytes,
  pduBytes,
  type SeenPdu,
  tagsIn,
  tasksIn,
  Wire,
} from './wire.fixture.ts'

const good = 0

function read(tag: number, cmdSn: number, bytes = 4096): Uint8Array {
  return commandBytes({ tag, cmdSn, direction: 'read', bytes })
}

function ping(tag: number, cmdSn: number, data: Uint8Array, immediate: boolean): Uint8Array {
  const fields = { 16: tag, 20: reservedTag, 24: cmdSn }
  return pduBytes(opcode.nopOut | (immediate ? 0x40 : 0), 0x80, fields, data)
}

function logout(tag: number, cmdSn: number): Uint8Array {
  return pduBytes(opcode.logoutRequest | 0x40, 0x80, { 16: tag, 24: cmdSn })
}

function tagOf(pdu: SeenPdu): number {
  return readU32(pdu.header, 16)
}

describe('Session', () => {
  it('S1 commands reach the consumer in CmdSN order, each exactly once', () => {
    const wire = new Wire()
    expect(tagsIn(wire.send(read(2, 101), read(3, 102)))).toEqual([])
    expect(wire.session.outstanding).toBe(2)
    expect(tagsIn(wire.send(read(1, 100)))).toEqual([1, 2, 3])
    expect(wire.session.expCmdSn).toBe(103)
    expect(tagsIn(wire.send(read(4, 100), read(5, 102)))).toEqual([])
    expect(wire.outbox.waitingBytes).toBe(0)
  })

  it('S1 silently ignores a CmdSN outside the window, at both ends (§4.2.2.1)', () => {
    const wire = new Wire()
    expect(wire.session.window.maxCmdSn).toBe(107)
    expect(tagsIn(wire.send(read(1, 99), read(2, 108)))).toEqual([])
    expect(tagsIn(wire.send(read(3, 107)))).toEqual([])
    expect(wire.session.outstanding).toBe(1)
    expect(wire.outbox.waitingBytes).toBe(0)
  })

  it('S1 immediate commands come at once and do not advance CmdSN', () => {
    const wire = new Wire()
    const bytes = commandBytes({ tag: 9, cmdSn: 100, immediate: true })
    const [task] = tasksIn(wire.send(bytes))
    expect(task?.immediate).toBe(true)
    expect(wire.session.expCmdSn).toBe(100)
    wire.session.respond(task!, good, null, 0)
    const [response] = wire.seen()
    expect(readU32(response!.header, 28)).toBe(100)
  })

  it('S2 responses carry StatSN, ExpCmdSN, MaxCmdSN, status and sense (§11.4)', () => {
    const wire = new Wire()
    const [first, second] = tasksIn(wire.send(read(1, 100, 0), read(2, 101, 512)))
    wire.session.respond(second!, 2, Uint8Array.of(0x70, 0, 5), 0)
    wire.session.respond(first!, good, null, 0)
    const [failed, fine] = wire.seen()
    expect([failed!.opcode, tagOf(failed!), failed!.header[3]]).toEqual([0x21, 2, 2])
    expect([...failed!.data]).toEqual([0, 3, 0x70, 0, 5])
    expect(failed!.flags).toBe(0x82)
    expect(readU32(failed!.header, 44)).toBe(512)
    expect([24, 28, 32].map((at) => readU32(failed!.header, at))).toEqual([2, 102, 108])
    expect([24, 28, 32].map((at) => readU32(fine!.header, at))).toEqual([3, 102, 109])
    expect(fine!.flags).toBe(0x80)
    expect(wire.session.outstanding).toBe(0)
  })

  it.each([
    [4096, 8192, 0x84, 4096],
    [8192, 4096, 0x82, 4096],
    [4096, 4096, 0x80, 0],
  ])('residuals: expected %i, CDB %i (§11.4.5)', (expected, cdb, flags, residual) => {
    const wire = new Wire()
    const write = commandBytes({ tag: 1, cmdSn: 100, direction: 'write', bytes: expected })
    const [task] = tasksIn(wire.send(write))
    wire.session.respond(task!, good, null, cdb)
    const [response] = wire.seen()
    expect([response!.flags, readU32(response!.header, 44)]).toEqual([flags, residual])
  })

  it('S2 a task gets one response: a second is a broken invariant', () => {
    const wire = new Wire()
    const [task] = tasksIn(wire.send(read(1, 100)))
    wire.session.respond(task!, good, null, 0)
    expect(() => wire.session.respond(task!, good, null, 0)).toThrow(/S2/)
  })

  it('S2 an aborted task is never answered, and its buffer is kept until the consumer is done', () => {
    const wire = new Wire()
    const data = new Uint8Array(4096).fill(5)
    const write = commandBytes({ tag: 1, cmdSn: 100, direction: 'write', bytes: 4096, data })
    const [task] = tasksIn(wire.send(write))
    const view = task!.data
    wire.session.abort(task!)
    expect([task!.state, wire.session.findTask(1), wire.session.outstanding]).toEqual([
      'aborted',
      null,
      0,
    ])
    expect(wire.buffers.freeBytes).toBe(0)
    const [reused] = tasksIn(
      wire.send(
        commandBytes({
          tag: 1,
          cmdSn: 101,
          direction: 'write',
          bytes: 4096,
          data: data.map(() => 6),
        }),
      ),
    )
    expect(reused).not.toBe(task)
    expect(view).toEqual(data)
    wire.session.respond(task!, good, null, 0)
    expect(wire.buffers.freeBytes).toBe(4096)
    expect(wire.seen()).toEqual([])
  })

  it('S2 a task that nobody works on is gone at once when it is aborted', () => {
    const wire = new Wire()
    const write = commandBytes({ tag: 1, cmdSn: 100, direction: 'write', bytes: 4096 })
    const [task] = tasksIn(wire.send(write))
    wire.session.solicit(task!, 4096)
    expect(wire.seen().map((pdu) => pdu.opcode)).toEqual([opcode.r2t])
    wire.session.abort(task!)
    expect(task!.state).toBe('free')
    const late = dataOutBytes({
      tag: 1,
      transferTag: 1,
      dataSn: 0,
      offset: 0,
      data: new Uint8Array(4096),
      final: true,
    })
    expect(wire.send(late)).toEqual([])
    expect(wire.outbox.waitingBytes).toBe(0)
  })

  it('S1 an aborted command that waits for its turn still counts', () => {
    const wire = new Wire()
    wire.send(read(2, 101), read(3, 102))
    wire.session.abort(wire.session.findTask(2)!)
    expect(tagsIn(wire.send(read(1, 100)))).toEqual([1, 3])
    expect(wire.session.expCmdSn).toBe(103)
  })

  it('S3 a frozen window is used up and stays; reopened, the initiator is told', () => {
    const wire = new Wire()
    wire.session.window.freeze()
    const tasks = tasksIn(wire.send(...Array.from({ length: 8 }, (_, i) => read(i, 100 + i))))
    expect(tasks.length).toBe(8)
    expect(wire.session.window.usedUp).toBe(true)
    for (const task of tasks) wire.session.respond(task, good, null, 0)
    expect(wire.seen().map((pdu) => readU32(pdu.header, 32))).toEqual(new Array(8).fill(107))
    expect(tagsIn(wire.send(read(9, 108)))).toEqual([])
    wire.session.reopen()
    const [told] = wire.seen()
    expect([told!.opcode, tagOf(told!), readU32(told!.header, 20)]).toEqual([
      0x20,
      reservedTag,
      reservedTag,
    ])
    expect(readU32(told!.header, 32)).toBe(123)
    // A NOP-In of our own does not count (§11.19.2).
    expect(readU32(told!.header, 24)).toBe(wire.session.statSn)
  })

  it('S4 after silence nothing is read or written, and late responses only free', () => {
    const wire = new Wire()
    const tasks = tasksIn(wire.send(read(1, 100), read(2, 101), read(3, 102)))
    wire.session.reserveDataIn(tasks[2]!, 4096, [])
    wire.session.silence()
    expect(wire.send(read(4, 103), ping(5, 103, new Uint8Array(4), true))).toEqual([])
    wire.session.respond(tasks[0]!, good, null, 0)
    wire.session.finishDataIn(tasks[1]!, 100_000)
    wire.session.finishDataIn(tasks[2]!, 4096)
    wire.session.asyncMessage(3, 0, 0, 0)
    wire.session.probe(1)
    wire.session.reopen()
    expect(wire.outbox.waitingBytes).toBe(0)
    expect(wire.outbox.take()).toEqual([])
    expect(tasks.map((task) => task.state)).toEqual(['free', 'free', 'free'])
  })

  it('S4 a session whose connection is gone keeps only what the consumer works on', () => {
    const wire = new Wire()
    const write = commandBytes({ tag: 2, cmdSn: 101, direction: 'write', bytes: 4096 })
    const [working, collecting] = tasksIn(wire.send(read(1, 100), write))
    wire.session.solicit(collecting!, 4096)
    wire.session.close()
    expect([working!.state, collecting!.state]).toEqual(['aborted', 'free'])
    wire.session.release(working!)
    expect(working!.state).toBe('free')
  })

  it('S5 while held, commands and task management are kept and NOP-Outs answered', () => {
    const wire = new Wire()
    const [before] = tasksIn(wire.send(read(1, 100)))
    wire.session.hold()
    const abort = managementBytes({ tag: 7, cmdSn: 102, function: 1, referencedTaskTag: 2 })
    expect(wire.send(read(2, 101), abort, ping(8, 102, Uint8Array.of(1, 2), true))).toEqual([])
    expect(wire.seen().map((pdu) => [pdu.opcode, tagOf(pdu)])).toEqual([[0x20, 8]])
    expect(wire.session.outstanding).toBe(1)
    wire.session.respond(before!, good, null, 0)
    expect(wire.session.outstanding).toBe(0)
    wire.session.releaseHeld()
    const actions = wire.actions()
    expect(actions.map((action) => action.kind)).toEqual(['command', 'taskManagement'])
    expect(wire.session.outstanding).toBe(2)
    expect(tagsIn(wire.send(read(3, 102)))).toEqual([3])
  })

  it('S5 what was held is discarded unanswered, and what comes later too', () => {
    const wire = new Wire()
    wire.session.hold()
    const abort = managementBytes({ tag: 7, cmdSn: 101, function: 1, referencedTaskTag: 1 })
    wire.send(read(1, 100), abort)
    expect(wire.session.discardHeld()).toBe(2)
    wire.send(read(2, 101))
    expect(wire.session.discardHeld()).toBe(1)
    expect(wire.session.outstanding).toBe(0)
    wire.session.releaseHeld()
    expect(wire.actions()).toEqual([])
    expect(wire.outbox.waitingBytes).toBe(0)
  })

  it('S5 a Logout is delivered though held, and what was kept before it is gone', () => {
    const wire = new Wire()
    wire.session.hold()
    wire.send(read(1, 100))
    expect(wire.send(logout(9, 101)).map(({ kind }) => kind)).toEqual(['logout'])
    wire.session.releaseHeld()
    expect(wire.actions()).toEqual([])
    expect(wire.session.outstanding).toBe(0)
  })

  it('S5 a held write gathers its unsolicited data meanwhile', () => {
    const wire = new Wire()
    wire.session.hold()
    wire.send(
      commandBytes({ tag: 1, cmdSn: 100, direction: 'write', bytes: 8, more: true }),
      dataOutBytes({ tag: 1, dataSn: 0, offset: 0, data: new Uint8Array(8).fill(4), final: true }),
    )
    wire.session.releaseHeld()
    const [task] = tasksIn(wire.actions())
    expect([isWhole(task!), ...task!.data]).toEqual([true, 4, 4, 4, 4, 4, 4, 4, 4])
  })

  it('answers NOP-Outs with their data, also when frozen, and hands out the answers to its own', () => {
    const wire = new Wire({ maxSendDataSegmentLength: 512 })
    wire.session.window.freeze()
    expect(wire.send(ping(5, 100, new Uint8Array(700).fill(3), false))).toEqual([])
    const [pong] = wire.seen()
    expect([pong!.opcode, pong!.flags, tagOf(pong!)]).toEqual([0x20, 0x80, 5])
    expect(pong!.data).toEqual(new Uint8Array(512).fill(3))
    expect([20, 24, 28].map((at) => readU32(pong!.header, at))).toEqual([reservedTag, 2, 101])
    wire.session.probe(77)
    const [probe] = wire.seen()
    expect([16, 20, 24].map((at) => readU32(probe!.header, at))).toEqual([reservedTag, 77, 3])
    const answer = pduBytes(opcode.nopOut | 0x40, 0x80, { 16: reservedTag, 20: 77, 24: 101 })
    expect(wire.send(answer)).toEqual([{ kind: 'nopOut', cmdSn: 101, transferTag: 77 }])
    expect(wire.outbox.waitingBytes).toBe(0)
  })

  it('hands out task management and answers it (§11.5, §11.6)', () => {
    const wire = new Wire()
    wire.send(read(1, 100))
    const shape = { tag: 6, cmdSn: 101, function: 1, referencedTaskTag: 1, refCmdSn: 100 }
    const [action] = wire.send(managementBytes(shape))
    if (action?.kind !== 'taskManagement') throw new Error('task management comes out')
    expect(action.request).toEqual({
      initiatorTaskTag: 6,
      cmdSn: 101,
      immediate: true,
      function: 1,
      lun: 0,
      referencedTaskTag: 1,
      refCmdSn: 100,
    })
    expect(wire.session.outstanding).toBe(2)
    wire.session.abort(wire.session.tasksOf(0)[0]!)
    wire.session.respondToTaskManagement(action.request, 0)
    const [response] = wire.seen()
    expect([response!.opcode, tagOf(response!), response!.header[2]]).toEqual([0x22, 6, 0])
    expect(wire.session.outstanding).toBe(0)
  })

  it('S1 an abort that overtakes its command makes that CmdSN count as received (§11.5.1)', () => {
    const wire = new Wire()
    const shape = { tag: 6, cmdSn: 102, function: 1, referencedTaskTag: 1, refCmdSn: 101 }
    const [action] = wire.send(managementBytes(shape))
    if (action?.kind !== 'taskManagement') throw new Error('task management comes out')
    expect(wire.session.abortUnreceived(action.request)).toBe(true)
    expect(wire.session.abortUnreceived(action.request)).toBe(false)
    expect(wire.session.abortUnreceived({ ...action.request, refCmdSn: 99 })).toBe(false)
    expect(wire.session.abortUnreceived({ ...action.request, refCmdSn: 102 })).toBe(false)
    expect(tagsIn(wire.send(read(1, 101), read(2, 100), read(3, 102)))).toEqual([2, 3])
  })

  it('bounds immediate requests (Reject 06h)', () => {
    const wire = new Wire()
    const many = Array.from({ length: 33 }, (_, i) =>
      commandBytes({ tag: i, cmdSn: 100, immediate: true }),
    )
    expect(tagsIn(wire.send(...many)).length).toBe(32)
    const [reject] = wire.seen()
    expect([reject!.opcode, reject!.header[2]]).toEqual([
      0x3f,
      rejectReason.tooManyImmediateCommands,
    ])
    expect(readU32(reject!.data, 16)).toBe(32)
  })

  it('T1 T2 gathers a Text Request and tells a long answer piece by piece', () => {
    const wire = new Wire({ maxSendDataSegmentLength: 512 })
    const text = (flags: number, transferTag: number, cmdSn: number, data = '') =>
      pduBytes(
        opcode.textRequest,
        flags,
        { 16: 4, 20: transferTag, 24: cmdSn },
        Uint8Array.from(data, (c) => c.charCodeAt(0)),
      )
    expect(wire.send(text(0x40, reservedTag, 100, 'SendTar'))).toEqual([])
    const [more] = wire.seen()
    expect([more!.opcode, more!.flags, more!.data.length]).toEqual([0x24, 0, 0])
    const [action] = wire.send(text(0x80, readU32(more!.header, 20), 101, 'gets=All\0'))
    if (action?.kind !== 'text') throw new Error('a text comes out')
    expect(decodeText(action.request.text)).toBe('SendTargets=All\0')
    const long = Uint8Array.from({ length: 1200 }, (_, i) => 65 + (i % 26))
    wire.session.respondToText(action.request, long)
    let got = ''
    for (let cmdSn = 102; ; cmdSn += 1) {
      const [piece] = wire.seen()
      got += decodeText(piece!.data)
      if (piece!.flags === 0x80) {
        expect(readU32(piece!.header, 20)).toBe(reservedTag)
        break
      }
      expect(piece!.flags).toBe(0x40)
      wire.send(text(0x80, readU32(piece!.header, 20), cmdSn))
    }
    expect(got).toBe(decodeText(long))
    wire.send(text(0x80, 55, 104))
    expect(wire.seen().map((pdu) => [pdu.opcode, pdu.header[2]])).toEqual([
      [0x3f, rejectReason.protocolError],
    ])
    expect(wire.session.expCmdSn).toBe(105)
  })

  it.each([
    ['SNACK', 0x10, rejectReason.snackReject],
    ['an opcode that is none', 0x1c, rejectReason.commandNotSupported],
    ["a target's PDU", 0x25, rejectReason.commandNotSupported],
  ])('S7 rejects %s and goes on', (_, code, reason) => {
    const wire = new Wire()
    expect(wire.send(pduBytes(code, 0x80, { 16: 3 }))).toEqual([])
    const [reject] = wire.seen()
    expect([reject!.opcode, reject!.header[2], reject!.data.length]).toEqual([0x3f, reason, 48])
    expect(tagsIn(wire.send(read(1, 100)))).toEqual([1])
  })

  it('S7 rejects a tag that is in use and one that is reserved; their CmdSN counts', () => {
    const wire = new Wire()
    expect(
      tagsIn(wire.send(read(1, 100), read(1, 101), read(reservedTag, 102), read(2, 103))),
    ).toEqual([1, 2])
    expect(wire.seen().map((pdu) => pdu.header[2])).toEqual([
      rejectReason.taskInProgress,
      rejectReason.invalidPduField,
    ])
  })

  it('S6 nothing refers to what was received once `receive` has returned', () => {
    const wire = new Wire()
    const data = Uint8Array.from({ length: 64 }, (_, i) => i)
    const write = { tag: 2, cmdSn: 101, direction: 'write', bytes: 64, data } as const
    // The fixture overwrites the received bytes, here while the command waits for its turn.
    wire.send(commandBytes(write))
    const [first, second] = tasksIn(wire.send(read(1, 100)))
    expect(second!.data).toEqual(data)
    expect([...second!.cdb.subarray(0, 4)]).toEqual([0xa5, 0, 0, 2])
    expect([...first!.cdb.subarray(0, 4)]).toEqual([0xa5, 0, 0, 1])
    const question = Uint8Array.of(65, 61, 66, 0)
    const text = pduBytes(opcode.textRequest, 0x80, { 16: 4, 20: reservedTag, 24: 102 }, question)
    const [action] = wire.send(text)
    expect(action?.kind === 'text' && [...action.request.text]).toEqual([65, 61, 66, 0])
  })

  it('S7 a Login Request in full feature phase closes', () => {
    const wire = new Wire()
    const actions = wire.send(pduBytes(opcode.loginRequest | 0x40, 0x87, { 16: 1 }), read(1, 100))
    expect(actions.map(({ kind }) => kind)).toEqual(['close'])
  })

  it('S7 a damaged request is rejected; in CmdSN order it closes, since its gap would stay (§7.8)', () => {
    const digests = { headerDigest: false, dataDigest: true }
    const damaged = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 50 ? byte ^ 1 : byte))
    const wire = new Wire(digests)
    const immediate = pduBytes(
      opcode.nopOut | 0x40,
      0x80,
      { 16: 5, 20: reservedTag },
      new Uint8Array(8),
      digests,
    )
    expect(wire.send(damaged(immediate))).toEqual([])
    expect(wire.seen().map((pdu) => pdu.header[2])).toEqual([rejectReason.dataDigestError])
    const shape = {
      tag: 1,
      cmdSn: 100,
      direction: 'write',
      bytes: 8,
      data: new Uint8Array(8),
    } as const
    const actions = wire.send(damaged(commandBytes(shape, digests)))
    expect(actions.map(({ kind }) => kind)).toEqual(['close'])
    expect(wire.session.outstanding).toBe(0)
  })

  it('takes an extended CDB, and ignores the length of a bidirectional read (§11.2.2)', () => {
    const wire = new Wire()
    const command = read(1, 100)
    const ahs = new Uint8Array(8 + 20)
    ahs.set([0, 5, 2, 0, 0, 0, 16, 0])
    ahs.set([0, 17, 1, 0, ...Array.from({ length: 16 }, (_, i) => i + 1)], 8)
    command[4] = ahs.length / 4
    const [task] = tasksIn(wire.send(command, ahs))
    expect([...task!.cdb.subarray(16)]).toEqual(Array.from({ length: 16 }, (_, i) => i + 1))
    wire.session.respond(task!, good, null, 0)
    wire.seen()
    const next = read(2, 101)
    next[4] = 1
    expect(wire.send(next, Uint8Array.of(0, 9, 1, 0))).toEqual([])
    expect(wire.seen().map((pdu) => pdu.header[2])).toEqual([rejectReason.invalidPduField])
    const [plain] = tasksIn(wire.send(read(3, 102)))
    expect(plain!.cdb.length).toBe(16)
  })
})
