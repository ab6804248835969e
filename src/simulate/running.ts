// What a run shares with its distributor.
import type { Chance } from './chance.ts'
import type { MoveSession } from './policies.ts'
import type { Timing } from './scenario.ts'
import type { World } from './world.ts'

export interface Running {
  readonly world: World
  readonly timing: Timing
  readonly draining: ReadonlySet<number>
  /** Of decisions, and of what gets lost. */
  readonly luck: Chance
  readonly logins: Chance
  readonly move: MoveSession
}
