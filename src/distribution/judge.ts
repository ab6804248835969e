// What a move would bring, and the first rule it breaks. Pure arithmetic, used by the source on what it heard and by
// the receiver on what it knows. The objective is the number of requests that wait: φ(u) = u / (1 − u), linear from
// 0.95 so that saturated members stay comparable.
//
// R1. Significance: the gap exceeds what comes and goes, or the long averages show it too and then the smaller gain
//     counts. Who is full does not wait for that; who has only risen does, or the last moves of a rise would be for noise.
// R2. No undershoot: the source does not fall below the mean of those whose resource it is too, as the target is one, unless
//     it is the fullest and the pair's maximum falls clearly, by more than comes and goes.
// R3. Destination cap: nobody is filled beyond the source or a sound level.
// R4. No return to a member that was left a short while ago.
// R5. What is not an end's own is full of nothing there: no rule and no gain looks at it.
import type { MemberId } from '../base/ids.ts'
import {
  type AverageKind,
  RESOURCES,
  type Resource,
  type SessionLoad,
  shareAt,
  varianceAt,
  weightAt,
} from '../load/load-table.ts'
import type { Code } from './code.ts'
import type { Policy } from './policy.ts'
import type { End, SessionView } from './view.ts'

const KNEE = 0.95
const STEEP = 400

/** Requests waiting at utilisation u. */
export function waiting(u: number): number {
  if (u <= 0) return 0
  return u < KNEE ? u / (1 - u) : KNEE / (1 - KNEE) + STEEP * (u - KNEE)
}

export function effective(mean: number, variance: number, margin: number): number {
  return mean + margin * Math.sqrt(Math.max(variance, 0))
}

/** 0 of a resource that is not its own. */
export function utilisationOf(end: End, r: number, margin: number): number {
  if (!isOwn(end, r)) return 0
  const load = effective(end.load.slow[r] ?? 0, end.load.variance[r] ?? 0, margin)
  return load / (end.capacity[r] ?? 1)
}

export const resourceOf = (r: number): Resource => RESOURCES[r] ?? 'cpu'

export const isOwn = ({ capacity }: End, r: number) => r < capacity.length

/** Utilisation of the fullest resource on slow averages. */
export function utilisation(end: End, margin: number): number {
  return utilisationOf(end, fullest(end, margin), margin)
}

/** The resource that is fullest, on slow averages. */
export function fullest(end: End, margin: number): number {
  let top = 0
  for (let r = 1; r < end.capacity.length; r++) {
    if (utilisationOf(end, r, margin) > utilisationOf(end, top, margin)) top = r
  }
  return top
}

/** Before and after, at both ends, on one kind of average; 0 of what is not an end's own. */
export interface Effect {
  readonly gain: number
  /** By how much the larger of the two ends' utilisations falls. */
  readonly drop: number
  /** The source's fullest resource; and of the target the same, or the first where that is not its own. */
  readonly top: number
  readonly topThere: number
  readonly source: readonly { readonly before: number; readonly after: number }[]
  readonly target: readonly { readonly before: number; readonly after: number }[]
}

export interface Candidate {
  readonly session: Pick<SessionView, 'load' | 'left'>
  readonly source: End
  readonly target: End
  /** Mean utilisation of the group, by resource. */
  readonly mean: readonly number[]
  /** The source is the fullest member that it knows. */
  readonly topmost: boolean
  readonly urgent: boolean
  /** Judged by the receiver: R1 is the source's matter. */
  readonly receiving: boolean
  readonly nowMs: number
}

export interface Verdict {
  readonly rule: Code | null
  readonly gain: number
  /** The averages that tell this gain. */
  readonly by: AverageKind
  readonly effect: Effect
  /** By which it is decided: the source's fullest, or what would be too full at the target. */
  readonly resource: Resource
  /** R1's gap and what it had to exceed, in utilisation. */
  readonly gap: number
  readonly need: number
  /** What of the gap the long averages show too; 0 for a move for locality. */
  readonly lasting: number
}

