// Who may distribute the sessions of a simulated group, by name; and what a distributor is asked.

export const POLICIES = {
  sgr: "the group's own: shed, grant, regret",
  'sgr+p': 'as sgr, and logins are placed',
  none: 'sessions stay where they log in',
  'round-robin': 'each login to the next member, and nothing is moved',
  login: 'each login to the member that reports least, and nothing is moved',
  naive: 'each 5 s, who is above the mean sends any session to the member that reports least',
  threshold:
    'each 10 s, who is above 1.1 × the mean sends its largest sessions away, down to the mean',
  rdd: 'each 10 s, who is above 1.05 × the mean sends a quarter of the excess away, at random',
  clair: 'one that knows the mean demand of all, with the fewest moves',
} as const

export type PolicyName = keyof typeof POLICIES

/** Of a recording only. */
export const AS_RECORDED = 'recorded'

/** What can be measured in one second; by session, and by member and resource. */
export interface Measured {
  readonly t: number
  /** Demand as it is counted: with its error, and cut off where the member is saturated. */
  readonly demand: Float64Array
  readonly load: Float64Array
}

export type MoveSession = (session: number, to: number, t: number, forced: boolean) => void

export interface Distributor {
  /** How often each member decides; null: never. */
  readonly everySeconds: number | null
  /** Where a login goes; `home` is where it came to. */
  place(session: number, home: number, t: number): number
  came(session: number, s: number, t: number): void
  went(session: number, s: number): void
  moved(session: number, from: number, to: number, t: number): void
  measured(second: Measured): void
  /** A member is alive, again perhaps. */
  joined(s: number): void
  /** It was emptied, and is no member any more. */
  removed(s: number): void
  round(s: number, t: number): void
  /** One round of emptying a member. */
  drainRound(s: number, t: number): void
}

/** How many sessions a member that is being emptied gives away in one round. */
export const drained = (sessions: number) => Math.max(10, Math.ceil(sessions / 3))
