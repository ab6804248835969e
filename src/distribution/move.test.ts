import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  beginMove,
  GRANT_WAIT_MS,
  LINGER_MS,
  type Move,
  type MoveEvent,
  OUTCOME_WAIT_MS,
  QUIESCE_MS,
  RENEW_MS,
  SETTLE_AGAIN_MS,
  type Step,
  stepMove,
  tickDueMs,
} from './move.ts'

const PLAN = { id: 'v1', from: 'a', to: 'b' }

class Run {
  nowMs = 1000
  step: Step = beginMove(PLAN, this.nowMs)
  readonly done: string[] = this.step.actions.map((a) => a.kind)

  get move(): Move {
    return this.step.move
  }

  on(event: MoveEvent): string[] {
    this.step = stepMove(this.step.move, event, this.nowMs)
    const kinds = this.step.actions.map((a) => a.kind)
    this.done.push(...kinds)
    return kinds
  }

  tick(
    afterMs: number,
    outstanding = 0,
    windowUsedUp = false,
    sinceLastArrivalMs = 1000,
  ): string[] {
    this.nowMs += afterMs
    return this.on({ kind: 'tick', outstanding, windowUsedUp, sinceLastArrivalMs })
  }

  toQuiescing(): this {
    this.on({ kind: 'granted' })
    this.on({ kind: 'noted', result: 'done' })
    return this
  }

  toCommitting(): this {
    this.toQuiescing().tick(10)
    return this
  }
}

test('a move that meets no trouble goes through every state, in order', () => {
  const run = new Run().toQuiescing()
  expect(run.tick(10, 3)).toEqual([])
  expect(run.tick(10, 0, true, 0)).toEqual(['holdAndCommit'])
  expect(run.on({ kind: 'committed', result: 'done' })).toEqual(['close', 'ask'])
  expect(run.tick(100)).toEqual([])
  expect(run.on({ kind: 'recorded', outcome: 'returned' })).toEqual(['shut'])
  expect(run.done).toEqual(['propose', 'note', 'freeze', 'holdAndCommit', 'close', 'ask', 'shut'])
  expect(run.move).toMatchObject({ kind: 'ended', outcome: 'returned', drainMs: 20 })
})

test('M1 a denial or silence freezes nothing', () => {
  const denied = new Run()
  expect(denied.on({ kind: 'denied', reason: 'DEST_CAP' })).toEqual([])
  expect(denied.move).toMatchObject({ kind: 'ended', outcome: 'abandoned' })
  const silent = new Run()
  expect(silent.tick(GRANT_WAIT_MS - 1)).toEqual([])
  expect(silent.tick(1)).toEqual(['giveBack'])
  expect(silent.on({ kind: 'granted' })).toEqual([])
})

test('M1 past the bound the window is reopened before the record is settled, and the move abandoned', () => {
  const run = new Run().toQuiescing()
  run.tick(QUIESCE_MS - 1, 1)
  expect(run.move.kind).toBe('quiescing')
  expect(run.tick(1, 1)).toEqual(['reopen', 'settle'])
  expect(run.on({ kind: 'settled', result: 'rewritten' })).toEqual(['giveBack'])
  expect(run.move).toMatchObject({ kind: 'ended', outcome: 'abandoned', drainMs: null })
})

test('M2 with an open window the commit waits until nothing has come for 100 ms', () => {
  const run = new Run().toQuiescing()
  expect(run.tick(10, 0, false, 99)).toEqual([])
  expect(run.tick(10, 1, true, 500)).toEqual([])
  expect(run.tick(10, 0, false, 100)).toEqual(['holdAndCommit'])
})

test('M2 a member that slept past the bound abandons rather than commits', () => {
  const run = new Run().toQuiescing()
  expect(run.tick(10_000, 0, true)).toEqual(['reopen', 'settle'])
})

test('M3 and M4 an unknown commit is settled by rewriting the record: what was held is then run', () => {
  const run = new Run().toCommitting()
  expect(run.on({ kind: 'committed', result: 'unknown' })).toEqual(['settle'])
  expect(run.on({ kind: 'settled', result: 'unknown' })).toEqual([])
  expect(run.tick(SETTLE_AGAIN_MS - 1)).toEqual([])
  expect(run.tick(1)).toEqual(['settle'])
  expect(run.tick(SETTLE_AGAIN_MS)).toEqual([])
  expect(run.on({ kind: 'settled', result: 'rewritten' })).toEqual([
    'reopen',
    'release',
    'giveBack',
  ])
})

test('M3 and M4 an unknown commit that had happened goes on as committed: nothing held is run', () => {
  const run = new Run().toCommitting()
  run.on({ kind: 'committed', result: 'unknown' })
  expect(run.on({ kind: 'settled', result: 'ours' })).toEqual(['close', 'ask'])
  expect(run.done).not.toContain('release')
})

