import { expect, test } from 'vitest'
import { bytesOf, connect, scene, statusOf } from '../../sim/scripted-scene.ts'
import { bhsAt, finalBit, opcode, reservedTag } from '../iscsi/pdu.ts'
import { concat, pduBytes } from '../iscsi/wire.fixture.ts'
import { testUnitReadyCdb } from './cdb.ts'
import type { InitiatorSettings } from './settings.ts'

const shapes: [string, InitiatorSettings['keys']][] = [
  ['as offered', {}],
  ['with digests', { headerDigest: ['CRC32C'], dataDigest: ['CRC32C'] }],
  ['with R2T for everything', { initialR2T: true, immediateData: false }],
  ['with immediate data alone', { initialR2T: true }],
  ['with unsolicited Data-Outs alone', { immediateData: false }],
  [
    'with small segments and bursts',
    { maxRecvDataSegmentLength: 512, maxBurstLength: 2048, firstBurstLength: 1024 },
  ],
]

test.each(shapes)('B1 B2 data arrives whole in both directions %s', async (_, keys) => {
  const s = await scene({ keys: keys ?? {} })
  if (keys?.maxRecvDataSegmentLength !== undefined) s.a.keys = { ...s.a.keys, ...keys }
  const it = await connect(s)
  for (const bytes of [512, 4096, 65_536, 262_144, 1_048_576 + 512]) {
    const data = bytesOf(bytes, bytes)
    expect(statusOf(await s.timeline.finish(it.write(3, data)))).toBe(0)
    expect(s.a.disk.subarray(3 * 512, 3 * 512 + bytes)).toEqual(data)
    const into = new Uint8Array(bytes)
    const answer = await s.timeline.finish(it.read(3, bytes / 512, into))
    expect(answer).toMatchObject({ status: 0, dataBytes: bytes, residualBytes: 0 })
    expect(into).toEqual(data)
  }
  await s.timeline.finish(it.close())
})

test('capacity, residuals and sense are told as values', async () => {
  const s = await scene()
  const it = await connect(s)
  expect(await s.timeline.finish(it.readCapacity())).toEqual({ blocks: 8192, blockBytes: 512 })
  const small = new Uint8Array(512)
  const over = await s.timeline.finish(it.read(0, 2, small))
  expect(over).toMatchObject({ status: 0, dataBytes: 512, residualBytes: 512 })
  const large = new Uint8Array(2048)
  const under = await s.timeline.finish(it.read(0, 2, large))
  expect(under).toMatchObject({ status: 0, dataBytes: 1024, residualBytes: -1024 })
  const sense = Uint8Array.from({ length: 18 }, (_, i) => (i === 0 ? 0x70 : i === 2 ? 5 : i))
  s.a.command = () => ({ kind: 'status', status: 2, sense })
  const failed = await s.timeline.finish(it.read(0, 1, small))
  expect(failed).toMatchObject({ kind: 'answered', status: 2, sense })
})

test('A1 commands keep to the window: a frozen one stops them, an opened one lets them go', async () => {
  const s = await scene({ behaviour: { queueDepth: 100 } })
  const it = await connect(s)
  const session = s.a.last.iscsi
  session.window.freeze()
  const all = Array.from({ length: 50 }, () => it.command({ cdb: testUnitReadyCdb() }))
  await s.timeline.run(s.timeline.nowMs + 100)
  expect(session.window.usedUp).toBe(true)
  expect(s.a.seen.length).toBeLessThan(50)
  expect(s.a.seen.at(-1)?.cmdSn).toBe(session.window.maxCmdSn)
  session.reopen()
  s.a.last.flush()
  await s.timeline.finish(Promise.all(all))
  const numbers = s.a.seen.map(({ cmdSn }) => cmdSn)
  expect(numbers).toEqual(numbers.map((_, i) => ((numbers[0] ?? 0) + i) >>> 0))
})

