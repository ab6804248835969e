// Whether the coordinator's file, which is open, is still the one at its path: SQLite goes on in a file that was unlinked,
// and would lose there what it calls committed.
//
// The file and what SQLite keeps beside it (-wal, which holds what is newest, and -shm) stay while a connection is open:
// none is removed, replaced or made shorter by anybody but from outside. From outside the -wal may be emptied rightfully too,
// by a tool that checkpoints the file (wal_checkpoint(TRUNCATE)): then all of it is in the file.
import { type Stats, statSync } from 'node:fs'

const SUFFIXES = ['', '-wal', '-shm'] as const

interface Seen {
  readonly path: string
  readonly suffix: string
  readonly dev: number
  readonly ino: number
  bytes: number
}

export class FileWatch {
  readonly #seen: readonly Seen[]
  readonly #isWhole: () => boolean

  /** `isWhole`: asked when the -wal was made shorter; may throw. Of a file that has been opened, and read from: the three are there. */
  constructor(file: string, isWhole: () => boolean) {
    this.#isWhole = isWhole
    this.#seen = SUFFIXES.map((suffix) => {
      const path = file + suffix
      const { dev, ino, size } = statSync(path)
      return { path, suffix, dev, ino, bytes: size }
    })
  }

  /** What has become of the file, as 'was removed'; null: nothing. Three calls of stat, some microseconds. */
  look(): string | null {
    for (const seen of this.#seen) {
      const now = statOf(seen.path)
      const part = seen.suffix === '' ? '' : `has lost a part of it: ${seen.path} `
      if (now === null) return `${part}was removed`
      if (now.dev !== seen.dev || now.ino !== seen.ino) return `${part}was replaced by another file`
      if (now.size < seen.bytes && !(seen.suffix === '-wal' && this.#isWhole()))
        return `${part}was cut off`
      seen.bytes = now.size
    }
    return null
  }
}

function statOf(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null
}