test('a record that somebody else changed is not ours: the session is dropped', () => {
  for (const at of ['note', 'commit', 'settle'] as const) {
    const run = new Run()
    if (at === 'note') {
      run.on({ kind: 'granted' })
      expect(run.on({ kind: 'noted', result: 'lost' })).toEqual(['drop', 'giveBack'])
    } else if (at === 'commit') {
      expect(run.toCommitting().on({ kind: 'committed', result: 'lost' })).toContain('drop')
    } else {
      run.toCommitting().on({ kind: 'committed', result: 'unknown' })
      expect(run.on({ kind: 'settled', result: 'gone' })).toEqual(['drop', 'giveBack'])
    }
    expect(run.move).toMatchObject({ kind: 'ended', outcome: 'lost' })
    expect(run.done).not.toContain('release')
  }
})

test('M5 the connection goes 2 s after it was asked, whatever the initiator does', () => {
  const run = new Run().toCommitting()
  run.on({ kind: 'committed', result: 'done' })
  expect(run.tick(LINGER_MS - 1)).toEqual([])
  expect(run.tick(1)).toEqual(['shut'])
  expect(run.tick(100)).toEqual([])
  expect(run.on({ kind: 'recorded', outcome: 'reclaimed' })).toEqual([])
  expect(run.move).toMatchObject({ kind: 'ended', outcome: 'reclaimed' })
})

test('M6 the grant is renewed each second, and given back if it is not used', () => {
  const run = new Run().toQuiescing()
  expect(run.tick(RENEW_MS, 1)).toEqual(['renew'])
  expect(run.tick(RENEW_MS - 1, 1)).toEqual([])
  expect(run.tick(1, 1)).toEqual(['renew'])
  expect(run.on({ kind: 'sessionEnded' })).toEqual(['giveBack'])
})

test('M6 a destination that withdraws ends the move before the commit, not after', () => {
  const before = new Run().toQuiescing()
  expect(before.on({ kind: 'denied', reason: 'DRAIN' })).toEqual(['reopen', 'settle'])
  const after = new Run().toCommitting()
  expect(after.on({ kind: 'denied', reason: 'DRAIN' })).toEqual([])
})

test('M7 a move whose end nobody recorded ends', () => {
  const run = new Run().toCommitting()
  run.on({ kind: 'committed', result: 'done' })
  run.tick(LINGER_MS)
  run.tick(OUTCOME_WAIT_MS)
  expect(run.move).toMatchObject({ kind: 'ended', outcome: 'expired' })
})

const event: fc.Arbitrary<MoveEvent> = fc.oneof(
  fc.constant<MoveEvent>({ kind: 'granted' }),
  fc.constant<MoveEvent>({ kind: 'denied', reason: 'x' }),
  fc.constant<MoveEvent>({ kind: 'silent' }),
  fc
    .constantFrom('done', 'lost', 'unknown')
    .map((result) => ({ kind: 'noted' as const, result }) as MoveEvent),
  fc
    .constantFrom('done', 'lost', 'unknown')
    .map((result) => ({ kind: 'committed' as const, result }) as MoveEvent),
  fc
    .constantFrom('rewritten', 'ours', 'gone', 'unknown')
    .map((result) => ({ kind: 'settled' as const, result }) as MoveEvent),
  fc.constant<MoveEvent>({ kind: 'sessionEnded' }),
  fc.constant<MoveEvent>({ kind: 'recorded', outcome: 'returned' }),
  fc.record({
    kind: fc.constant('tick' as const),
    outstanding: fc.integer({ min: 0, max: 2 }),
    windowUsedUp: fc.boolean(),
    sinceLastArrivalMs: fc.integer({ min: 0, max: 300 }),
  }),
)

/** What the actions so far have done to the session. */
class Effects {
  frozen = false
  held = false
  closed = false

  apply(action: string): void {
    if (action === 'freeze') this.frozen = true
    if (action === 'reopen') this.frozen = false
    if (action === 'ask') expect(this.closed).toBe(true)
    if (action === 'release') {
      expect(this.closed).toBe(false)
      this.held = false
    }
    if (action === 'holdAndCommit') {
      expect(this.frozen).toBe(true)
      this.held = true
    }
    if (action === 'close' || action === 'drop') {
      expect(this.closed).toBe(false)
      this.closed = true
      this.frozen = false
      this.held = false
    }
  }
}

const story = fc.array(fc.tuple(event, fc.integer({ min: 0, max: 5000 })), { maxLength: 60 })

test('in whatever order things come: a session is never left frozen, and what was held is run or discarded, once', () => {
  const outcomes = new Set<string>()
  fc.assert(
    fc.property(story, (events) => {
      const run = new Run()
      const effects = new Effects()
      for (const [e, afterMs] of events) {
        run.nowMs += afterMs
        const wasEnded = run.move.kind === 'ended'
        const actions = run.on(e)
        if (wasEnded) expect(actions).toEqual([])
        for (const action of actions) effects.apply(action)
        expect(tickDueMs(run.move, run.nowMs)).toBeGreaterThanOrEqual(0)
        if (e.kind === 'sessionEnded') return
        if (run.move.kind !== 'ended') continue
        outcomes.add(run.move.outcome)
        expect(effects.frozen || effects.held).toBe(false)
      }
    }),
    { numRuns: 3000, seed: 7 },
  )
  expect([...outcomes].sort()).toEqual(['abandoned', 'lost', 'returned'])
})
