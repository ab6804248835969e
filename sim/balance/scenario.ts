// Worlds in which the distribution process is judged: their parameters. Units: seconds, load in units of one member of
// capacity 1, demand q of which one unit costs 1 at the gateway, 0.6 at the primary and, if forwarded, 0.5 more at the
// gateway and 0.3 more at the primary.

export interface Scenario {
  readonly members: number
  readonly capacities?: readonly (readonly [count: number, capacity: number])[]
  /** Given sessions instead of drawn ones. */
  readonly given?: readonly {
    readonly q: number
    readonly at: number
    readonly own?: readonly (readonly [member: number, share: number])[]
    /** Logs in then, and out then. */
    readonly from?: number
    readonly to?: number
  }[]
  /** Decisions are made before, but figures are of what follows. */
  readonly judgedFrom?: number
  /** How fast the machine of each member is: the same work takes 1 / speed of its CPU. */
  readonly speeds?: readonly number[]
  readonly sessions?: number
  readonly meanUtilisation?: number
  readonly zipf?: number
  readonly noise?: number
  readonly horizon?: number
  /** Reports are this old, and each is lost with this probability; so is each message of a negotiation. */
  readonly delay?: number
  readonly loss?: number
  readonly messageLoss?: number
  readonly loginRamp?: number
  /** The first share of the members gets this share of the sessions. */
  readonly skew?: { readonly members: number; readonly sessions: number }
  /** Share of a session's pages on one primary. */
  readonly local?: { readonly least: number; readonly most: number; readonly zipf: number }
  readonly flash?: {
    readonly from: number
    readonly to: number
    readonly members: number
    readonly share: number
    readonly times: number
  }
  readonly background?: readonly {
    readonly member: number
    readonly load: number
    readonly from: number
    readonly to: number
  }[]
  readonly onOff?: { readonly on: number; readonly off: number }
  readonly whales?: {
    readonly count: number
    readonly weight: number
    readonly on: number
    readonly off: number
  }
  readonly join?: { readonly at: number; readonly member: number }
}

const five = (q: number, own: readonly (readonly (readonly [number, number])[])[] = []) =>
  [0, 0, 0, 2, 2].map((at, i) => ({ q, at, own: own[i] ?? [] }))

const thirty = (meanUtilisation: number, zipf: number) => ({
  members: 30,
  sessions: 900,
  meanUtilisation,
  zipf,
  loginRamp: 60,
})

/** `lived`: seconds in which three members were level, before that stopped and fig5 began. */
const after = (lived: number, q: number): Scenario => ({
  members: 3,
  given: [
    ...[0, 1, 2, 0, 1, 2].map((at) => ({ q: 0.12, at, to: lived })),
    ...five(q).map((session) => ({ ...session, from: lived })),
  ],
  noise: 0.1,
  judgedFrom: lived,
  horizon: lived + 900,
})

const DAY = 86_400

export const SCENARIOS = {
  fig5: { members: 3, given: five(0.14), noise: 0.1 },
  fig5light: { members: 3, given: five(0.045), noise: 0.1 },
  /** As fig5, but each has 60 % of its pages where it is, except the third, which has them on the empty member: it is the right one. */
  fig5local: {
    members: 3,
    given: five(0.14, [[[0, 0.6]], [[0, 0.6]], [[1, 0.6]], [[2, 0.6]], [[2, 0.6]]]),
    noise: 0.1,
  },
  /** An old group decides as well as a fresh one. */
  fig5aged: after(DAY, 0.14),
  fig5hour: after(3_600, 0.14),
  /** The member that serves most, one that serves less, and the one that is to receive, on a core of half the speed. */
  slowSource: { members: 3, given: five(0.1), noise: 0.1, speeds: [0.5, 1, 1] },
  slowOther: { members: 3, given: five(0.1), noise: 0.1, speeds: [1, 1, 0.5] },
  slowTarget: { members: 3, given: five(0.1), noise: 0.1, speeds: [1, 0.5, 1] },
  balanced3: { members: 3, sessions: 60, meanUtilisation: 0.55, loginRamp: 60 },
  balanced30: thirty(0.55, 0),
  zipf3: { members: 3, sessions: 150, meanUtilisation: 0.55, zipf: 0.8, loginRamp: 60 },
  zipf30: thirty(0.55, 0.8),
  skew30: { ...thirty(0.55, 0.5), skew: { members: 0.2, sessions: 0.37 } },
  hetero30: {
    ...thirty(0.55, 0.6),
    sessions: 1650,
    capacities: [
      [15, 1],
      [10, 2],
      [5, 4],
    ],
  },
  flash30: {
    ...thirty(0.5, 0.5),
    flash: { from: 700, to: 1300, members: 3, share: 0.6, times: 4 },
  },
  antag30: {
    ...thirty(0.5, 0.4),
    background: [
      { member: 3, load: 0.4, from: 900, to: 1800 },
      { member: 11, load: 0.4, from: 900, to: 930 },
    ],
  },
  burst30: {
    ...thirty(0.5, 0.3),
    onOff: { on: 20, off: 60 },
    whales: { count: 30, weight: 0.2, on: 30, off: 60 },
  },
  local30: { ...thirty(0.6, 0.5), local: { least: 0.7, most: 0.95, zipf: 0.3 } },
  join30: { ...thirty(0.62, 0.5), join: { at: 900, member: 29 } },
  stale30: { ...thirty(0.55, 0.8), delay: 5, loss: 0.3, messageLoss: 0.05 },
} as const satisfies Record<string, Scenario>

export type ScenarioName = keyof typeof SCENARIOS

/** SCENARIO.md calls it capWhale: the own weight of a drawn session is at most this. */
export const LARGEST_WEIGHT = 0.4
export const COST = { front: 1, stored: 0.6, sent: 0.5, handled: 0.3 } as const
export const PAUSE_SECONDS = 0.1
export const DEPTH = 16