test('ABORT TASK and LOGICAL UNIT RESET end commands that came before them, and only those', async () => {
  const s = await scene()
  s.a.command = (_, lba) => (lba < 10 ? { kind: 'hold' } : { kind: 'run' })
  const it = await connect(s)
  const commands = [1, 2, 3].map((lba) =>
    it.start({ cdb: Uint8Array.of(0x2a, 0, 0, 0, 0, lba, 0, 0, 1, 0), write: bytesOf(512) }),
  )
  await s.timeline.until(() => s.a.last.held.length === 3)
  const [one, two, three] = commands
  if (!one || !two || !three) throw new Error('three')
  expect(await s.timeline.finish(it.abortTask(two))).toBe(0)
  expect(await two.answer).toEqual({ kind: 'aborted' })
  expect([one.state, three.state]).toEqual(['sent', 'sent'])
  const reset = it.resetLogicalUnit()
  const later = it.write(20, bytesOf(512))
  expect(await s.timeline.finish(reset)).toBe(0)
  expect(await one.answer).toEqual({ kind: 'aborted' })
  expect(await three.answer).toEqual({ kind: 'aborted' })
  expect(statusOf(await s.timeline.finish(later))).toBe(0)
  expect(it.underWay).toBe(0)
  expect(await it.abortTask(two)).toBe(1)
})

test('A6 an abort that comes too late ends nothing of a command that was sent again meanwhile', async () => {
  const s = await scene()
  const sense = Uint8Array.from({ length: 18 }, (_, i) => (i === 0 ? 0x70 : i === 2 ? 6 : 0))
  s.a.command = () => ({ kind: 'status', status: 2, sense })
  const it = await connect(s)
  const cdb = Uint8Array.of(0x2a, 0, 0, 0, 0, 1, 0, 0, 1, 0)
  const command = it.start({ cdb, write: bytesOf(512) })
  await s.timeline.until(() => command.state === 'sent')
  const aborted = it.abortTask(command)
  await s.timeline.until(() => s.a.seen.length === 1)
  s.a.command = () => ({ kind: 'run' })
  expect(await s.timeline.finish(aborted)).not.toBeNull()
  expect(statusOf(await s.timeline.finish(command.answer))).toBe(0)
  expect(s.a.seen.length).toBe(2)
})

test('a task management request without an answer says so', async () => {
  const s = await scene()
  const it = await connect(s)
  s.a.last.stream.pause()
  const reset = it.resetLogicalUnit()
  it.breakConnection()
  expect(await s.timeline.finish(reset)).toBeNull()
  expect(await it.resetLogicalUnit()).toBeNull()
})

const readLba1 = Uint8Array.of(0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0)
const word = {
  tag: bhsAt.initiatorTaskTag,
  transferTag: 20,
  statSn: 24,
  maxCmdSn: 32,
  sn: 36,
  offset: 40,
  length: 44,
}

/** PDUs that no target may send, made for a command that is held: by its tag, and the StatSN that is due. */
const offences: Record<string, (tag: number, statSn: number) => Uint8Array> = {
  'A2 a status that leaves one out': (_, statSn) =>
    pduBytes(opcode.asyncMessage, finalBit, { [word.tag]: reservedTag, [word.statSn]: statSn + 1 }),
  'A2 a status told twice': (_, statSn) =>
    pduBytes(opcode.asyncMessage, finalBit, { [word.tag]: reservedTag, [word.statSn]: statSn - 1 }),
  'B2 a Data-In that leaves bytes out': (tag) =>
    pduBytes(opcode.dataIn, 0, { [word.tag]: tag, [word.offset]: 4 }, bytesOf(8)),
  'B2 a Data-In that leaves a DataSN out': (tag) =>
    pduBytes(opcode.dataIn, 0, { [word.tag]: tag, [word.sn]: 1 }, bytesOf(8)),
  'B2 a Data-In beyond what was expected': (tag) =>
    pduBytes(opcode.dataIn, 0, { [word.tag]: tag }, bytesOf(516)),
  'B2 a read answered with GOOD and without its data': (tag, statSn) =>
    pduBytes(opcode.scsiResponse, finalBit, { [word.tag]: tag, [word.statSn]: statSn }),
  'B1 an R2T for a read': (tag) =>
    pduBytes(opcode.r2t, finalBit, { [word.tag]: tag, [word.length]: 512 }),
  'a PDU that only initiators send': () => pduBytes(opcode.scsiCommand, finalBit, {}),
  'a Reject': (_, statSn) => pduBytes(opcode.reject, finalBit, { [word.statSn]: statSn }),
  'a data segment beyond our limit': () => {
    const bytes = pduBytes(opcode.nopIn, finalBit, { [word.tag]: reservedTag })
    bytes[5] = 0xff
    return bytes
  },
}

