import { expect, test } from 'vitest'
import { type MemberId, memberId } from '../base/ids.ts'
import type { SessionLoad } from '../load/load-table.ts'
import { type Candidate, judge } from './judge.ts'
import { DEFAULT_POLICY as P } from './policy.ts'
import type { End } from './view.ts'

/** `long` where it differs from the other averages; σ is that of every resource. */
function end(member: MemberId, load: readonly number[], sigma = 0, long = load): End {
  return {
    member,
    capacity: load.map(() => 1),
    load: { slow: load, long, fast: load, variance: load.map(() => 0) },
    sigma: load.map(() => sigma),
  }
}

function sessionLoad(...remote: number[]): SessionLoad {
  const demand = { remote, local: remote.map(() => 0) }
  return { slow: demand, long: demand, fast: demand, variance: 0, owners: [], elsewhere: 0 }
}

const between = (source: End, target: End, more: Partial<Candidate> = {}): Candidate => ({
  session: { load: sessionLoad(0.05), left: [] },
  source,
  target,
  mean: [0.4],
  topmost: false,
  urgent: false,
  receiving: false,
  nowMs: 0,
  ...more,
})
const rule = (candidate: Candidate) => judge(candidate, P).rule

test('R1 a gap within what comes and goes is noise, unless the long averages show it too', () => {
  const target = end(memberId('b'), [0.3], 0.1)
  const seen = judge(between(end(memberId('a'), [0.5], 0.1), target), P)
  expect(seen.gap).toBeCloseTo(0.2, 9)
  expect(seen.need).toBeCloseTo(3 * Math.hypot(0.1, 0.1), 9)
  expect(seen.rule).toBeNull()
  const unseen = end(memberId('a'), [0.5], 0.1, [0.4])
  expect(rule(between(unseen, target))).toBe('NOISE')
  expect(rule(between(unseen, target, { receiving: true }))).toBeNull()
  expect(
    rule(between(end(memberId('a'), [0.5], 0.04, [0.4]), end(memberId('b'), [0.3], 0.04))),
  ).toBeNull()
})

test('R1 the smaller gain counts where only the long averages show the gap', () => {
  const target = end(memberId('b'), [0.3], 0.1)
  const shrunk = judge(between(end(memberId('a'), [0.5], 0.1, [0.48]), target), P)
  expect(shrunk.rule).toBeNull()
  expect(shrunk.gain).toBeGreaterThan(0)
  expect(shrunk.gain).toBeLessThan(shrunk.effect.gain)
  const significant = judge(
    between(end(memberId('a'), [0.5], 0, [0.48]), end(memberId('b'), [0.3])),
    P,
  )
  expect(significant.gain).toBe(significant.effect.gain)
})

test('R1 who is full does not wait for what is clear; who has only risen does', () => {
  const urgently = (load: number, sigma: number) =>
    rule(
      between(end(memberId('a'), [load], sigma), end(memberId('b'), [load - 0.2], sigma), {
        session: { load: sessionLoad(0.05), left: [] },
        urgent: true,
        mean: [load - 0.2],
      }),
    )
  expect(urgently(0.7, 0.03)).toBeNull()
  expect(urgently(0.7, 0.15)).toBe('NOISE')
  expect(urgently(0.91, 0.15)).toBeNull()
})

test('R2 the source does not fall below the mean, unless it is the fullest and that clearly helps', () => {
  const large = { session: { load: sessionLoad(0.3), left: [] }, mean: [0.3] }
  const pair = (sigma: number, more: Partial<Candidate>) =>
    between(end(memberId('a'), [0.5], sigma), end(memberId('b'), [0.1], sigma), {
      ...large,
      ...more,
    })
  expect(rule(pair(0, {}))).toBe('UNDERSHOOT')
  expect(rule(pair(0, { mean: [0.22] }))).toBeNull()
  expect(judge(pair(0, { topmost: true }), P).effect.drop).toBeCloseTo(0.1, 9)
  expect(rule(pair(0, { topmost: true }))).toBeNull()
  expect(rule(pair(0.03, { topmost: true }))).toBe('UNDERSHOOT')
  expect(judge(pair(0, { topmost: true }), { ...P, topImprovement: 0.11 }).rule).toBe('UNDERSHOOT')
})

test('R3 nobody is filled beyond the source, though the whole would gain', () => {
  const to = (second: number) =>
    judge(
      between(end(memberId('a'), [0.8, 0.2]), end(memberId('b'), [0.1, second]), {
        session: { load: sessionLoad(0.3, 0.1), left: [] },
        mean: [0.5, 0.6],
      }),
      P,
    )
  expect(to(0.71).gain).toBeGreaterThan(0)
  expect(to(0.71).rule).toBe('DEST_CAP')
  expect(to(0.69).rule).toBeNull()
})

test('R3 beyond the source is allowed up to a sound level', () => {
  const groupMean = (second: number) =>
    rule(
      between(end(memberId('a'), [0.3, 0.1]), end(memberId('b'), [0, 0.27]), {
        session: { load: sessionLoad(0.2, 0.05), left: [] },
        mean: [0.1, second],
      }),
    )
  expect(groupMean(0.6)).toBeNull()
  expect(groupMean(0.2)).toBe('DEST_CAP')
})

test('R4 a session does not return to a member that it left a short while ago', () => {
  const left = (member: MemberId, agoMs: number) =>
    rule(
      between(end(memberId('a'), [0.6]), end(memberId('b'), [0.2]), {
        session: { load: sessionLoad(0.05), left: [{ member, atMs: 5_000_000 - agoMs }] },
        nowMs: 5_000_000,
      }),
    )
  expect(left(memberId('b'), 599_999)).toBe('RETURN_BAN')
  expect(left(memberId('b'), 600_000)).toBeNull()
  expect(left(memberId('c'), 0)).toBeNull()
})

test('R5 a network is looked at only at the end whose own it is', () => {
  const session = { load: sessionLoad(0.05, 0.3), left: [] }
  const [own, shared] = [end(memberId('a'), [0.3, 0.8]), end(memberId('b'), [0.4])]
  const leaves = judge(between(own, shared, { session, mean: [0.35, 0.8] }), P)
  expect(leaves).toMatchObject({ rule: null, resource: 'network', gap: expect.closeTo(0.8, 9) })
  expect(leaves.effect).toMatchObject({ top: 1, topThere: 0 })
  expect(leaves.effect.target[1]).toEqual({ before: 0, after: 0 })
  const comes = judge(
    between({ ...shared, load: end(memberId('b'), [0.7]).load }, own, {
      session,
      mean: [0.5, 0.8],
    }),
    P,
  )
  expect(comes.gain).toBeLessThan(0)
  const slow = { ...end(memberId('a'), [0.3, 0.05]), capacity: [1, 0.1] }
  const small = { load: sessionLoad(0.3, 0.025), left: [] }
  const from = end(memberId('b'), [0.74])
  const full = judge(between(from, slow, { session: small, mean: [0.4, 0.5] }), P)
  expect(full).toMatchObject({ rule: 'DEST_CAP', resource: 'network' })
})

test('R2 nobody is below the mean of a network to whom the target gives room without end', () => {
  const session = { load: sessionLoad(0.01, 0.3), left: [] }
  const own = end(memberId('a'), [0.3, 0.6])
  const to = (target: End) => rule(between(own, target, { session, mean: [0.3, 0.6] }))
  expect(to(end(memberId('b'), [0.3]))).toBeNull()
  expect(to(end(memberId('b'), [0.3, 0.1]))).toBe('UNDERSHOOT')
})
