// The rounds of one member, whose target, peers and clock are made up.
import { expect, test } from 'vitest'
import {
  generation,
  type MemberId,
  memberId,
  type SessionId,
  sessionId,
  volumeId,
} from '../base/ids.ts'
import { BadPaths } from '../distribution/bounds.ts'
import { DEFAULT_POLICY } from '../distribution/policy.ts'
import type { LoadTable, SessionLoad } from '../load/load-table.ts'
import { Account } from './account.ts'
import { Decider } from './decider.ts'
import { OwnSessions } from './own-sessions.ts'
import type { Shared } from './shared-parts.ts'

const SELF = memberId('m1')
const OTHERS = ['m2', 'm3', 'm4'].map(memberId)
const table = (load: number): LoadTable => ({
  ...{ slow: [load], long: [load], fast: [load], variance: [0] },
})
const demand = { remote: [0.2], local: [0] }
const load: SessionLoad = {
  ...{ slow: demand, long: demand, fast: demand, variance: 0, owners: [], elsewhere: 0.25 },
}

/** Four sessions of 0.2 here, three members without any; `moving` is what happens while one is on its way. */
function scene(moving: (session: SessionId) => void) {
  const moved: [SessionId, MemberId][] = []
  const held = new Set<SessionId>()
  const sessions = new Map(
    [1, 2, 3, 4].map(sessionId).map((id) => {
      const record = {
        ...{ volume: volumeId(1), initiator: `iqn.${id}`, isid: '00023d000001', owner: SELF },
        ...{ gen: generation(1), state: 'live', source: '', loginToken: '', since: '' },
      }
      return [id, { id, record, phase: { kind: 'live', carrier: {} } }]
    }),
  )
  let whole = 0.9
  const end = () => ({ member: SELF, capacity: [1], load: table(whole), sigma: [0.01] })
  const fresh = (member: MemberId) => ({ member, capacity: [1], load: table(0.1), sigma: [0.01] })
  const estimate = {
    load: () => load,
    session: () => ({ ageSeconds: 600, depth: 1, handOver: () => null }),
    leave: () => null,
  }
  const member = {
    id: SELF,
    ports: { clock: { nowMs: () => 1e6, wallMs: () => 1e9, after: () => {} }, newId: () => 'move' },
    group: { sessionsOf: () => [], volumes: new Map(), slices: [], moves: new Map() },
    target: {
      registry: { all: () => sessions.values(), get: (id: SessionId) => sessions.get(id) },
      holdsState: (id: SessionId) => held.has(id),
      move: async (id: SessionId, { to }: { to: MemberId }) => {
        moving(id)
        moved.push([id, to])
        sessions.delete(id)
        whole -= 0.2
        return { kind: 'committed' }
      },
    },
    peers: { ask: async (to: MemberId) => fresh(to) },
  }
  const members = new Map(OTHERS.map((id) => [id, { ...fresh(id), ageMs: 0, sessions: 0 }]))
  const policy = { ...DEFAULT_POLICY, partitionedOnly: false, kappa: 0.01, minAgeSeconds: 0 }
  const badPaths = new BadPaths()
  const shared = {
    ...{ member, badPaths, policy: { settings: { mode: 'on', policy } } },
    monitor: { estimate, end },
    others: { view: () => ({ members, absent: new Map() }) },
    sessions: new OwnSessions(member as never, estimate as never, badPaths),
  } as unknown as Shared
  const decider: Decider = new Decider(shared, new Account(shared, () => decider))
  return { decider, moved, held, badPaths, sessions }
}

test('DC1 of a round with several moves each session is looked at anew when it is its turn', async () => {
  const free = scene(() => {})
  await free.decider.round(1)
  expect(free.moved.length).toBeGreaterThanOrEqual(2)
  const second = free.moved[1]?.[0] ?? sessionId(0)
  const took = scene(() => took.held.add(second))
  await took.decider.round(1)
  expect(took.moved.map(([id]) => id)).not.toContain(second)
  expect(took.moved[0]).toEqual(free.moved[0])
  const barred = scene(() => {
    for (const to of OTHERS) barred.badPaths.mark(`iqn.${second}`, to, 2e6)
  })
  await barred.decider.round(1)
  expect(barred.moved.map(([id]) => id)).not.toContain(second)
})

test('DC1 a session that has gone in a round is not proposed', async () => {
  const free = scene(() => {})
  await free.decider.round(1)
  const second = free.moved[1]?.[0] ?? sessionId(0)
  const gone = scene(() => gone.sessions.delete(second))
  await gone.decider.round(1)
  expect(gone.moved.map(([id]) => id)).not.toContain(second)
})

test('why a session stays is told when it is asked for', async () => {
  const { decider, held } = scene(() => {})
  for (const id of [1, 2, 3, 4]) held.add(sessionId(id))
  await decider.round(1)
  expect(decider.log.last(sessionId(3))).toMatchObject({ code: 'HOLDS_STATE', session: 3 })
  expect(decider.log.last(sessionId(3))?.sentence).toMatch(/^session 3 stays at m1: its initiator/)
})
