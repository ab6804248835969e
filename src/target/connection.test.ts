// Connections of real members in virtual time, with our own initiator and with streams that break the rules.

import { describe, expect, it } from 'vitest'
import { portalOf } from '../../sim/settings.ts'
import { STRANGER_CID, startGroup, stranger, type Written } from '../../test/kit/sim-group.ts'
import { memberId } from '../base/ids.ts'
import { encodeText } from '../base/text.ts'
import type { MoveRecord } from '../group/record.ts'
import { logoutReason, logoutResponse, opcode, rejectReason, reservedTag } from '../iscsi/pdu.ts'
import { parseTargets, sendTargetsRequest } from '../iscsi/send-targets.ts'
import { pduBytes } from '../iscsi/wire.fixture.ts'
import { carrierOf } from './live-session.ts'
import type { MoveOrder } from './move-order.ts'

const LOGIN_MS = 15_000
const BASIC_HEADER_BYTES = 48
const byHand = { by: 'operator', code: 'operator', reason: 'by hand', predicted: null } as const
const carriesNothing = { proposal: null, estimate: null }

describe('a connection', () => {
  it('C1 nothing is executed or answered for a session that has ended', async () => {
    const { group, timeline, written, connect, home } = await startGroup(1)
    const initiator = await connect()
    const block = new Uint8Array(group.blockBytes)
    const { at, session } = home()
    await timeline.finish(initiator.write(1, block))
    const carrier = carrierOf(session)
    const gateway = at.member?.gateway
    if (carrier === null || gateway === undefined) throw new Error('nothing carries it')
    carrier.hold()
    for (const lba of [1, 2, 3]) initiator.write(lba, block).catch(() => {})
    await timeline.run(timeline.nowMs + 100)
    let asked = 0
    gateway.write = () => {
      asked += 1
      return 'refused'
    }
    const stream = written.at(-1)?.stream
    const answers = () => written.filter((one) => one.stream === stream).length
    const before = answers()
    carrier.release()
    expect(asked).toBe(1)
    expect(session.phase).toEqual({ kind: 'ended', reason: 'fenced' })
    await timeline.run(timeline.nowMs + 1_000)
    expect(answers()).toBe(before)
    expect(session.counters.writes).toBe(1)
    expect(await timeline.finish(carrier.quiesce(1_000))).toBe('gone')
  })

  it('C1 after a move the old member answers nothing, and each command counts at one member once', async () => {
    const { group, timeline, written, events, connect, home } = await startGroup(2)
    const initiator = await connect()
    const { at, target, session } = home()
    const to = group.members.find((member) => member !== at)?.id ?? memberId('')
    const block = new Uint8Array(group.blockBytes).fill(1)
    let issued = 0
    let answered = 0
    let stopping = false
    const work = async (lba: number) => {
      while (!stopping) {
        issued += 1
        const answer = await initiator.write(lba, block)
        if (answer.kind === 'answered' && answer.status === 0) answered += 1
      }
    }
    const working = Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(work))
    await timeline.run(timeline.nowMs + 50)
    const order: MoveOrder = { id: 'move-1', to, ...byHand, ...carriesNothing }
    const end = await timeline.finish(target.move(session.id, order))
    expect(end).toMatchObject({ kind: 'committed' })
    const after = session.counters.writes
    const old = written.findLast(({ stream }) => stream.remoteHost === 'host1')?.stream
    const before = written.length
    await timeline.run(timeline.nowMs + 800)
    stopping = true
    await timeline.finish(working)
    const now = home()
    expect(now.at.id).toBe(to)
    expect(written.slice(before).filter(({ stream }) => stream === old)).toEqual([])
    expect(session.counters.writes).toBe(after)
    expect(after).toBeGreaterThan(0)
    expect(now.session.counters.writes).toBeGreaterThan(0)
    expect(answered).toBe(issued)
    expect(after + now.session.counters.writes).toBe(issued)
    expect(initiator.travels).toMatchObject({ movesFollowed: 1, reconnects: 0 })
    expect(events.some((event) => event.kind === 'end' && event.reason === 'moved')).toBe(true)
    expect(group.violations).toEqual([])
  })

  it('the pause of a move is from the last response to a command to the first at the new member', async () => {
    const { group, timeline, written, connect, home } = await startGroup(5)
    for (const { clock } of group.members) clock.wallOffsetMs = 0
    const initiator = await connect()
    const { at, target, session } = home()
    const to = group.members.find((member) => member !== at)?.id ?? memberId('')
    const block = new Uint8Array(group.blockBytes)
    const moving = target.move(session.id, { id: 'move-1', to, ...byHand, ...carriesNothing })
    await timeline.until(() => session.record.move !== undefined)
    await timeline.run(timeline.nowMs + 101) // it is idle for so long, and then frozen
    await timeline.finish(initiator.write(0, block))
    await timeline.finish(moving)
    await timeline.finish(initiator.write(0, block))
    const record = () => at.member?.group.moves.get('move-1') as MoveRecord
    await timeline.until(() => record().pauseMs !== undefined, 5_000)
    const [before = 0, after = 0] = written.filter(isResponse).map(({ atMs }) => atMs)
    expect(after - before).toBeGreaterThan(1)
    expect(Math.abs((record().pauseMs ?? 0) - (after - before))).toBeLessThanOrEqual(1)
  })

  it('ML1 the pause of an initiator that is idle is neither from what it last asked for nor to what it asks for much later', async () => {
    const { group, timeline, connect, home } = await startGroup(6)
    for (const { clock } of group.members) clock.wallOffsetMs = 0
    const initiator = await connect()
    const { at, target, session } = home()
    const to = group.members.find((member) => member !== at)?.id ?? memberId('')
    const block = new Uint8Array(group.blockBytes)
    await timeline.finish(initiator.write(0, block))
    await timeline.run(timeline.nowMs + 60_000)
    const frozenMs = timeline.nowMs
    const order = { id: 'move-1', to, ...byHand, ...carriesNothing }
    await timeline.finish(target.move(session.id, order))
    await timeline.until(() => initiator.travels.movesFollowed === 1)
    const awayMs = timeline.nowMs - frozenMs
    await timeline.run(timeline.nowMs + 3_500)
    await timeline.finish(initiator.write(0, block))
    const record = () => at.member?.group.moves.get('move-1') as MoveRecord
    await timeline.until(() => record().pauseMs !== undefined, 5_000)
    expect(record().pauseMs).toBeGreaterThan(0)
    expect(record().pauseMs).toBeLessThanOrEqual(awayMs + 200)
  })

  it('C7 what a slow line still carries is waited for: nothing is on the wire at the break, and nothing is sent again', async () => {
    const { group, timeline, connect, home } = await startGroup(8)
    const initiator = await connect()
    const { at, target, session } = home()
    const to = group.members.find((member) => member !== at)?.id ?? memberId('')
    const block = new Uint8Array(group.blockBytes)
    await timeline.finish(initiator.write(0, block))
    await timeline.run(timeline.nowMs + 1_000)
    group.net.cutOneWay('host1', at.id, 'stick')
    const writing = Promise.all([1, 2, 3].map((lba) => initiator.write(lba, block)))
    const moving = target.move(session.id, { id: 'move-1', to, ...byHand, ...carriesNothing })
    timeline.after(700, () => group.net.heal('host1', at.id))
    expect(await timeline.finish(moving)).toMatchObject({ kind: 'committed', held: 0 })
    await timeline.finish(writing)
    const record = () => at.member?.group.moves.get('move-1') as MoveRecord
    await timeline.until(() => record().resent !== undefined, 5_000)
    expect(record().resent).toBe(0)
    expect(initiator.travels.resent).toBe(0)
  })

  it('of what comes after the session was sent away, commands and task management requests count as sent again', async () => {
    const scene = await startGroup(7)
    const { group, timeline, home } = scene
    const sentAway = Promise.withResolvers<void>()
    const { stream } = await stranger(scene, 'normal', { ended: () => sentAway.resolve() })
    const { at, target, session } = home()
    const to = group.members.find((member) => member !== at)?.id ?? memberId('')
    const order = { id: 'move-1', to, ...byHand, ...carriesNothing }
    const moving = target.move(session.id, order)
    await timeline.finish(sentAway.promise)
    expect(await timeline.finish(moving)).toMatchObject({ kind: 'committed', held: 0 })
    const kinds = ['nopOut', 'dataOut', 'logoutRequest', 'scsiCommand', 'taskManagementRequest']
    for (const kind of kinds as (keyof typeof opcode)[]) {
      const pdu = new Uint8Array(BASIC_HEADER_BYTES)
      pdu[0] = opcode[kind]
      stream.write(pdu)
    }
    await timeline.run(timeline.nowMs + 100)
    stream.end()
    const record = () => at.member?.group.moves.get('move-1')
    await timeline.until(() => record()?.resent !== undefined, 5_000)
    expect(record()?.resent).toBe(2)
  })

  it('C2 the responses of a turn leave in one write', async () => {
    const { timeline, written, connect } = await startGroup(3)
    const initiator = await connect()
    const cdb = new Uint8Array(6) // TEST UNIT READY
    await timeline.finish(initiator.command({ cdb })) // the first answer has a NOP-In behind it
    await timeline.run(timeline.nowMs + 100)
    const before = written.length
    const all = Array.from({ length: 24 }, () => initiator.command({ cdb }))
    await timeline.finish(Promise.all(all))
    const writes = written.slice(before)
    expect(writes.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBe(24 * BASIC_HEADER_BYTES)
    expect(new Set(writes.map(({ turn }) => turn)).size).toBe(writes.length)
    expect(writes.some(({ bytes }) => bytes.length >= 4 * BASIC_HEADER_BYTES)).toBe(true)
  })

  it('C3 a login that does not finish in time, or breaks the protocol, is closed; others go on', async () => {
    const { group, timeline, connect, home, hostNet } = await startGroup(4)
    const initiator = await connect()
    const { id } = home().at
    const net = hostNet('stranger')
    const closedMs: number[] = []
    const open = async (first: Uint8Array) => {
      const stream = await net.connect(portalOf(id), 1_000)
      const fromMs = timeline.nowMs
      stream.own({
        received() {},
        ended: () => stream.destroy(),
        written() {},
        closed: () => closedMs.push(timeline.nowMs - fromMs),
      })
      if (first.length > 0) stream.write(first)
    }
    await timeline.finish(open(new Uint8Array(BASIC_HEADER_BYTES).fill(0xff)))
    await timeline.until(() => closedMs.length === 1, 1_000)
    await timeline.finish(open(new Uint8Array(0)))
    await timeline.finish(open(new Uint8Array(BASIC_HEADER_BYTES - 1).fill(0x43)))
    await timeline.until(() => closedMs.length === 3, LOGIN_MS + 1_000)
    for (const ms of closedMs.slice(1)) expect(ms).toBeGreaterThan(LOGIN_MS - 100)
    const answer = await timeline.finish(initiator.write(0, new Uint8Array(group.blockBytes)))
    expect(answer).toMatchObject({ kind: 'answered', status: 0 })
    expect(initiator.travels.logins).toBe(1)
  })

  it('C3 the Reject of a broken protocol leaves before its connection does', async () => {
    const scene = await startGroup(9)
    const { timeline, events } = scene
    const { stream, seen, state } = await stranger(scene, 'normal')
    stream.write(pduBytes(opcode.loginRequest | 0x40, 0x87, { 16: 6, 24: 1 }))
    await timeline.until(() => state.over, 10_000)
    const kinds = seen.map((pdu) => pdu.opcode)
    expect(kinds).toEqual([opcode.loginResponse, opcode.reject])
    expect(seen[1]?.header[2]).toBe(rejectReason.protocolError)
    expect(events.filter(({ kind }) => kind === 'end')).toMatchObject([{ reason: 'closed' }])
  })

  it('a Text Request with a key that has no place there, or is malformed, is rejected also when it was kept; the session goes on', async () => {
    const scene = await startGroup(10)
    const { timeline, connect, home } = scene
    const { state, stream, seen } = await stranger(scene, 'normal')
    const { session } = home()
    const carrier = carrierOf(session)
    if (carrier === null) throw new Error('nothing carries it')
    const other = await connect()
    const ask = (tag: number, text: string) => {
      const fields = { 16: tag, 20: reservedTag, 24: 1 }
      stream.write(pduBytes(opcode.textRequest | 0x40, 0x80, fields, encodeText(text)))
    }
    carrier.hold()
    ask(6, 'SendTargets\0')
    await timeline.run(timeline.nowMs + 100)
    expect(seen.length).toBe(1)
    carrier.release()
    await timeline.until(() => seen.length === 2, 1_000)
    ask(7, 'InitialR2T=No\0')
    await timeline.until(() => seen.length === 3, 1_000)
    ask(8, 'X-unknown=1\0')
    await timeline.until(() => seen.length === 4, 1_000)
    const { reject, textResponse } = opcode
    expect(seen.slice(1).map((pdu) => pdu.opcode)).toEqual([reject, reject, textResponse])
    expect([state.over, session.phase.kind]).toEqual([false, 'live'])
    const answer = await timeline.finish(other.command({ cdb: new Uint8Array(6) }))
    expect(answer.kind).toBe('answered')
    expect(other.travels.logins).toBe(1)
  })

  it('leaves after a Logout only if that closed its session', async () => {
    const scene = await startGroup(11)
    const { timeline } = scene
    const { stream, seen, state } = await stranger(scene, 'normal')
    const logout = (tag: number, reason: number, cid: number) =>
      pduBytes(opcode.logoutRequest | 0x40, 0x80 | reason, { 16: tag, 20: cid << 16, 24: 1 })
    stream.write(logout(6, logoutReason.removeForRecovery, STRANGER_CID))
    stream.write(logout(7, logoutReason.closeConnection, STRANGER_CID + 1))
    await timeline.until(() => seen.length === 3)
    await timeline.run(timeline.nowMs + 100)
    expect(state.over).toBe(false)
    stream.write(logout(8, logoutReason.closeConnection, STRANGER_CID))
    await timeline.until(() => state.over, 1_000)
    const answers = seen.slice(1).map((pdu) => [pdu.opcode, pdu.header[2]])
    expect(answers).toEqual([
      [opcode.logoutResponse, logoutResponse.recoveryNotSupported],
      [opcode.logoutResponse, logoutResponse.cidNotFound],
      [opcode.logoutResponse, logoutResponse.closed],
    ])
  })

  it('tells a normal session of its own target only, a discovery session of all', async () => {
    const scene = await startGroup(12)
    const { group, timeline } = scene
    const answers = async (kind: 'normal' | 'discovery') => {
      const { stream, seen } = await stranger(scene, kind)
      const told: string[][] = []
      for (const wanted of ['', 'All', group.volume.iqn]) {
        const before = seen.length
        const fields = { 16: 6 + told.length, 20: reservedTag, 24: 1 }
        const text = sendTargetsRequest(wanted)
        stream.write(pduBytes(opcode.textRequest | 0x40, 0x80, fields, text))
        await timeline.until(() => seen.length > before)
        told.push(parseTargets(seen.at(-1)?.data ?? text).map(({ name }) => name))
      }
      return told
    }
    const [{ iqn }, { iqn: own }] = group.volumes
    expect(await answers('normal')).toEqual([[iqn], [], [iqn]])
    expect(await answers('discovery')).toEqual([[], [iqn, own], [iqn]])
  })
})

/** A SCSI Response leaves it. */
function isResponse({ bytes }: Written): boolean {
  return ((bytes[0] ?? 0) & 0x3f) === opcode.scsiResponse
}