export function judge(candidate: Candidate, policy: Policy): Verdict {
  const { session, source, target } = candidate
  const vFrom = shareAt(session.load, source.member)
  const vTo = shareAt(session.load, target.member)
  const on = (kind: AverageKind) => effectOf(candidate, kind, vFrom, vTo, policy)
  const now = candidate.urgent ? 'fast' : 'slow'
  const effect = on(now)
  const gap = gapOf(effect, effect.top)
  const r = effect.top
  const need = policy.sigmas * Math.hypot(source.sigma[r] ?? 0, target.sigma[r] ?? 0)
  const isFull = candidate.urgent && (effect.source[r]?.before ?? 0) >= policy.urgentUtilisation
  let lasting = 0
  const verdict = (rule: Code | null, gain: number): Verdict => {
    const by = gain < effect.gain ? 'long' : now
    const resource = resourceOf(rule === 'DEST_CAP' ? overfilled(candidate, effect, policy) : r)
    return { rule, gain, by, effect, resource, gap, lasting, need }
  }
  if (effect.gain <= 0) return verdict('NO_GAIN', effect.gain)
  let gain = effect.gain
  if (vTo - vFrom <= policy.localityStep) {
    const long = on('long')
    lasting = Math.min(gap, gapOf(long, r))
    if (!isFull && gap < need) {
      const seenLong = gapOf(long, r) >= policy.longFactor * need
      if (!seenLong && !candidate.receiving) return verdict('NOISE', gain)
      gain = Math.min(gain, long.gain)
    }
    const slow = candidate.urgent ? on('slow') : effect
    const drop = Math.min(slow.drop, long.drop)
    const clear = candidate.topmost && drop >= Math.max(policy.topImprovement, need)
    if (gain > 0 && !clear && undershoots(candidate, effect, policy)) {
      return verdict('UNDERSHOOT', gain)
    }
  }
  return verdict(lastRules(candidate, effect, gain, policy), gain)
}

/** What it brings, on these averages, that a session is at `target` and not at `source`. Both without it: with it at the source. */
export function gainOf(
  load: SessionLoad,
  source: End,
  target: End,
  by: AverageKind,
  policy: Policy,
): number {
  const [vFrom, vTo] = [shareAt(load, source.member), shareAt(load, target.member)]
  return effectOf({ session: { load }, source, target }, by, vFrom, vTo, policy).gain
}

function lastRules(
  candidate: Candidate,
  effect: Effect,
  gain: number,
  policy: Policy,
): Code | null {
  const { session, target, nowMs } = candidate
  if (gain <= 0) return 'NO_GAIN'
  if (overfilled(candidate, effect, policy) >= 0) return 'DEST_CAP'
  return wasLeft(session.left, target.member, nowMs, policy) ? 'RETURN_BAN' : null
}

function gapOf(effect: Effect, r: number): number {
  return (effect.source[r]?.before ?? 0) - (effect.target[r]?.before ?? 0)
}

function undershoots({ mean, target }: Candidate, effect: Effect, policy: Policy): boolean {
  const r = effect.top
  if (!isOwn(target, r)) return false
  return (effect.source[r]?.after ?? 0) < (mean[r] ?? 0) - policy.undershoot
}

/** Which resource of the target; −1: none. */
function overfilled({ mean }: Candidate, effect: Effect, policy: Policy): number {
  const source = effect.source[effect.top]?.before ?? 0
  return effect.target.findIndex(({ after }, k) => {
    const sound = Math.min(policy.capFloor, policy.capMean * (mean[k] ?? 0))
    return after > Math.max(source - policy.sourceSlack, sound)
  })
}

function wasLeft(
  left: SessionView['left'],
  member: MemberId,
  nowMs: number,
  policy: Policy,
): boolean {
  return left.some((l) => l.member === member && nowMs - l.atMs < policy.returnBanSeconds * 1000)
}

function effectOf(
  {
    session,
    source,
    target,
  }: Pick<Candidate, 'source' | 'target'> & {
    readonly session: Pick<SessionView, 'load'>
  },
  kind: AverageKind,
  vFrom: number,
  vTo: number,
  policy: Policy,
): Effect {
  const { load } = session
  const demand = load[kind]
  const margin = policy.burstMargin
  const from: { before: number; after: number }[] = []
  const to: { before: number; after: number }[] = []
  let gain = 0
  let top = 0
  let before = 0
  let after = 0
  for (let r = 0; r < Math.max(source.capacity.length, target.capacity.length); r++) {
    const left = [-weightAt(demand, vFrom, r), -varianceAt(load, vFrom, r)] as const
    const came = [weightAt(demand, vTo, r), varianceAt(load, vTo, r)] as const
    const s = changedBy(left, source, kind, r, margin)
    const t = changedBy(came, target, kind, r, margin)
    gain += (source.capacity[r] ?? 0) * (waiting(s.before) - waiting(s.after))
    gain -= (target.capacity[r] ?? 0) * (waiting(t.after) - waiting(t.before))
    if (s.before > (from[top]?.before ?? 0)) top = r
    before = Math.max(before, s.before, t.before)
    after = Math.max(after, s.after, t.after)
    from.push(s)
    to.push(t)
  }
  const topThere = isOwn(target, top) ? top : 0
  return { gain, drop: before - after, top, topThere, source: from, target: to }
}

const NOTHING = { before: 0, after: 0 }

function changedBy(
  [more, moreVariance]: readonly [load: number, variance: number],
  { capacity, load }: End,
  kind: AverageKind,
  r: number,
  margin: number,
): { before: number; after: number } {
  const of = capacity[r]
  if (of === undefined) return NOTHING
  const mean = load[kind][r] ?? 0
  const variance = load.variance[r] ?? 0
  return {
    before: effective(mean, variance, margin) / of,
    after: effective(mean + more, variance + moreVariance, margin) / of,
  }
}
