// How, and how eagerly, sessions are distributed: set by the operator, one record for the group. Defaults are those
// under which the reference passes its gates; a number outside its range is refused with the reason, never bent. What each number
// does is in settings.ts.
import { SETTINGS, type Setting, type SettingName } from './settings.ts'

export type Mode = 'off' | 'advise' | 'on'

export interface Blackout {
  /** UTC days of the week, 0 = Sunday; every day if absent. */
  readonly days?: readonly number[]
  /** Minutes after midnight UTC, [from, to); a window may pass midnight and then belongs to the day on which it began. */
  readonly fromMinute: number
  readonly toMinute: number
}

export interface Policy extends Readonly<Record<SettingName, number>> {
  readonly mode: Mode
  /** A destination must be primary of a lane of the volume. */
  readonly partitionedOnly: boolean
  readonly blackouts: readonly Blackout[]
}

export const DEFAULT_POLICY: Policy = {
  mode: 'on',
  kappa: 5,
  horizonSeconds: 900,
  intervalSeconds: 5,
  minAgeSeconds: 30,
  sigmas: 3,
  longFactor: 0.4,
  burstMargin: 0.5,
  undershoot: 0.03,
  topImprovement: 0.05,
  sourceSlack: 0.005,
  capFloor: 0.7,
  capMean: 1.15,
  localityStep: 0.1,
  candidates: 4,
  tries: 3,
  movesPerRound: 4,
  grantsPerRound: 8,
  urgentUtilisation: 0.9,
  riseUtilisation: 0.5,
  riseSigmas: 6,
  riseStep: 0.03,
  urgentRounds: 2,
  leastRegret: 0.1,
  mostOff: 3,
  restSeconds: 60,
  restDoublings: 6,
  returnBanSeconds: 600,
  suspectSeconds: 60,
  silentSeconds: 5,
  reservationSeconds: 5,
  badPathSeconds: 3600,
  movesPerHour: 600,
  pauseMsPerHour: 10_000,
  pauseStableSeconds: 0.1,
  pauseRandomSeconds: 0.02,
  partitionedOnly: true,
  placementStep: 0.02,
  blackouts: [],
}

export type ParsedPolicy =
  | { readonly kind: 'policy'; readonly policy: Policy }
  /** One sentence for each setting that is wrong. */
  | { readonly kind: 'wrong'; readonly reasons: readonly string[] }

/** The settings laid over `before` (the defaults, or the policy in force). */
export function parsePolicy(settings: unknown, before: Policy = DEFAULT_POLICY): ParsedPolicy {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    return { kind: 'wrong', reasons: ['A policy is an object of settings.'] }
  }
  const reasons: string[] = []
  for (const [key, value] of Object.entries(settings)) {
    const reason = wrongSetting(key, value)
    if (reason !== null) reasons.push(reason)
  }
  if (reasons.length > 0) return { kind: 'wrong', reasons }
  const policy: Policy = { ...before, ...settings }
  if (policy.minAgeSeconds > policy.horizonSeconds) {
    return { kind: 'wrong', reasons: ['minAgeSeconds must not exceed horizonSeconds.'] }
  }
  return { kind: 'policy', policy }
}

function wrongSetting(key: string, value: unknown): string | null {
  if (key === 'mode') {
    const known = value === 'off' || value === 'advise' || value === 'on'
    return known ? null : `mode must be off, advise or on, not ${JSON.stringify(value)}.`
  }
  if (key === 'partitionedOnly') {
    return typeof value === 'boolean' ? null : 'partitionedOnly must be true or false.'
  }
  if (key === 'blackouts') return wrongBlackouts(value)
  if (!Object.hasOwn(SETTINGS, key)) return `${key} is not a setting of the policy.`
  const { least, most, whole }: Setting = SETTINGS[key as SettingName]
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    return `${key} must be a number from ${least} to ${most}, not ${JSON.stringify(value)}.`
  }
  if (whole !== undefined && !Number.isInteger(value)) return `${key} must be a whole number.`
  return null
}

function wrongBlackouts(value: unknown): string | null {
  if (!Array.isArray(value) || value.length > 50) return 'blackouts must be a list of at most 50.'
  const minute = (x: unknown) => Number.isInteger(x) && Number(x) >= 0 && Number(x) <= 1440
  for (const window of value as Partial<Record<keyof Blackout, unknown>>[]) {
    const { days, fromMinute, toMinute } = window ?? {}
    if (!minute(fromMinute) || !minute(toMinute) || fromMinute === toMinute) {
      return 'A blackout needs fromMinute and toMinute, different whole minutes from 0 to 1440.'
    }
    const whole = (d: unknown) => Number.isInteger(d) && Number(d) >= 0 && Number(d) <= 6
    if (days !== undefined && !(Array.isArray(days) && days.length > 0 && days.every(whole))) {
      return 'days of a blackout must be numbers from 0 (Sunday) to 6.'
    }
  }
  return null
}

const DAY_MS = 86_400_000

/** Whether `wallMs` (since 1970) lies in a window in which no session is moved but by hand or to empty a member. */
export function inBlackout(policy: Policy, wallMs: number): boolean {
  const day = Math.floor(wallMs / DAY_MS)
  const minute = (wallMs - day * DAY_MS) / 60_000
  // 1970-01-01 was a Thursday.
  const weekday = (((day + 4) % 7) + 7) % 7
  return policy.blackouts.some(({ days, fromMinute, toMinute }) => {
    const on = (d: number) => days === undefined || days.includes(d)
    if (fromMinute < toMinute) return on(weekday) && minute >= fromMinute && minute < toMinute
    return (on(weekday) && minute >= fromMinute) || (on((weekday + 6) % 7) && minute < toMinute)
  })
}
