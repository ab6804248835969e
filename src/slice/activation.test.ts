// Members that take up slices, on the simulated coordinator: with sessions that die meanwhile, and with lost answers.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { Timeline } from '../../sim/timeline.ts'
import {
  type Epoch,
  epoch,
  memberId,
  NO_REVISION,
  type SliceId,
  sliceId,
  volumeId,
} from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import type { Change, Coordinator, Transaction } from '../coordination/coordinator.ts'
import { storedSession } from '../coordination/group-view.ts'
import { foundGroup } from '../group/founding.ts'
import { parseSlice } from '../group/parse.ts'
import { type GroupRecord, keys, RECORD_FORMAT } from '../group/record.ts'
import { closeSession, createSession, retireSession } from '../group/sessions.ts'
import { activate, ownSlices } from './activation.ts'

/** m1 has 150 of them: two transactions. */
const SLICES = 300
/** By then every watch has heard of everything. */
const QUIET_MS = 1_000
const LOSE_NOTHING = { loseRequestChance: 0, loseAnswerChance: 0, lateChance: 0 }

interface BenchSettings {
  readonly seed?: number
  /** Called in the instant in which the member sends its n-th raising transaction, from 1. */
  readonly raising?: (nth: number, coordination: SimCoordination) => void
}

async function bench({ seed = 1, raising }: BenchSettings = {}) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const coordination = new SimCoordination(clock, new Prng(seed))
  const others = coordination.handle('m2')
  const group: GroupRecord = {
    ...{
      format: RECORD_FORMAT,
      name: 'g',
      groupId: 'x',
      incarnation: 'i',
      lineage: [],
      slices: SLICES,
    },
    namingAuthority: 'iqn.2026-11.x',
  }
  for (const change of foundGroup(group, [memberId('m1'), memberId('m2')]))
    await timeline.finish(others.txn(change))

  const handle = coordination.handle('m1')
  let raised = 0
  let unpromised = 0
  const promised = new Map<SliceId, Epoch>()
  const coordinator: Coordinator = {
    txn(transaction: Transaction) {
      if ((transaction.put ?? []).some(({ key }) => key.startsWith(keys.slices))) {
        raised += 1
        raising?.(raised, coordination)
        for (const { key, value } of transaction.put ?? []) {
          const { epoch } = JSON.parse(value) as { readonly epoch: number }
          if ((promised.get(keys.sliceOf(key)) ?? 0) < epoch) unpromised += 1
        }
      }
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
  let isClosed = false
  const store = {
    promisedEpoch: (slice: SliceId) => promised.get(slice) ?? epoch(0),
    async promise(epochs: ReadonlyMap<SliceId, Epoch>) {
      for (const [slice, epoch] of epochs) promised.set(slice, epoch)
      return 'done' as const
    },
  }
  const deps = { self: memberId('m1'), clock, coordinator, store, isClosed: () => isClosed }
  const ownEpochs = () =>
    new Map(
      coordination.inspect(keys.slices).flatMap(({ key, value }) => {
        const slice = parseSlice(value)
        if (typeof slice === 'string') throw new Error(slice)
        const id = keys.sliceOf(key)
        return slice.primary === 'm1' ? [[id, slice.epoch] as const] : []
      }),
    )
  const lastRaiseRev = () => Math.max(...coordination.inspect(keys.slices).map(({ rev }) => rev))

  const history: Change[] = []
  const watch = coordination.handle('judge').watch(keys.sessions, NO_REVISION)
  async function follow(): Promise<void> {
    for (;;) {
      const batch = await watch.next()
      if (batch.kind !== 'changes') throw new Error(batch.kind)
      history.push(...batch.changes)
    }
  }
  void follow()

  /** The sessions and their generations as of a revision, oldest first; asked when all is quiet. */
  function sessionsAt(at: number): (readonly [number, number])[] {
    const known = new Map<string, readonly [number, number]>()
    for (const { key, value, created, rev } of history) {
      if (rev > at) break
      if (value === null) known.delete(key)
      else known.set(key, [created, storedSession({ key, value, created, rev }).record.gen])
    }
    return [...known.values()].toSorted(([one], [other]) => one - other)
  }

  /** Sessions begin, die and are retired, one step after the other. */
  async function churn(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      const name = String(step)
      const taking = {
        owner: memberId('m2'),
        isid: '400001370001',
        source: '',
        loginToken: name,
        at: '',
      }
      const who = { ...taking, volume: volumeId(1), initiator: `iqn.2026-11.x:${name}` }
      await others.txn(createSession(who))
      if (step >= 2) await others.txn(closeSession(stored(step - 2)))
      if (step >= 4) await others.txn(retireSession(stored(step - 4)))
    }
  }

  function stored(step: number) {
    const name = String(step)
    const key = keys.session(volumeId(1), `iqn.2026-11.x:${name}`, name)
    const item = coordination.inspect(key)[0]
    if (item === undefined) throw new Error(`session ${name} is gone`)
    return storedSession(item)
  }

  const raises = () => raised
  const unpromisedRaises = () => unpromised
  return {
    unpromisedRaises,
    promised,
    ...{ timeline, coordination, ownEpochs, lastRaiseRev, sessionsAt, churn, raises },
    start: () =>
      activate(
        deps,
        ownSlices(memberId('m1'), () => true),
      ),
    close() {
      isClosed = true
    },
  }
}

