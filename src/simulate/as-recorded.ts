// The distributor that does what was really done: sessions are where the recording has them.
import type { Distributor } from './policies.ts'
import type { RecordedDemand } from './recording.ts'
import type { Running } from './running.ts'

export class AsRecorded implements Distributor {
  readonly everySeconds = 1
  readonly #run: Running
  readonly #recorded: RecordedDemand

  constructor(run: Running, recorded: RecordedDemand) {
    this.#run = run
    this.#recorded = recorded
  }

  place(session: number, home: number, t: number): number {
    const at = this.#recorded.servedAt(session, t)
    return at >= 0 && this.#run.world.alive[at] ? at : home
  }

  came(): void {}
  went(): void {}
  moved(): void {}
  measured(): void {}
  joined(): void {}
  removed(): void {}
  drainRound(): void {}

  /** A decision of one second is there in the next one. */
  round(s: number, t: number): void {
    const { world, move } = this.#run
    for (const session of [...(world.at[s] ?? [])]) {
      const to = this.#recorded.servedAt(session, t + 1)
      if (to >= 0 && to !== s && world.alive[to]) move(session, to, t, false)
    }
  }
}
