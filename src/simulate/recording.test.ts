import { expect, test } from 'vitest'
import type { RecordedMember, Recording } from './recording.ts'
import { RecordedDemand } from './recording.ts'
import { replay } from './simulate.ts'

const EVERY = 10
type Entry = RecordedMember['entries'][number]
type Session = Entry['sessions'][number]

/** Sessions weigh 0.12 at the member that has none of their pages; each member is primary of a third of them. */
const session = (id: number, remote = 0.15): Session => [id, [remote], [remote / 2], 1 / 3, []]
const weigh = (remote: number) => remote - remote / 6

/** Ten minutes: five sessions as in FIG. 5; `moved`: the entry from which on the first is at the empty member. */
function recorded(moved: number): Recording {
  const members = ['m1', 'm2', 'm3'].map((member, s) => ({
    member,
    entries: Array.from({ length: 60 }, (_, k): Entry => {
      const here = [1, 2, 3, 4, 5].filter((id) => {
        if (id === 1 && k >= moved) return s === 1
        return id <= 3 ? s === 0 : s === 2
      })
      return {
        atMs: 1_700_000_000_000 + k * EVERY * 1000 + 37 * s,
        capacity: [1],
        base: [0.2],
        sessions: here.map((id) => session(id)),
      }
    }),
  }))
  return { everySeconds: EVERY, members }
}

test('RP1 with the moves that were made, every member has the load that was recorded', () => {
  const { log, figures, members, sessions } = replay(recorded(20), { seed: 1, policy: 'recorded' })
  expect(log).toEqual([{ t: 199, session: 0, from: 0, to: 1, forced: false }])
  expect([members, sessions]).toEqual([
    ['m1', 'm2', 'm3'],
    [1, 2, 3, 4, 5],
  ])
  expect(figures.moves).toBe(1)
  const most = 0.2 + 3 * weigh(0.15)
  const level = 0.2 + 2 * weigh(0.15)
  // Two of the nine minutes that count, and the first third of a third, had the fullest member as it was at first.
  expect(figures.gap).toBeCloseTo(((most / level - 1) * (2 + 1 / 3)) / 9, 3)
})

test('another policy begins where sessions were at first, and does what it does', () => {
  expect(replay(recorded(20), { seed: 1, policy: 'none' }).figures).toMatchObject({ moves: 0 })
  const { log, figures } = replay(recorded(60), { seed: 1 })
  expect(log.map(({ from, to }) => [from, to])).toEqual([[0, 1]])
  expect(figures.gapEnd).toBeLessThan(0.05)
})

test('sessions and members come and go as they did; what is kept of none of them is as before', () => {
  const { everySeconds, members } = recorded(60)
  const [first, second, third] = members
  if (!first || !second || !third) throw new Error('there are three')
  const late = { ...second, entries: second.entries.slice(10) }
  const short = { ...third, entries: third.entries.slice(0, 30) }
  // In one entry nobody had the first session, for it was on its way.
  const gap = first.entries.map((entry, k) =>
    k === 15 ? { ...entry, sessions: entry.sessions.slice(1) } : entry,
  )
  const recording = { everySeconds, members: [{ ...first, entries: gap }, late, short] }
  const demand = new RecordedDemand(recording)
  expect(demand.params).toMatchObject({
    N: 3,
    horizon: 600,
    startDown: [1],
    events: [
      { t: 100, type: 'join', s: 1 },
      { t: 300, type: 'leave', s: 2 },
    ],
  })
  demand.step(155)
  expect(demand.q[0]).toBeCloseTo(0.1)
  expect(demand.servedAt(0, 155)).toBe(0)
  expect(Array.from(demand.endsAt)).toEqual([Infinity, Infinity, Infinity, 300, 300])
  const { figures } = replay(recording, { seed: 1, policy: 'recorded' })
  expect(figures.gap).not.toBeNull()
})
