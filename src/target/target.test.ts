// The target of a real member in virtual time: how it begins to take logins, and how it stops.
import { describe, expect, it } from 'vitest'
import { startGroup, type Written } from '../../test/kit/sim-group.ts'
import { memberId, NO_REVISION } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { keys } from '../group/record.ts'
import { changeVolume } from '../group/volumes.ts'
import type { Answer } from '../initiator/pending-command.ts'
import { Framer } from '../iscsi/framer.ts'
import { asyncEvent, asyncMessageAt, opcode } from '../iscsi/pdu.ts'
import { carrierOf } from './live-session.ts'

const OPCODE_BITS = 0x3f
/** As a member gives for the whole stop. */
const STOP_MS = 7_000
const limits = { maxDataBytes: 16 * 1024 * 1024, maxAhsBytes: 1_024 }

describe('the target of a member', () => {
  it('T1 no login is accepted before the primaries of this member serve', async () => {
    const { group, timeline, events, dial } = await startGroup(5)
    const member = group.member(memberId('m1'))
    member.crash('process')
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const handleOf = group.coordination.handle.bind(group.coordination)
    group.coordination.handle = (id, deliver) => {
      const handle = handleOf(id, deliver)
      return id === 'm1' ? heldAtActivation(handle, gate) : handle
    }
    member.start()
    await timeline.until(() => member.member !== null)
    const dialling = dial(memberId('m1'))
    await timeline.run(timeline.nowMs + 3_000)
    expect(member.member?.target.takesSessions).toBe(false)
    expect(events.filter(({ kind }) => kind === 'login' || kind === 'redirect')).toEqual([])
    open()
    const initiator = await timeline.finish(dialling)
    expect(member.member?.target.takesSessions).toBe(true)
    expect(initiator.phase).toBe('serving')
    expect(events.filter(({ kind }) => kind === 'login').length).toBe(1)
  })

  it('T4 a volume grows under its sessions: each is told once, wherever it is by then', async () => {
    const { group, timeline, connect, home } = await startGroup(8)
    const initiator = await connect()
    const other = await connect(memberId('m2'), { host: 'other' })
    const blocks = group.volume.bytes / group.blockBytes
    const block = new Uint8Array(group.blockBytes).fill(3)
    const status = async (doing: Promise<Answer>) => {
      const answer = await timeline.finish(doing)
      return answer.kind === 'answered' ? answer.status : answer.kind
    }
    expect(await status(initiator.write(blocks, block))).toBe(2)

    const { at, target, session } = home()
    const handle = group.coordination.handle('test')
    const rev = at.member?.group.volumeRevs.get(group.volume.id) ?? NO_REVISION
    const { change } = changeVolume(group.volume, rev, { bytes: 2 * group.volume.bytes })
    expect(await timeline.finish(handle.txn(change))).toMatchObject({ kind: 'done' })
    const knows = () =>
      group.members.every(({ member }) => member?.group.volumes.get(group.volume.id)?.view === 2)
    await timeline.until(knows)

    // The one that was told nothing yet is moved all the same: what it has to be told goes with it.
    const to = group.members.find((member) => member !== at)?.id ?? memberId('')
    const order = { id: 'move-1', to, by: 'operator', code: 'operator', reason: 'by hand' } as const
    const carriesNothing = { predicted: null, proposal: null, estimate: null }
    const moving = target.move(session.id, { ...order, ...carriesNothing })
    expect(await timeline.finish(moving)).toMatchObject({ kind: 'committed' })
    for (const one of [initiator, other]) {
      expect(one.travels.unitAttentions).toBe(0)
      expect(await status(one.write(blocks, block))).toBe(0)
      expect(await status(one.write(blocks, block))).toBe(0)
      expect(one.travels.unitAttentions).toBe(1)
      expect((await timeline.finish(one.readCapacity())).blocks).toBe(2 * blocks)
    }
    expect(group.violations).toEqual([])
  })

  it('T2 a stop answers what was accepted, sends event 3, closes, and writes nothing more', async () => {
    const { group, timeline, written, events, connect, home } = await startGroup(6)
    const initiator = await connect()
    const { at, target, session } = home()
    const blocks = 64
    const data = new Uint8Array(group.blockBytes * blocks).fill(5)
    const writes = Array.from({ length: 8 }, (_, i) => initiator.write(i * blocks, data))
    await timeline.until(() => session.counters.outstanding === 8)
    const from = written.length
    const stopping = target.stop(timeline.nowMs + STOP_MS)
    const ended = () => events.some(({ kind }) => kind === 'end')
    await timeline.until(ended)
    expect(session.counters.outstanding).toBe(0)
    expect(session.counters.writes).toBe(8)
    await timeline.finish(stopping)
    const last = written.slice(from).filter(({ stream }) => stream.remoteHost === 'host1')
    const opcodes = pdusOf(last)
    expect(opcodes.filter(({ kind }) => kind === opcode.scsiResponse).length).toBe(8)
    expect(opcodes.at(-1)).toEqual({ kind: opcode.asyncMessage, event: asyncEvent.sessionDrops })
    expect(events.filter(({ kind }) => kind === 'end')).toMatchObject([{ reason: 'stopped', at }])
    const answers = await timeline.finish(Promise.all(writes))
    expect(answers.every((answer) => answer.kind === 'answered' && answer.status === 0)).toBe(true)
    expect(initiator.travels).toMatchObject({ asyncMessages: 1, answers: 8 })
    expect(target.takesSessions).toBe(false)
  })

  it('T2 a member stops in time though its initiator is busy and a member that stops as well dies in it', async () => {
    const { group, timeline, connect, home } = await startGroup(9)
    await connect()
    const { at, session } = home()
    const other = group.members.find((member) => member !== at)
    other?.member?.peers.tell(at.id, 'stopping', null)
    await timeline.run(timeline.nowMs + 100)
    other?.crash('process')
    carrierOf(session)?.probe(1, () => {}) // a barrier waits for it: it does not become quiet
    const fromMs = timeline.nowMs
    await timeline.finish(
      at.member?.stop(() => false) ?? Promise.reject(new Error('it is down')),
      20_000,
    )
    expect(timeline.nowMs - fromMs).toBeGreaterThan(4_000)
    expect(timeline.nowMs - fromMs).toBeLessThan(STOP_MS + 500)
  })

  it('T3 a target that was told to stop before it served does not serve', async () => {
    const { group, timeline, dial } = await startGroup(10)
    const { target } = group.member(memberId('m1')).member ?? {}
    if (target === undefined) throw new Error('m1 is down')
    await timeline.finish(target.stop(timeline.nowMs + STOP_MS))
    await timeline.finish(target.serve())
    expect(target.takesSessions).toBe(false)
    void dial(memberId('m1')).catch(() => undefined)
    await timeline.run(timeline.nowMs + 2_000)
    expect(target.registry.size).toBe(0)
  })

  it('T2 a stop that comes upon a move waits as long as any other for what was accepted, and no move begins', async () => {
    const { group, timeline, events, connect, home } = await startGroup(8)
    const initiator = await connect()
    const { at, target, session } = home()
    const [near = memberId('m2'), far = memberId('m3')] = group.members
      .map(({ id }) => id)
      .filter((id) => id !== at.id)
    group.net.cut(at.id, far, 'stick')
    const runBlocks = (16 * 1024 * 1024) / group.blockBytes
    const data = new Uint8Array(group.blockBytes)
    const writes = Promise.all([0, 1, 2].map((run) => initiator.write(run * runBlocks, data)))
    await timeline.until(() => session.counters.outstanding === 1 && session.counters.writes === 2)
    const order = { by: 'operator', code: 'hand', reason: '', predicted: null } as const
    const rest = { proposal: null, estimate: null }
    const moving = target.move(session.id, { id: 'first', to: near, ...order, ...rest })
    await timeline.run(timeline.nowMs + 2_000)
    const stopping = target.stop(timeline.nowMs + STOP_MS)
    await timeline.run(timeline.nowMs + 3_000)
    expect(session.phase.kind).toBe('moving')
    const late = await timeline.finish(
      target.move(session.id, { id: 'second', to: near, ...order, ...rest }),
    )
    expect(late.kind).toBe('denied')
    group.net.healAll()
    await timeline.finish(stopping)
    expect((await timeline.finish(writes)).map(({ kind }) => kind)).toEqual(
      Array(3).fill('answered'),
    )
    expect(initiator.travels).toMatchObject({ asyncMessages: 1, resent: 0 })
    expect(events.filter(({ kind }) => kind === 'end')).toMatchObject([{ reason: 'stopped' }])
    expect(['lost', 'committed']).toContain((await timeline.finish(moving)).kind)
  })
})

/** What was written, PDU by PDU; the event of an Asynchronous Message, else null. */
function pdusOf(written: readonly Written[]): { kind: number; event: number | null }[] {
  const framer = new Framer(limits)
  const found: { kind: number; event: number | null }[] = []
  for (const { bytes } of written) {
    framer.push(bytes)
    for (let pdu = framer.next(); pdu !== null; pdu = framer.next()) {
      const kind = (pdu.header[0] ?? 0) & OPCODE_BITS
      const event = kind === opcode.asyncMessage ? pdu.header[asyncMessageAt.asyncEvent] : null
      found.push({ kind, event: event ?? null })
    }
  }
  return found
}

/** Transactions that raise epochs wait at the gate; all others pass. */
function heldAtActivation(handle: Coordinator, gate: Promise<void>): Coordinator {
  return {
    async txn(transaction) {
      const raises = (transaction.put ?? []).some(({ key }) => key.startsWith(keys.slices))
      if (raises) await gate
      return handle.txn(transaction)
    },
    list: (prefix) => handle.list(prefix),
    watch: (prefix, afterRev) => handle.watch(prefix, afterRev),
    nudge: () => handle.nudge(),
    get lost() {
      return handle.lost
    },
    close: () => handle.close(),
  }
}
