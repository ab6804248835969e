import { expect, test } from 'vitest'
import { POLICIES, type PolicyName } from './policies.ts'
import type { Params } from './scenario.ts'
import { ownPolicy, simulate } from './simulate.ts'

const policies = Object.keys(POLICIES) as PolicyName[]

const comeAndGo: Params = {
  ...{
    N: 4,
    caps: [
      [1, 0.5],
      [3, 2],
    ],
    conns: 30,
    meanUtil: 0.6,
    zipf: 0.7,
    horizon: 260,
  },
  loginRamp: 10,
  startDown: [3],
  churn: { life: 60 },
  events: [
    { t: 70, type: 'join', s: 3 },
    { t: 100, type: 'leave', s: 0 },
    { t: 150, type: 'drain', servers: '1..2' },
    { t: 200, type: 'join', servers: [0, 1] },
  ],
}

test('SI1 the same scenario, policy and seed give the same run, another seed another one', () => {
  for (const policy of policies) {
    const once = simulate(comeAndGo, { policy, seed: 3 })
    expect(simulate(comeAndGo, { policy, seed: 3 }), policy).toEqual(once)
    expect(simulate(comeAndGo, { policy, seed: 4 }).figures, policy).not.toEqual(once.figures)
  }
})

test.each<[string, Params]>([
  ['no session', { N: 3, conns: 0, horizon: 130 }],
  ['one member', { N: 1, conns: 3, meanUtil: 0.5, horizon: 130 }],
  ['one member, overfilled', { N: 1, conns: 3, meanUtil: 3, horizon: 130 }],
  ['less than a minute', { N: 2, conns: 3, meanUtil: 0.5, horizon: 20 }],
  ['one second', { N: 2, conns: 3, meanUtil: 0.5, horizon: 1 }],
  ['nothing is heard', { N: 3, conns: 9, meanUtil: 0.5, horizon: 130, loss: 1, msgLoss: 1 }],
  ['reports older than the run', { N: 3, conns: 9, meanUtil: 0.5, horizon: 70, delay: 300 }],
  [
    'the last member leaves, and one comes back',
    {
      ...{ N: 2, conns: 6, meanUtil: 0.5, horizon: 200 },
      events: [
        { t: 50, type: 'leave', s: 0 },
        { t: 60, type: 'leave', s: 1 },
        { t: 80, type: 'join', s: 0 },
      ],
    },
  ],
  [
    'all members are emptied',
    {
      N: 2,
      conns: 6,
      meanUtil: 0.5,
      horizon: 130,
      events: [{ t: 50, type: 'drain', servers: '0..1' }],
    },
  ],
  ['sessions that come and go, members of unequal capacity', comeAndGo],
])('a world with %s has figures under every policy', (_, params) => {
  for (const policy of policies) {
    const { figures } = simulate(params, { policy, seed: 1 })
    for (const [key, value] of Object.entries(figures)) {
      const isFigure = value === null || (Number.isFinite(value) && value >= -1)
      expect(isFigure, `${policy}: ${key} is ${value}`).toBe(true)
    }
  }
})

test('a session that logs out is gone, and one that logs in later comes to its member', () => {
  const explicit = [
    { q: 0.3, at: 0, to: 100 },
    { q: 0.3, at: 1, from: 100 },
  ]
  const { figures } = simulate(
    { N: 2, explicit, horizon: 220, noise: 0 },
    { policy: 'none', seed: 1 },
  )
  expect(figures.gap).toBeCloseTo(0, 2)
})

test("the group's policy is that of its members, with their settings: what is dear is not moved", () => {
  const explicit = [0, 0, 0, 2, 2].map((at) => ({ q: 0.14, at }))
  const params = { N: 3, explicit, noise: 0.1, horizon: 200 }
  expect(simulate(params, { seed: 1 }).log).toEqual([
    { t: 30, session: 0, from: 0, to: 1, forced: false },
  ])
  const dear = ownPolicy({ kappa: 1e6 })
  if (dear.kind === 'wrong') throw new Error('a price is a setting')
  expect(simulate(params, { seed: 1, own: dear.policy }).log).toEqual([])
})