describe('taking up slices', () => {
  it('A1 the list is of the instant of the last raise, whatever dies and is retired around it', async () => {
    let moved = 0
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 0, max: 20 }), async (seed, delayMs) => {
        const b = await bench({ seed })
        const churning = b.churn(12)
        await b.timeline.run(b.timeline.nowMs + delayMs)
        const before = b.coordination.rev
        const activation = await b.timeline.finish(b.start())
        await b.timeline.finish(churning)
        await b.timeline.run(b.timeline.nowMs + QUIET_MS)
        if (activation === null) throw new Error('nobody closed it')
        expect(activation.rev).toBe(b.lastRaiseRev())
        expect(activation.epochs).toEqual(b.ownEpochs())
        expect(activation.epochs.size).toBe(SLICES / 2)
        const inOrder = activation.sessions.toSorted(([x], [y]) => x - y)
        const then = b.sessionsAt(activation.rev)
        expect(inOrder).toEqual(then)
        const earlier = b.sessionsAt(before)
        if (JSON.stringify(earlier) !== JSON.stringify(then)) moved += 1
      }),
      { numRuns: 15 },
    )
    // Else a list of another instant would have passed too.
    expect(moved).toBeGreaterThan(0)
  })

  it.each([
    ['the request', { loseRequestChance: 1 }, 2],
    ['the answer', { loseAnswerChance: 1 }, 3],
  ])('A2 when %s of a raise is lost it is raised once more', async (_, faults, epoch) => {
    const b = await bench({
      raising(nth, coordination) {
        coordination.set(nth === 2 ? faults : LOSE_NOTHING)
      },
    })
    const starting = b.start()
    await b.timeline.until(() => b.raises() === 2)
    await b.timeline.run(b.timeline.nowMs + 50)
    b.coordination.set(LOSE_NOTHING)
    const activation = await b.timeline.finish(starting)
    expect(b.raises()).toBe(4)
    expect(activation?.epochs).toEqual(b.ownEpochs())
    expect(activation?.rev).toBe(b.lastRaiseRev())
    // The first transaction took effect twice, the second as the case says.
    const epochs = [...b.ownEpochs()].toSorted(([x], [y]) => x - y).map(([, raised]) => raised)
    expect(epochs[0]).toBe(3)
    expect(epochs.at(-1)).toBe(epoch)
  })

  it('A2 A3 whatever is lost or late, the epochs it was given hold for good, and none was raised unpromised', async () => {
    let again = 0
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const b = await bench({ seed })
        b.coordination.set({ loseRequestChance: 0.2, loseAnswerChance: 0.2, lateChance: 0.3 })
        const activation = await b.timeline.finish(b.start(), 600_000)
        b.coordination.set(LOSE_NOTHING)
        if (b.raises() > 2) again += 1
        await b.timeline.run(b.timeline.nowMs + 10_000)
        expect(activation?.epochs).toEqual(b.ownEpochs())
        expect(activation?.rev).toBe(b.lastRaiseRev())
        expect(b.unpromisedRaises()).toBe(0)
      }),
      { numRuns: 25 },
    )
    expect(again).toBeGreaterThan(0)
  })

  it('A4 what was promised to a record that is lost is not raised to again', async () => {
    const b = await bench()
    b.promised.set(sliceId(0), epoch(7))
    const activation = await b.timeline.finish(b.start())
    expect(activation?.epochs.get(sliceId(0))).toBe(8)
    expect(activation?.epochs).toEqual(b.ownEpochs())
  })

  it('A4 what was promised, and the member died before it raised to it, is promised again', async () => {
    const b = await bench()
    b.promised.set(sliceId(0), epoch(2))
    const activation = await b.timeline.finish(b.start())
    expect(activation?.epochs.get(sliceId(0))).toBe(2)
    expect(activation?.epochs).toEqual(b.ownEpochs())
  })

  it('a member that closes meanwhile takes up nothing', async () => {
    const b = await bench()
    b.coordination.set({ loseAnswerChance: 1 })
    const starting = b.start()
    await b.timeline.run(b.timeline.nowMs + 5_000)
    b.close()
    expect(await b.timeline.finish(starting)).toBeNull()
  })
})
