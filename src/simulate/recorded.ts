// Worlds by name. The first are recorded ones, with which distributions are compared, and are as they are recorded: what is
// changed gets a name of its own. The others ask what those leave out.
import type { Explicit, Params } from './scenario.ts'

const five = (q: number, own: readonly Explicit['own'][] = []): readonly Explicit[] =>
  [0, 0, 0, 2, 2].map((at, i) => (own[i] ? { q, at, own: own[i] } : { q, at }))

const fig5 = (q: number): Params => ({ N: 3, explicit: five(q), noise: 0.1 })

const drawn = (N: number, conns: number, meanUtil: number, zipf: number) => ({
  N,
  conns,
  meanUtil,
  zipf,
  capWhale: 0.4,
  loginRamp: 60,
})

const thirty = (meanUtil: number, zipf: number) => drawn(30, 900, meanUtil, zipf)

const thousand = (meanUtil: number, zipf: number) => ({
  ...drawn(1000, 100_000, meanUtil, zipf),
  delay: 10,
  loginRamp: 30,
})

/** `lived`: seconds in which three members were level, before that stopped and fig5 began. */
const after = (lived: number, q: number): Params => ({
  N: 3,
  explicit: [
    ...[0, 1, 2, 0, 1, 2].map((at) => ({ q: 0.12, at, to: lived })),
    ...five(q).map((session) => ({ ...session, from: lived })),
  ],
  noise: 0.1,
  judgedFrom: lived,
  horizon: lived + 900,
})

const DAY = 86_400

export const SCENARIOS = {
  fig5: fig5(0.14),
  fig5light: fig5(0.045),
  balanced30: thirty(0.55, 0),
  balanced3: drawn(3, 60, 0.55, 0),
  zipf3: drawn(3, 150, 0.55, 0.8),
  zipf30: thirty(0.55, 0.8),
  flash30: {
    ...thirty(0.5, 0.5),
    flash: { t0: 700, t1: 1300, servers: 3, frac: 0.6, mult: 4 },
  },
  burst30: {
    ...thirty(0.5, 0.3),
    onoff: { frac: 1, on: 20, off: 60, dist: 'pareto' },
    whales: { n: 30, w: 0.2, on: 30, off: 60 },
  },
  whale30: { ...thirty(0.5, 0.3), bigOne: { w: 0.75, at: 0 } },
  join30: { ...thirty(0.62, 0.5), events: [{ t: 900, type: 'join', s: 29 }], startDown: [29] },
  drain30: { ...thirty(0.55, 0.5), events: [{ t: 900, type: 'drain', s: 7 }] },
  hetero30: {
    ...drawn(30, 1650, 0.55, 0.6),
    caps: [
      [15, 1],
      [10, 2],
      [5, 4],
    ],
  },
  local30: { ...thirty(0.6, 0.5), locality: 'strong', localStrong: [0.7, 0.95], ownerZipf: 0.3 },
  stale30: { ...thirty(0.55, 0.8), delay: 5, loss: 0.3, msgLoss: 0.05 },
  antag30: {
    ...thirty(0.5, 0.4),
    background: [
      { s: 3, load: 0.4, t0: 900, t1: 1800 },
      { s: 11, load: 0.4, t0: 900, t1: 930 },
    ],
  },
  scale1000: { ...thousand(0.55, 0.8), horizon: 600 },
  join1000: {
    ...thousand(0.6, 0.5),
    horizon: 900,
    events: [{ t: 300, type: 'join', servers: '980..999' }],
    startDown: '980..999',
  },
  /** As fig5, but each has 60 % of its pages where it is, except the third, which has them on the empty member: it is the right one. */
  pages3: {
    N: 3,
    explicit: five(0.14, [[[0, 0.6]], [[0, 0.6]], [[1, 0.6]], [[2, 0.6]], [[2, 0.6]]]),
    locality: 'explicit',
    noise: 0.1,
  },
  crowd30: { ...thirty(0.55, 0.5), place: 'skew', skewFrac: 0.2, skewShare: 0.37 },
  /** An old group decides as well as a fresh one. */
  fig5aged: after(DAY, 0.14),
  fig5hour: after(3_600, 0.14),
  /** The member that serves most, one that serves less, and the one that is to receive, on a core of half the speed. */
  slowSource: { ...fig5(0.1), speeds: [0.5, 1, 1] },
  slowOther: { ...fig5(0.1), speeds: [1, 1, 0.5] },
  slowTarget: { ...fig5(0.1), speeds: [1, 0.5, 1] },
  /** Two like sessions at each member. One has a slow interface of its own, and the others share theirs. */
  slowLink: {
    N: 3,
    explicit: [0, 1, 2, 0, 1, 2].map((at) => ({ q: 0.08, at })),
    net: { bulkFrac: 1, bulkRatio: 1, capNet: 1, meanNet: 0.3, links: [0.4, null, null] },
    noise: 0.1,
  },
  /** A fifth of the sessions ask for most of the bytes; three interfaces are slow, three members share theirs. */
  links30: {
    ...thirty(0.45, 0.5),
    net: {
      ...{ bulkFrac: 0.2, bulkRatio: 10, capNet: 1, meanNet: 0.3 },
      links: Array.from({ length: 30 }, (_, s) => (s < 3 ? 0.4 : s < 6 ? null : 1)),
    },
  },
} as const satisfies Record<string, Params>

export type ScenarioName = keyof typeof SCENARIOS

export const isScenarioName = (name: string): name is ScenarioName => Object.hasOwn(SCENARIOS, name)
