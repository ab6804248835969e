// Keeps the launcher's record (operator/launcher-record.ts) as the members are, while the group runs.
//
// Invariants:
//   LR2. A record that cannot be written (the disk is full, the folder is gone) ends nobody, least of all the launcher and
//        with it the group: it is told once, and tried again until it is written.
import type { Log } from '../operator/log.ts'

const AGAIN_MS = 5_000

export class LauncherRecorder {
  readonly #write: () => void
  readonly #log: Pick<Log, 'error'>
  readonly #againMs: number
  #again: NodeJS.Timeout | null = null
  #isTold = false

  constructor(write: () => void, log: Pick<Log, 'error'>, againMs = AGAIN_MS) {
    this.#write = write
    this.#log = log
    this.#againMs = againMs
  }

  /** What is to be written has changed. */
  changed(): void {
    if (this.#again !== null) clearTimeout(this.#again)
    this.#again = null
    try {
      this.#write()
      this.#isTold = false
    } catch (error) {
      this.#tell(error)
      this.#again = setTimeout(() => this.changed(), this.#againMs).unref()
    }
  }

  #tell(error: unknown): void {
    if (this.#isTold) return
    this.#isTold = true
    const why = error instanceof Error ? error.message : String(error)
    const sentence = `what the members' health knows of their restarts cannot be written, and is tried again: ${why}`
    this.#log.error('record', sentence)
  }
}
