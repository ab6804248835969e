// Initiators that offer data and do not send it, and such as send more than there is room for, at real members in virtual
// time (sim/group.ts): 128 KiB for data that is asked for, 256 KiB for what comes unsolicited, 64 KiB of each for one.
import { describe, expect, it } from 'vitest'
import { simBounds } from '../../sim/settings.ts'
import { startGroup, stranger } from '../../test/kit/sim-group.ts'
import { Budget } from '../base/budget.ts'
import type { Stream } from '../base/net.ts'
import { writeCdb } from '../initiator/cdb.ts'
import { opcode, reservedTag } from '../iscsi/pdu.ts'
import type { Session } from '../iscsi/session.ts'
import { pduBytes } from '../iscsi/wire.fixture.ts'
import { Incoming } from './incoming.ts'
import { FIRST_BURST_BYTES } from './memory-bounds.ts'

const KIB = 1024
const EACH = 64 * KIB
const WRITE_BYTES = 16 * KIB
const TASK_SET_FULL = 0x28

type Scene = Awaited<ReturnType<typeof startGroup>>

/** WRITEs, each with so much of its data. */
async function holdingBack(
  scene: Scene,
  name: string,
  count: number,
  sentBytes: number,
  bytes = WRITE_BYTES,
) {
  const one = await stranger(scene, 'normal', { name, host: name, keys: 'InitialR2T=No\0' })
  for (let cmdSn = 1; cmdSn <= count; cmdSn += 1) {
    const fields = { 16: 100 + cmdSn, 20: bytes, 24: cmdSn, 28: 2 }
    const isWhole = sentBytes === 0
    const data = new Uint8Array(sentBytes)
    const pdu = pduBytes(opcode.scsiCommand, isWhole ? 0xa1 : 0x21, fields, data)
    pdu.set(writeCdb(0, bytes / scene.group.blockBytes), 32)
    one.stream.write(pdu)
  }
  await scene.timeline.run(scene.timeline.nowMs + 50)
  const r2ts = () => one.seen.filter((pdu) => pdu.opcode === opcode.r2t).length
  return { ...one, r2ts }
}

describe('what comes on a connection', () => {
  it('C8 no more data is asked for than there is room for, of one connection and of all; a session that behaves goes on', async () => {
    const scene = await startGroup(31, false, simBounds)
    const { group, timeline, connect } = scene
    const stalled = []
    for (let i = 0; i < 4; i += 1) stalled.push(await holdingBack(scene, `stalled${i}`, 8, 0))
    expect(stalled[0]!.r2ts()).toBeGreaterThan(0)
    expect(stalled[0]!.r2ts() * WRITE_BYTES).toBeLessThanOrEqual(EACH)
    const asked = stalled.reduce((sum, { r2ts }) => sum + r2ts(), 0)
    expect(asked * WRITE_BYTES).toBeLessThanOrEqual(2 * EACH)
    const initiator = await connect()
    const block = new Uint8Array(group.blockBytes).fill(9)
    const answer = await timeline.finish(initiator.write(1, block))
    expect(answer).toMatchObject({ kind: 'answered', status: 0 })
  })

  it('C8 I3 those that do not send what they were asked for make room for others that wait', async () => {
    const scene = await startGroup(32, false, simBounds)
    const { group, timeline, events } = scene
    for (let i = 0; i < 3; i += 1) await holdingBack(scene, `stalled${i}`, 8, 0)
    await timeline.run(timeline.nowMs + 30_000)
    expect(events.some(({ kind }) => kind === 'end')).toBe(false)
    const long = await holdingBack(scene, 'long', 1, 0, EACH)
    expect(long.r2ts()).toBe(0)
    await timeline.until(() => long.r2ts() === 1, 15_000)
    const ended = events.flatMap((event) => (event.kind === 'end' ? [event.reason] : []))
    expect(ended.length).toBeGreaterThan(0)
    expect(new Set(ended)).toEqual(new Set(['stalled']))
    expect(group.violations).toEqual([])
  })

  it('C8 D4 unsolicited data beyond the room for it is answered with TASK SET FULL, and what came before goes on', async () => {
    const scene = await startGroup(33, false, simBounds)
    const { timeline } = scene
    const one = await holdingBack(scene, 'half', 8, 4 * KIB)
    const rest = (tag: number) => {
      const fields = { 16: tag, 20: reservedTag, 36: 0, 40: 4 * KIB }
      return pduBytes(opcode.dataOut, 0x80, fields, new Uint8Array(12 * KIB))
    }
    for (let tag = 101; tag <= 108; tag += 1) one.stream.write(rest(tag))
    const answers = (seen: typeof one.seen) =>
      seen.filter((pdu) => pdu.opcode === opcode.scsiResponse).map(({ header }) => header[3] ?? -1)
    await timeline.until(() => answers(one.seen).length === 8, 10_000)
    const statuses = answers(one.seen)
    expect(statuses.filter((status) => status === TASK_SET_FULL).length).toBeGreaterThan(0)
    expect(statuses.filter((status) => status !== TASK_SET_FULL).length).toBeGreaterThan(1)
    const again = await holdingBack(scene, 'again', 1, 4 * KIB)
    again.stream.write(rest(101))
    await timeline.until(() => answers(again.seen).length === 1, 10_000)
    expect(answers(again.seen)).not.toContain(TASK_SET_FULL)
  })

  it('C9 what brings too much is not read while its commands are carried out, and for a second at most', () => {
    let paused = false
    const stream = {
      pause: () => {
        paused = true
      },
      resume: () => {
        paused = false
      },
    } as unknown as Stream
    const total = 4 * FIRST_BURST_BYTES
    const budget = () => new Budget({ total, each: total, least: FIRST_BURST_BYTES })
    const incoming = new Incoming(stream, { asked: budget(), unasked: budget() }, () => {})
    const session = { worksOnData: true, writes: { roomCame() {} } }
    const look = () => {
      incoming.look(session as unknown as Session)
      return paused
    }
    expect(look()).toBe(false)
    incoming.room.unasked.held = total
    expect(look()).toBe(true)
    session.worksOnData = false // more would have to be read for anything to go on
    expect(look()).toBe(false)
    session.worksOnData = true
    expect(look()).toBe(true)
    incoming.tick()
    expect([paused, look()]).toEqual([false, false])
    incoming.room.unasked.held = 0
    expect(look()).toBe(false)
    incoming.room.unasked.held = total
    expect(look()).toBe(true)
  })
})
