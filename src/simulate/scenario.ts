// The form of a scenario: in which world the distribution of sessions is judged. Time in seconds; load in units of one
// member of capacity 1; demand q, of which one unit costs 1 at the member that serves it, 0.6 at the primary of the page
// and, if it is forwarded, 0.5 more at the one and 0.3 more at the other. Members are numbered from 0, and so are sessions.

export const COST = {
  ...{ front: 1, stored: 0.6, sent: 0.5, handled: 0.3 },
  /** Of what is written, for each copy: at the primary of the page, and at the member with the copy. */
  ...{ copied: 0.4, kept: 1.3 },
} as const

/** A number of a member, several, or a range as '980..999', both ends included. */
export type Servers = number | string | readonly number[]

type Maybe<T> = T | undefined

/** A session that is given, not drawn. */
export interface Explicit {
  /** Mean demand. */
  readonly q: number
  readonly at: number
  readonly own?: Maybe<readonly (readonly [server: number, share: number])[]>
  /** It logs in then, and out then. */
  readonly from?: Maybe<number>
  readonly to?: Maybe<number>
}

export interface OnOff {
  /** Mean seconds. */
  readonly on: number
  readonly off: number
}

export interface Background {
  readonly s: number
  readonly load: number
  readonly t0: number
  readonly t1: number
}

export interface ScenarioEvent {
  readonly t: number
  readonly type: 'join' | 'leave' | 'drain'
  readonly s?: Maybe<Servers>
  readonly servers?: Maybe<Servers>
}

/** Keys, and what they mean, are those of scenario files (docs/OPERATING.md "Scenario files"). */
export interface Params {
  readonly N: number
  readonly caps?: Maybe<readonly (readonly [count: number, capacity: number])[]>
  readonly explicit?: Maybe<readonly Explicit[]>
  readonly conns?: Maybe<number>
  readonly meanUtil?: Maybe<number>
  readonly zipf?: Maybe<number>
  readonly capWhale?: Maybe<number>
  readonly noise?: Maybe<number>
  readonly noiseTau?: Maybe<number>
  readonly horizon?: Maybe<number>
  readonly delay?: Maybe<number>
  readonly loss?: Maybe<number>
  readonly msgLoss?: Maybe<number>
  readonly locality?: Maybe<'uniform' | 'strong' | 'explicit'>
  readonly localStrong?: Maybe<readonly [least: number, most: number]>
  readonly ownerZipf?: Maybe<number>
  readonly pause?: Maybe<number>
  readonly qd?: Maybe<number>
  readonly place?: Maybe<'rr' | 'skew'>
  readonly skewFrac?: Maybe<number>
  readonly skewShare?: Maybe<number>
  readonly loginRamp?: Maybe<number>
  readonly onoff?: Maybe<
    OnOff & { readonly frac: number; readonly dist?: Maybe<'pareto' | 'exp' | 'exponential'> }
  >
  readonly whales?: Maybe<OnOff & { readonly n: number; readonly w: number }>
  readonly bigOne?: Maybe<{ readonly w: number; readonly at: number }>
  readonly square?: Maybe<{
    readonly conns: readonly number[]
    readonly w: number
    readonly period: number
    readonly duty: number
  }>
  readonly flash?: Maybe<{
    readonly t0: number
    readonly t1: number
    readonly servers: number
    readonly frac: number
    readonly mult: number
  }>
  readonly diurnal?: Maybe<{
    readonly period: number
    readonly amp: number
    readonly groups: number
  }>
  readonly churn?: Maybe<{ readonly life: number }>
  readonly background?: Maybe<readonly Background[]>
  readonly events?: Maybe<readonly ScenarioEvent[]>
  readonly startDown?: Maybe<Servers>
  readonly net?: Maybe<{
    readonly bulkFrac: number
    readonly bulkRatio: number
    readonly capNet: number
    readonly meanNet: number
    readonly otherRatio?: Maybe<number>
    /** Of each member, instead of `capNet`; null: it shares it, and is never held up by it. */
    readonly links?: Maybe<readonly (number | null)[]>
  }>
  readonly pageMig?: Maybe<{ readonly rate: number }>
  /** Members that have each page, and the share of all demand that writes. */
  readonly copies?: Maybe<{ readonly of: number; readonly writes: number }>
  /** How fast the machine of each member is: the same work takes 1 / speed of its CPU. */
  readonly speeds?: Maybe<readonly number[]>
  /** Decisions are made before, but figures are of what follows. */
  readonly judgedFrom?: Maybe<number>
}

/** What most of a run asks for, with the defaults of the form. */
export interface Timing {
  readonly horizon: number
  readonly loginRamp: number
  readonly delay: number
  readonly loss: number
  readonly msgLoss: number
  readonly pause: number
  readonly qd: number
  /** Figures are of what follows. */
  readonly start: number
  /** When the disturbance happens that a run is about: from then on it is counted until all are level. */
  readonly event: number
}

export function timingOf(p: Params): Timing {
  const loginRamp = p.loginRamp ?? 0
  const start = Math.max(loginRamp, p.judgedFrom ?? 0)
  return {
    horizon: p.horizon ?? 1800,
    loginRamp,
    delay: p.delay ?? 1,
    loss: p.loss ?? 0,
    msgLoss: p.msgLoss ?? 0,
    pause: p.pause ?? 0.1,
    qd: p.qd ?? 16,
    start,
    event: p.flash?.t0 ?? p.background?.[0]?.t0 ?? p.events?.[0]?.t ?? start,
  }
}

export function serversOf(spec: Servers | undefined): readonly number[] {
  if (spec === undefined) return []
  if (typeof spec === 'number') return [spec]
  if (typeof spec !== 'string') return spec
  const [first = Number.NaN, last = first] = spec.split('..').map(Number)
  return Array.from({ length: Math.max(0, last - first + 1) || 0 }, (_, i) => first + i)
}