test.each(Object.keys(offences))(
  '%s ends the connection; the command is sent again',
  async (name) => {
    const s = await scene()
    s.a.command = () => ({ kind: 'hold' })
    const it = await connect(s)
    const into = new Uint8Array(512)
    const read = it.command({ cdb: readLba1, read: into })
    await s.timeline.until(() => s.a.last.held.length === 1)
    s.a.command = () => ({ kind: 'run' })
    const tag = s.a.last.held[0]?.initiatorTaskTag ?? 0
    s.a.last.stream.write(offences[name]?.(tag, s.a.last.iscsi.statSn) ?? new Uint8Array(0))
    expect(statusOf(await s.timeline.finish(read, 3000))).toBe(0)
    expect(it.travels).toMatchObject({ logins: 2, resent: 1 })
    expect(into).toEqual(s.a.disk.slice(512, 1024))
  },
)

test('B1 an R2T beyond the data of a write ends the connection', async () => {
  const s = await scene()
  s.a.command = () => ({ kind: 'hold' })
  const it = await connect(s)
  const write = it.write(0, bytesOf(1024))
  await s.timeline.until(() => s.a.last.held.length === 1)
  s.a.command = () => ({ kind: 'run' })
  const tag = s.a.last.held[0]?.initiatorTaskTag ?? 0
  const fields = { [word.tag]: tag, [word.offset]: 512, [word.length]: 513 }
  s.a.last.stream.write(pduBytes(opcode.r2t, finalBit, fields))
  await s.timeline.finish(write, 3000)
  expect(it.travels.lastLoss).toContain('R2T')
})

test('A5 a NOP-In that asks while data for an R2T is to be sent is a breach', async () => {
  const s = await scene()
  s.a.command = () => ({ kind: 'hold' })
  const it = await connect(s)
  const write = it.write(0, bytesOf(512 * 1024))
  await s.timeline.until(() => s.a.last.held.length === 1)
  s.a.command = () => ({ kind: 'run' })
  const tag = s.a.last.held[0]?.initiatorTaskTag ?? 0
  const r2t = { [word.tag]: tag, [word.offset]: 256 * 1024, [word.length]: 256 * 1024 }
  s.a.last.stream.write(
    concat([
      pduBytes(opcode.r2t, finalBit, r2t),
      pduBytes(opcode.nopIn, finalBit, { [word.tag]: reservedTag, [word.transferTag]: 7 }),
    ]),
  )
  await s.timeline.finish(write, 3000)
  expect(it.travels.breach).toContain('NOP-In')
  expect(it.travels.lastLoss).toBe(it.travels.breach)
})

test('A3 answers to commands that nobody waits for go nowhere', async () => {
  const s = await scene()
  const it = await connect(s)
  const fields = { [word.tag]: 4711, [word.statSn]: s.a.last.iscsi.statSn }
  s.a.last.stream.write(pduBytes(opcode.scsiResponse, finalBit, fields))
  s.a.last.stream.write(pduBytes(opcode.dataIn, 0, { [word.tag]: 4711 }, bytesOf(8)))
  await s.timeline.run(s.timeline.nowMs + 100)
  expect(it.travels).toMatchObject({ logins: 1, answers: 0 })
  expect(it.phase).toBe('serving')
})

test('a probe of the target is answered, also while it holds everything', async () => {
  const s = await scene()
  await connect(s)
  const session = s.a.last.iscsi
  session.window.freeze()
  session.hold()
  const answered: number[] = []
  s.a.last.nopOut = (transferTag) => answered.push(transferTag)
  session.probe(77)
  s.a.last.flush()
  await s.timeline.until(() => answered.length === 1)
  expect(answered).toEqual([77])
})
