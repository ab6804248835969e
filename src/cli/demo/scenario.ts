// What the demo shows: clients by member, in units of the calibrated rate, and what must come of it.

export interface Scenario {
  readonly title: string
  /** For each client: the member (0, 1, 2) that it logs in to, and its rate in units. */
  readonly clients: readonly { readonly member: number; readonly units: number }[]
  /** Sessions by member when the move is made. */
  readonly after: readonly number[]
}

export const fig5: Scenario = {
  title: 'three clients on m1, none on m2, two on m3, all alike',
  clients: [0, 0, 0, 2, 2].map((member) => ({ member, units: 1 })),
  after: [2, 1, 2],
}

/** By counting, m3 with its one session would be the one to receive; by load it is m2. */
export const unequal: Scenario = {
  title: 'two clients on m1 and m2, one on m3, of unequal rates',
  clients: [
    { member: 0, units: 1.6 },
    { member: 0, units: 1.2 },
    { member: 1, units: 0.15 },
    { member: 1, units: 0.15 },
    { member: 2, units: 1.1 },
  ],
  after: [1, 3, 1],
}

/** Most over mean of the attributed load that the demo accepts at its end. */
export const LEVEL_AT_MOST = 1.35
