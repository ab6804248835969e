// What programs of sim/power-cuts.ts are asked for, and what came out of them.
import { FolderRefused } from '../src/store/failure.ts'

export interface CutTotals {
  seeds: number
  cuts: number
  recoveryCuts: number
  acknowledged: number
  /** Changes answered 'full'. */
  full: number
  lost: number
  torn: number
  damaged: number
  forgotten: number
  /** Broken invariants, failures and stalls of the store itself. */
  broken: number
  firstSeed: number | null
  firstReason: string | null
}

export function noCuts(): CutTotals {
  return {
    ...{ seeds: 0, cuts: 0, recoveryCuts: 0, acknowledged: 0, full: 0 },
    ...{ lost: 0, torn: 0, damaged: 0, forgotten: 0, broken: 0 },
    ...{ firstSeed: null, firstReason: null },
  }
}

export function violations(totals: CutTotals): number {
  return totals.lost + totals.torn + totals.damaged + totals.forgotten + totals.broken
}

export interface CutOptions {
  readonly seeds: number
  readonly start: number
  readonly stopFirst: boolean
  readonly focus: CutFocus | null
}

export const FOCUSES = ['large', 'stale', 'reuse', 'full', 'budget', 'direct', 'install'] as const
export type CutFocus = (typeof FOCUSES)[number]

/** As good as a cut in the middle of it. */
export function refusedForRoom(error: unknown): null {
  if (error instanceof FolderRefused && error.message.includes('no room')) return null
  throw error
}
