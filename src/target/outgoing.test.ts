// Initiators that ask and do not read, at real members in virtual time. Those have room for 32 KiB to one connection
// (sim/group.ts), and the simulated kernels hold 512 KiB.
import { describe, expect, it } from 'vitest'
import { simBounds } from '../../sim/settings.ts'
import { startGroup, stranger } from '../../test/kit/sim-group.ts'
import { readCdb } from '../initiator/cdb.ts'
import { opcode, reservedTag } from '../iscsi/pdu.ts'
import { pduBytes } from '../iscsi/wire.fixture.ts'
import { RESPONSE_BYTES } from './memory-bounds.ts'

const KIB = 1024
const EACH = 32 * KIB
const KERNEL = 512 * KIB
const READ_BYTES = 16 * KIB
/** The stranger's login took CmdSN 1, and it does not advance. */
const FIRST_CMD_SN = 1

async function greedy(seed: number) {
  const scene = await startGroup(seed, false, simBounds)
  const { group, timeline, written } = scene
  const { stream, seen, state } = await stranger(scene, 'normal')
  const portal = written.at(-1)!.stream
  let cmdSn = FIRST_CMD_SN
  /** As many as the window takes; each counts when it came in its turn. */
  const read = (count: number) => {
    for (let i = 0; i < count; i += 1) {
      const tag = 100 + cmdSn
      const fields = { 16: tag, 20: READ_BYTES, 24: cmdSn, 28: 2 }
      const pdu = pduBytes(opcode.scsiCommand, 0xc1, fields)
      pdu.set(readCdb(0, READ_BYTES / group.blockBytes), 32)
      stream.write(pdu)
      cmdSn += 1
    }
  }
  const nop = (tag: number, data: Uint8Array) =>
    stream.write(
      pduBytes(opcode.nopOut | 0x40, 0x80, { 16: tag, 20: reservedTag, 24: cmdSn }, data),
    )
  const sentTo = () =>
    written.reduce((sum, one) => (one.stream === portal ? sum + one.bytes.length : sum), 0)
  return { ...scene, group, timeline, stream, portal, seen, state, read, nop, sentTo }
}

describe('what leaves on a connection', () => {
  it('C6 of READs of an initiator that does not read, no more is under way than there is room for; it gets all when it reads', async () => {
    const { group, timeline, stream, portal, seen, read, sentTo, connect } = await greedy(21)
    stream.pause()
    let most = 0
    for (let round = 0; round < 30; round += 1) {
      read(8)
      await timeline.run(timeline.nowMs + 20)
      most = Math.max(most, portal.unwrittenBytes)
    }
    expect(most).toBeGreaterThan(0)
    expect(most).toBeLessThanOrEqual(EACH + 2 * KIB)
    expect(sentTo()).toBeLessThan(KERNEL + EACH + 16 * KIB)
    const other = await connect()
    const answer = await timeline.finish(other.read(0, 1, new Uint8Array(group.blockBytes)))
    expect(answer).toMatchObject({ kind: 'answered', status: 0 })
    stream.resume()
    await timeline.until(() => portal.unwrittenBytes === 0, 10_000)
    await timeline.run(timeline.nowMs + 100)
    const data = seen.filter((pdu) => pdu.opcode === opcode.dataIn)
    const last = data.filter(({ flags }) => (flags & 1) === 1).map(({ header }) => header[19])
    expect(last.length).toBeGreaterThan(KERNEL / READ_BYTES)
    expect(last).toEqual(last.toSorted((a = 0, b = 0) => a - b))
    expect(data.reduce((sum, one) => sum + one.data.length, 0)).toBe(last.length * READ_BYTES)
  })

  it('C6 a connection on which responses pile up is not read any more until they have left', async () => {
    const { timeline, stream, portal, seen, nop, connect } = await greedy(22)
    stream.pause()
    const data = new Uint8Array(8 * KIB)
    const count = 600
    let most = 0
    for (let i = 0; i < count; i += 1) {
      nop(1000 + i, data)
      if (i % 10 === 0) await timeline.run(timeline.nowMs + 2)
      most = Math.max(most, portal.unwrittenBytes)
    }
    await timeline.run(timeline.nowMs + 500)
    expect(most).toBeGreaterThan(RESPONSE_BYTES)
    expect(most).toBeLessThan(EACH + RESPONSE_BYTES + 256 * KIB)
    expect(stream.unwrittenBytes).toBeGreaterThan(0)
    await connect() // others go on
    stream.resume()
    await timeline.until(() => seen.length === 1 + count, 10_000)
    expect(portal.unwrittenBytes).toBe(0)
  })

  it('C6 an initiator that reads slowly is not taken for silent while its responses leave; one that reads nothing is', async () => {
    const { timeline, stream, seen, nop, state, events } = await greedy(23)
    stream.pause()
    const data = new Uint8Array(8 * KIB)
    for (let i = 0; i < 600; i += 1) nop(1000 + i, data)
    for (let second = 0; second < 150; second += 10) {
      const before = seen.length
      stream.resume()
      await timeline.until(() => seen.length >= before + 20, 1_000)
      stream.pause()
      await timeline.run(timeline.nowMs + 10_000)
    }
    expect(seen.length).toBeLessThan(500)
    expect(events.some(({ kind }) => kind === 'end')).toBe(false)
    await timeline.run(timeline.nowMs + 70_000)
    expect(events.filter(({ kind }) => kind === 'end')).toMatchObject([{ reason: 'silent' }])
    stream.resume()
    await timeline.until(() => state.over, 1_000)
  })
})
