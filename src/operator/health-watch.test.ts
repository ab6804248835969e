import { expect, test, vi } from 'vitest'
import { SystemClock } from '../io/clock.ts'
import type { Json } from '../peer/message.ts'
import { well } from './condition.fixture.ts'
import { parseCondition } from './condition.ts'
import { type HealthChange, HealthWatch } from './health-watch.ts'
import type { ShownMember } from './shown-member.ts'

/** m1 of a group of two; what m2 answers, and m1's room, are set by the test. */
function watched() {
  const told: HealthChange[] = []
  const m2: { reply: Json | null; heard: boolean; trouble: string | null } = {
    ...{ reply: { ...well }, heard: true, trouble: null },
  }
  const member = {
    id: 'm1',
    freeBytes: well.freeBytes,
    ports: { clock: new SystemClock(), coordinator: { txn: async () => ({ kind: 'done' }) } },
    peers: { ask: async () => m2.reply, trouble: () => m2.trouble },
    store: {
      usage: () => ({ takenBytes: well.usedBytes }),
      commitUnderWayMs: null,
      losses: () => ({ segments: [], volumes: [] }),
      failure: () => null,
      damagedPages: () => [{ volume: 1, page: 5 }].slice(0, member.damages),
    },
    repairs: { judge: () => 'lost' },
    damages: 0,
    target: { standIns: { all: [] } },
    group: {
      members: new Map([
        ['m2', {}],
        ['m1', {}],
      ]),
      volumes: new Map([[1, { id: 1, name: 'vol1', lanes: [0, 1] }]]),
      slices: ['m1', 'm2'].map((id) => ({ primary: id, inSync: [id], want: [id], min: 1 })),
      sessions: new Map([[9, { id: 9, record: { state: 'live', volume: 1, owner: 'm1' } }]]),
    },
  }
  const watch = new HealthWatch({
    member: member as unknown as ShownMember,
    launcherFile: null,
    balancer: {
      isHeard: () => m2.heard,
      heardMsAgo: () => 0,
      utilisationOf: () => 0.1,
      diskLatencyMs: null,
      trust: { moves: 0, brought: 1, caution: 1 },
      mode: 'on',
      drainer: { state: null },
    },
    coordinator: { trouble: null, lost: null, probe: async () => {} },
    tell: (change) => told.push(change),
  })
  const changes = () =>
    told.map(({ kind, problem }) => `${problem.code} ${problem.subject} ${kind}`)
  return { watch, member, m2, changes }
}

test('HW1 what appears and what goes is told once, without anybody asking', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  const { watch, m2, changes } = watched()
  try {
    await vi.advanceTimersByTimeAsync(12_000)
    expect(changes()).toEqual([])
    m2.reply = null
    m2.heard = false
    m2.trouble = 'nobody listens there'
    await vi.advanceTimersByTimeAsync(12_000)
    expect(changes()).toEqual(['MEMBER_DOWN m2 appeared'])
    expect(watch.problems).toMatchObject([
      {
        sentence: expect.stringContaining('(nobody listens there)'),
        volumes: { names: ['vol1'] },
        sessions: { ids: ['9'] },
      },
    ])
    m2.reply = { ...well, freeBytes: 0 }
    await vi.advanceTimersByTimeAsync(12_000)
    expect(changes()).toEqual([
      'MEMBER_DOWN m2 appeared',
      'FULL m2 appeared',
      'MEMBER_DOWN m2 gone',
    ])
  } finally {
    watch.stop()
    vi.useRealTimers()
  }
})

test('what a probe is told is of this member alone, and waits for nobody', async () => {
  const { watch, member, m2 } = watched()
  m2.heard = false
  member.freeBytes = 0
  member.damages = 1
  expect(watch.own().map(({ code, subject }) => `${code} ${subject}`)).toEqual([
    'DAMAGED m1',
    'FULL m1',
  ])
  watch.stop()
})

test('a member tells the others its condition; what cannot be used counts as no answer', async () => {
  const { watch, member } = watched()
  member.damages = 1
  const told = parseCondition(watch.condition())
  expect(told).toEqual({ ...well, commitMs: null, damaged: [{ volume: 1, pages: 1, mendable: 0 }] })
  expect(parseCondition({ usedBytes: 'much' })).toBeNull()
  watch.stop()
})
