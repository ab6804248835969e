// Planned moves against a fake connection and the simulated coordinator, whose lines lose and delay what is named here.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination, type SimCoordinationSettings } from '../../sim/coordinator.ts'
import { Timeline } from '../../sim/timeline.ts'
import { FakeCarrier, liveOf } from '../../test/kit/session-records.ts'
import { memberId, volumeId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { GroupView, storedSession } from '../coordination/group-view.ts'
import { foundGroup } from '../group/founding.ts'
import { type GroupRecord, keys, type MoveRecord, RECORD_FORMAT } from '../group/record.ts'
import { createSession, takeSession } from '../group/sessions.ts'
import type { EndReason, SentAway } from './live-session.ts'
import { Mover, QUIESCE_MS } from './move.ts'
import { MoveLog } from './move-log.ts'
import type { MoveOrder } from './move-order.ts'
import type { QuiesceEnd } from './quiesce.ts'

type Transaction = Parameters<Coordinator['txn']>[0]

const order: MoveOrder = {
  id: 'move-1',
  to: memberId('m2'),
  by: 'operator',
  code: 'operator',
  reason: 'by hand',
  predicted: null,
  proposal: null,
  estimate: null,
}
/** Longer than any line of the simulated coordinator delays. */
const AFTERWARDS_MS = 10_000
const LOSE_NOTHING: Partial<SimCoordinationSettings> = {
  loseRequestChance: 0,
  loseAnswerChance: 0,
  lateChance: 0,
}

/** A connection whose initiator sends commands 1, 2, ... and says what became of each. */
class BusyCarrier extends FakeCarrier {
  readonly executed: number[] = []
  readonly thrownAway: number[] = []
  readonly calls: string[] = []
  limitMs = 0
  #held: number[] | null = null
  #away = false
  #sent = 0

  constructor(quiet: () => Promise<QuiesceEnd>) {
    super()
    this.quiesce = (limitMs) => {
      this.calls.push('quiesce')
      this.limitMs = limitMs
      return quiet()
    }
    this.sendAway = () => this.#sendAway()
  }

  /** The initiator sends its next command. */
  arrive(): void {
    this.#sent += 1
    if (this.#away) this.thrownAway.push(this.#sent)
    else if (this.#held === null) this.executed.push(this.#sent)
    else this.#held.push(this.#sent)
  }

  override reopen(): void {
    this.calls.push('reopen')
  }

  override hold(): void {
    this.calls.push('hold')
    this.#held = []
  }

  override release(): void {
    this.calls.push('release')
    this.executed.push(...(this.#held ?? []))
    this.#held = null
  }

  #sendAway(): SentAway {
    this.calls.push('sendAway')
    this.#away = true
    this.thrownAway.push(...(this.#held ?? []))
    const held = this.#held?.length ?? 0
    return { held, resent: Promise.resolve(held) }
  }
}

interface BenchSettings {
  readonly seed?: number
  /** Called when the destination is asked, before the move begins. */
  readonly asked?: (faults: SimCoordination) => void
  readonly quiet?: (clock: SimClock) => Promise<QuiesceEnd>
  /** Called in the instant in which the transaction that commits is sent. */
  readonly committing?: (faults: SimCoordination) => void
}

async function bench({ seed = 1, asked, quiet, committing }: BenchSettings = {}) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const coordination = new SimCoordination(clock, new Prng(seed))
  const handle = coordination.handle('m1')
  const coordinator: Coordinator = {
    txn(transaction) {
      if (commits(transaction)) committing?.(coordination)
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
  const group: GroupRecord = {
    format: RECORD_FORMAT,
    name: 'g',
    groupId: 'x',
    incarnation: 'i',
    lineage: [],
    slices: 1,
    namingAuthority: 'iqn.2026-11.x',
  }
  for (const change of foundGroup(group, [memberId('m1')]))
    await timeline.finish(handle.txn(change))
  const view = await timeline.finish(GroupView.open(handle, clock))
  const taking = {
    owner: memberId('m1'),
    isid: '400001370001',
    source: '10.0.0.1',
    loginToken: 't1',
    at: '',
  }
  const who = { ...taking, volume: volumeId(1), initiator: 'iqn.2026-11.test:a' }
  await timeline.finish(handle.txn(createSession(who)))
  const stored = () => {
    const item = coordination.inspect('session/')[0]
    if (item === undefined) throw new Error('the record is gone')
    return storedSession(item)
  }
  const carrier = new BusyCarrier(() => quiet?.(clock) ?? Promise.resolve('quiet'))
  const { session } = liveOf(stored(), carrier)
  const ends: EndReason[] = []
  const told: string[] = []
  const mover = new Mover({
    self: memberId('m1'),
    clock,
    coordinator,
    peers: {
      ask: () => {
        asked?.(coordination)
        return Promise.resolve('granted')
      },
      tell: (to, kind) => told.push(`${kind} ${to}`),
    },
    log: new MoveLog(memberId('m1'), clock, handle, view),
    end(ending, reason) {
      ending.phase = { kind: 'ended', reason }
      ends.push(reason)
    },
  })
  const move = () => mover.move(session, carrier, order)
  const entries = () =>
    coordination.inspect(keys.moves).map(({ value }) => JSON.parse(value) as MoveRecord)
  const seen = { stored, entries, ends, told }
  return { timeline, clock, coordination, handle, carrier, session, ...seen, move }
}

function commits({ put = [] }: Transaction): boolean {
  return put.some(({ key, value }) => key.startsWith('session/') && value.includes('"open":true'))
}

/** 'quiet' once the clock has run on so far. */
const quietAfter = (delayMs: number) => (clock: SimClock) =>
  new Promise<QuiesceEnd>((resolve) => {
    clock.after(delayMs, () => resolve('quiet'))
  })

describe('a planned move', () => {
  it('M1 the record keeps its owner until everything accepted was answered, and changes it then', async () => {
    const delays = fc.integer({ min: 0, max: QUIESCE_MS })
    await fc.assert(
      fc.asyncProperty(delays, fc.integer(), async (drainMs, seed) => {
        const commitsSent: string[] = []
        let answeredAll = false
        const b = await bench({
          seed,
          quiet: async (clock) => {
            const result = await quietAfter(drainMs)(clock)
            answeredAll = true
            return result
          },
          committing: () => commitsSent.push(answeredAll ? 'after' : 'before'),
        })
        const moving = b.move()
        await b.timeline.until(() => b.carrier.calls.includes('quiesce'))
        await b.timeline.run(b.timeline.nowMs + drainMs - 0.01)
        expect(b.stored().record).toMatchObject({
          owner: memberId('m1'),
          gen: 1,
          move: { open: false },
        })
        expect(await b.timeline.finish(moving)).toMatchObject({ kind: 'committed' })
        expect(commitsSent).toEqual(['after'])
        expect(b.stored().record).toMatchObject({
          owner: memberId('m2'),
          gen: 2,
          move: { open: true },
        })
      }),
      { numRuns: 20 },
    )
  })

  it('M1 a connection that closes before it was quiet leaves the record with its owner', async () => {
    const b = await bench({ quiet: () => Promise.resolve('gone') })
    expect(await b.timeline.finish(b.move())).toMatchObject({ kind: 'lost' })
    await b.timeline.run(AFTERWARDS_MS)
    expect(b.stored().record).toMatchObject({ owner: memberId('m1'), gen: 1 })
    expect(b.carrier.calls).toEqual(['quiesce'])
  })

  it('M2 a commit that took effect throws away what came meanwhile and answers nothing more', async () => {
    const b = await bench({ committing: (faults) => faults.set({ loseAnswerChance: 1 }) })
    const moving = b.move()
    await b.timeline.until(() => b.carrier.calls.includes('hold'))
    b.carrier.arrive()
    await b.timeline.until(() => b.stored().record.owner === 'm2')
    b.carrier.arrive()
    expect(b.carrier.executed).toEqual([])
    b.coordination.set(LOSE_NOTHING)
    expect(await b.timeline.finish(moving)).toMatchObject({ kind: 'committed', held: 2 })
    b.carrier.arrive()
    expect(b.carrier.executed).toEqual([])
    expect(b.carrier.thrownAway).toEqual([1, 2, 3])
    expect(b.carrier.calls).toEqual(['quiesce', 'hold', 'sendAway'])
    expect(b.session).toMatchObject({ phase: { kind: 'ended', reason: 'moved' } })
    expect(b.ends).toEqual(['moved'])
  })

  it('M2 a commit that did not take effect runs what came meanwhile, each command once', async () => {
    const b = await bench({ committing: (faults) => faults.set({ loseRequestChance: 1 }) })
    const moving = b.move()
    await b.timeline.until(() => b.carrier.calls.includes('hold'))
    b.carrier.arrive()
    b.carrier.arrive()
    await b.timeline.run(b.timeline.nowMs + 1_000)
    expect(b.carrier.executed).toEqual([])
    b.coordination.set(LOSE_NOTHING)
    expect(await b.timeline.finish(moving)).toMatchObject({ kind: 'abandoned' })
    b.carrier.arrive()
    expect(b.carrier.executed).toEqual([1, 2, 3])
    expect(b.carrier.thrownAway).toEqual([])
    expect(b.session).toMatchObject({ phase: { kind: 'live' } })
    expect(b.ends).toEqual([])
  })

  it('M3 a commit that arrives after it was settled changes nothing', async () => {
    const b = await bench({
      committing: (faults) => faults.set({ lateChance: 1, lateMs: [5_000, 5_000] }),
    })
    const moving = b.move()
    await b.timeline.until(() => b.carrier.calls.includes('hold'))
    b.coordination.set(LOSE_NOTHING)
    expect(await b.timeline.finish(moving, 4_000)).toMatchObject({ kind: 'abandoned' })
    const settled = b.stored()
    await b.timeline.run(b.timeline.nowMs + AFTERWARDS_MS)
    expect(b.stored()).toEqual(settled)
    expect(settled).toMatchObject({ rev: b.session.rev, record: { owner: memberId('m1'), gen: 1 } })
    expect(settled.record.move).toBeUndefined()
  })

  it('M3 a record that another took meanwhile is not this session any more', async () => {
    const b = await bench({
      committing: (faults) => faults.set({ lateChance: 1, lateMs: [5_000, 5_000] }),
    })
    const moving = b.move()
    await b.timeline.until(() => b.carrier.calls.includes('hold'))
    b.coordination.set(LOSE_NOTHING)
    const { isid, source } = b.session.record
    const taking = { owner: memberId('m3'), isid, source, loginToken: 't2', at: '' }
    await b.timeline.finish(b.handle.txn(takeSession(b.stored(), taking)))
    const reason = 'its record was changed by another member'
    expect(await b.timeline.finish(moving)).toEqual({ kind: 'lost', reason })
    await b.timeline.until(() => b.entries()[0]?.outcome !== undefined)
    expect(b.entries()).toMatchObject([{ outcome: 'lost', cause: reason }]) // M7
    expect(b.ends).toEqual(['lost'])
    expect(b.carrier.calls).toEqual(['quiesce', 'hold'])
    expect(b.stored().record).toMatchObject({ owner: memberId('m3'), gen: 2 })
  })

  it('M2 M3 whatever the lines lose and delay, the member and the record agree for good', async () => {
    const chances = fc.record({
      loseRequestChance: fc.constantFrom(0, 0.3),
      loseAnswerChance: fc.constantFrom(0, 0.3),
      lateChance: fc.constantFrom(0, 0.3),
    })
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(chances, fc.integer(), async (faults, seed) => {
        const b = await bench({ seed, quiet: quietAfter(5) })
        b.coordination.set(faults)
        const moving = b.move()
        const arrive = () => {
          b.carrier.arrive()
          b.clock.after(200, arrive)
        }
        arrive()
        const end = await b.timeline.finish(moving, 600_000)
        seen.add(end.kind)
        await b.timeline.run(b.timeline.nowMs + AFTERWARDS_MS)
        const { record } = b.stored()
        expect(b.entries().length).toBe(end.kind === 'not begun' ? 0 : 1) // M6
        const { executed, thrownAway, calls } = b.carrier
        const all = [...executed, ...thrownAway]
        expect(all).toEqual(Array.from({ length: all.length }, (_, i) => i + 1))
        const away = calls.filter((call) => call === 'sendAway' || call === 'release')
        if (end.kind === 'committed') {
          expect(record).toMatchObject({ owner: memberId('m2'), gen: 2, move: { open: true } })
          expect(away).toEqual(['sendAway'])
        } else {
          expect(['abandoned', 'not begun']).toContain(end.kind)
          expect(record).toMatchObject({ owner: memberId('m1'), gen: 1 })
          expect(record.move).toBeUndefined()
          expect(away).toEqual(['release'])
        }
      }),
      { numRuns: 40, seed: 7 },
    )
    expect([...seen].sort()).toEqual(['abandoned', 'committed', 'not begun'])
  })

  it('M4 an initiator that does not fall silent within 4 s keeps its connection and its window', async () => {
    const b = await bench({
      quiet: (clock) =>
        new Promise((resolve) => {
          clock.after(QUIESCE_MS, () => resolve('busy'))
        }),
    })
    const before = b.stored().record
    const moving = b.move()
    await b.timeline.until(() => b.carrier.calls.includes('quiesce'))
    b.carrier.arrive()
    const end = await b.timeline.finish(moving)
    b.carrier.arrive()
    expect(end).toMatchObject({ kind: 'abandoned' })
    expect(b.carrier.limitMs).toBe(4_000)
    expect(b.carrier.calls).toEqual(['quiesce', 'reopen', 'reopen', 'release'])
    expect(b.carrier.executed).toEqual([1, 2])
    expect(b.ends).toEqual([])
    expect(b.stored().record).toEqual(before)
    expect(b.session).toMatchObject({ phase: { kind: 'live' }, record: before })
    expect(b.told.at(-1)).toBe('release m2')
    const tellings = b.told.length
    await b.timeline.run(b.timeline.nowMs + AFTERWARDS_MS)
    expect(b.told.length).toBe(tellings)
  })

  it('M4 the window of an initiator that was busy is reopened while the coordinator is away', async () => {
    const b = await bench({ quiet: () => Promise.resolve('busy') })
    const moving = b.move()
    await b.timeline.until(() => b.stored().record.move !== undefined)
    b.coordination.set({ loseRequestChance: 1 })
    await b.timeline.until(() => b.carrier.calls.includes('quiesce'))
    await b.timeline.run(b.timeline.nowMs + AFTERWARDS_MS)
    expect(b.carrier.calls).toEqual(['quiesce', 'reopen'])
    expect(b.stored().record).toMatchObject({ owner: memberId('m1'), move: { open: false } })
    b.coordination.set(LOSE_NOTHING)
    expect(await b.timeline.finish(moving)).toMatchObject({ kind: 'abandoned' })
    expect(b.stored().record.move).toBeUndefined()
  })

  it('M7 one whose session ends says why, in whichever step', async () => {
    const reasons = { logout: 'its initiator logged out', stopped: 'the member stops' } as const
    const steps = ['begun', 'quiesce', 'commit'] as const
    for (const [why, reason] of Object.entries(reasons)) {
      for (const step of steps) {
        const end = () => {
          b.session.phase = { kind: 'ended', reason: why === 'logout' ? why : 'stopped' }
        }
        const b = await bench({
          quiet: async () => {
            if (step === 'quiesce') end()
            return b.session.phase.kind === 'ended' ? 'gone' : 'quiet'
          },
          committing: () => (step === 'commit' ? end() : undefined),
          asked: () => (step === 'begun' ? b.clock.after(0.001, end) : undefined),
        })
        expect(await b.timeline.finish(b.move())).toEqual({ kind: 'lost', reason })
        await b.timeline.run(b.timeline.nowMs + AFTERWARDS_MS)
        expect(b.entries()).toMatchObject([{ outcome: 'lost', cause: reason }])
        expect(b.session.phase.kind).toBe('ended')
      }
    }
  })

  it('M7 one that is given up says why in its record', async () => {
    const b = await bench({ quiet: () => Promise.resolve('busy') })
    const reason = 'the initiator did not fall silent in time'
    expect(await b.timeline.finish(b.move())).toEqual({ kind: 'abandoned', reason })
    await b.timeline.until(() => b.entries()[0]?.outcome !== undefined)
    expect(b.entries()).toMatchObject([{ outcome: 'abandoned', cause: reason }])
  })

  it('M6 a session that another took before its move began is not told of', async () => {
    const b = await bench()
    const { isid, source } = b.session.record
    const taking = { owner: memberId('m3'), isid, source, loginToken: 't2', at: '' }
    await b.timeline.finish(b.handle.txn(takeSession(b.stored(), taking)))
    const reason = 'its record was changed by another member'
    expect(await b.timeline.finish(b.move())).toEqual({ kind: 'not begun', reason })
    await b.timeline.run(b.timeline.nowMs + AFTERWARDS_MS)
    expect(b.entries()).toEqual([])
    expect(b.ends).toEqual(['lost'])
    expect(b.told).toEqual(['release m2'])
    expect(b.carrier.calls).toEqual([])
  })

  it('M6 a move whose intent may not have been written is begun if it was', async () => {
    for (const fault of ['loseRequestChance', 'loseAnswerChance'] as const) {
      const b = await bench({ asked: (faults) => faults.set({ [fault]: 1 }) })
      const moving = b.move()
      await b.timeline.run(b.timeline.nowMs + 100)
      b.coordination.set(LOSE_NOTHING)
      const isWritten = fault === 'loseAnswerChance'
      expect(b.entries().length).toBe(isWritten ? 1 : 0)
      const kind = isWritten ? 'abandoned' : 'not begun'
      expect(await b.timeline.finish(moving)).toMatchObject({ kind })
      await b.timeline.run(b.timeline.nowMs + AFTERWARDS_MS)
      expect(b.entries().map(({ outcome }) => outcome)).toEqual(isWritten ? ['abandoned'] : [])
      expect(b.stored().record.move).toBeUndefined()
      expect(b.told.at(-1)).toBe('release m2')
    }
  })

  it('M5 state that came while it fell silent keeps the session where it is', async () => {
    const b = await bench({
      quiet: () => {
        b.carrier.holdsState = true
        return Promise.resolve('quiet')
      },
    })
    const before = b.stored().record
    const reason = 'it came to hold state that would not go with it'
    expect(await b.timeline.finish(b.move())).toEqual({ kind: 'abandoned', reason })
    expect(b.carrier.calls).not.toContain('hold')
    expect(b.carrier.calls).toContain('reopen')
    expect(b.stored().record).toEqual(before)
    expect(b.session).toMatchObject({ phase: { kind: 'live' } })
  })
})
