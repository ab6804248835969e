// One seed: a group, its initiators, its faults, and the verdict.
//
//   0 ── start ──▶ faults ──15 s──▶ heal ──progress, ≤ 25 s──▶ with copies: blocks rot, and are mended ──▶ commands end ──▶ rest ──▶ logout ──▶ judged
import { Contenders } from './contenders.ts'
import { Faults } from './faults.ts'
import { SimGroup } from './group.ts'
import {
  COPIES_PROGRESS_MS,
  judgeHistories,
  leaks,
  leftOver,
  OPEN_MS,
  PROGRESS_MS,
  REST_MS,
  SILENT_MS,
  SLOW_COPIES_PROGRESS_MS,
  stalled,
  unopened,
} from './judge.ts'
import { rot, scrubAll, unmended } from './rot.ts'
import { type CopiesWanted, shapeOf } from './shape.ts'
import type { Totals } from './totals.ts'
import { planHosts, Workload } from './workload.ts'

const FAULTS_MS = 15_000
const LOOK_MS = 250
const MENDED_MS = 60_000

export interface Verdict {
  readonly seed: number
  /** Sentences; none: all is well. */
  readonly violations: readonly string[]
  readonly totals: Totals
  /** Of everything that happened. */
  readonly hash: string
  readonly virtualMs: number
}

export interface SeedSettings {
  readonly faults: boolean
  /** The group record is lost for certain. */
  readonly losing?: boolean
  /** Of each slice; 1 unless given. */
  readonly copies?: CopiesWanted
  /** On one machine, where members answer at the portals of those that are away. */
  readonly standIns?: boolean
  readonly print: ((line: string) => void) | null
}

export async function runSeed(seed: number, settings: SeedSettings): Promise<Verdict> {
  const { copies = 1, standIns = false } = settings
  const shape = { ...shapeOf(seed, copies), standIns }
  const group = new SimGroup({ seed, shape, print: settings.print, distributes: true })
  // Errors of members have nobody else to go to: in production they end the process.
  const failed = (error: unknown) =>
    group.violation(`unhandled: ${error instanceof Error ? error.stack : String(error)}`)
  process.on('unhandledRejection', failed)
  try {
    await play(group, settings)
  } catch (error) {
    failed(error)
  } finally {
    process.off('unhandledRejection', failed)
  }
  const { violations, totals, trace, timeline } = group
  return { seed, violations, totals, hash: trace.digest(), virtualMs: timeline.nowMs }
}

async function play(group: SimGroup, settings: SeedSettings): Promise<void> {
  const { timeline } = group
  await group.start()
  const workload = new Workload(group, planHosts(group.prng, group.shape.members))
  workload.start()
  const contenders = new Contenders(group)
  contenders.start()
  const faults = new Faults(group, workload, timeline.nowMs + FAULTS_MS, settings)
  faults.start()
  await timeline.run(timeline.nowMs + FAULTS_MS)
  faults.heal()
  const healedMs = timeline.nowMs
  const served = () => stalled(workload, healedMs).length === 0
  const hasCopies = group.shape.relocates
  // A disk that is slow to read opens its store as slowly, and may have the only copy in sync.
  if (hasCopies && !(await comesAbout(group, () => unopened(group).length === 0, OPEN_MS)))
    group.violation(`not open: ${unopened(group).join(', ')}`)
  if (!(await comesAbout(group, served, progressMs(group)))) {
    group.violation(`stalled: ${stalled(workload, healedMs).join(', ')}`)
  }
  await timeline.run(timeline.nowMs + 1_000)
  if (hasCopies) await rots(group)
  workload.stop()
  contenders.stop()
  const quiet = () => workload.runners.every(({ underWay }) => underWay === 0)
  if (!(await comesAbout(group, quiet, PROGRESS_MS))) group.violation('commands without an answer')
  if (!(await comesAbout(group, () => leaks(group).length === 0, REST_MS))) {
    group.violation(`leaked: ${leaks(group).join('; ')}`)
  }
  for (const runner of workload.runners) void runner.close()
  const nobody = () => leftOver(group).length === 0 && leaks(group).length === 0
  if (!(await comesAbout(group, nobody, SILENT_MS))) {
    const left = [...leftOver(group), ...leaks(group)]
    group.violation(`left over: ${left.join('; ')}`)
  }
  judgeHistories(group, workload)
  for (const differs of await timeline.finish(group.copies.differences())) group.violation(differs)
}

/** While I/O goes on, once all copies are in sync: before that some of them have what no other one has. */
async function rots(group: SimGroup): Promise<void> {
  // If they never are, that is told as a leak.
  if (!(await comesAbout(group, () => group.copies.lacking().length === 0, REST_MS))) return
  if (!group.copies.haveOthers) return
  group.totals.blocksRotten += rot(group)
  scrubAll(group)
  if (!(await comesAbout(group, () => unmended(group).length === 0, MENDED_MS)))
    group.violation(`not mended: ${unmended(group).join('; ')}`)
}

function progressMs({ shape, slowReads }: SimGroup): number {
  if (!shape.relocates) return PROGRESS_MS
  return slowReads === null ? COPIES_PROGRESS_MS : SLOW_COPIES_PROGRESS_MS
}

/** Looks every quarter of a second. */
async function comesAbout(
  group: SimGroup,
  condition: () => boolean,
  limitMs: number,
): Promise<boolean> {
  const { timeline } = group
  const untilMs = timeline.nowMs + limitMs
  while (!condition()) {
    if (timeline.nowMs >= untilMs) return false
    await timeline.run(timeline.nowMs + LOOK_MS)
  }
  return true
}
