// What goes into an archive of `evenkeel support`, and what could not be had for it.
//
// Invariants:
//   GA1. All of it together is bounded; what would be too much is left out, and told.
//   GA2. Each file has a name of its own, also of two configurations that are called the same.
import type { TarFile } from './tar.ts'

/** Of all files, before they are compressed. */
const BYTES_MAX = 64 * 2 ** 20
const WHY_MAX = 300

export interface Missing {
  readonly what: string
  readonly why: string
}

export class Gathered {
  readonly #files: TarFile[] = []
  readonly #missing: Missing[] = []
  #bytes = 0

  get files(): readonly TarFile[] {
    return this.#files
  }

  get missing(): readonly Missing[] {
    return this.#missing
  }

  /** What `read` returns; if it throws, why it did. */
  take(name: string, read: () => string): void {
    try {
      this.#add(name, read())
    } catch (error) {
      this.miss(name, error instanceof Error ? error.message : String(error))
    }
  }

  miss(what: string, why: string): void {
    this.#missing.push({ what, why: why.slice(0, WHY_MAX) })
  }

  #add(name: string, text: string): void {
    const bytes = Buffer.byteLength(text)
    if (this.#bytes + bytes > BYTES_MAX) return this.miss(name, 'the archive has enough without it')
    this.#bytes += bytes
    this.#files.push({ name: this.#ownName(name), text })
  }

  /** GA2. */
  #ownName(name: string): string {
    let own = name
    for (let count = 2; this.#files.some((file) => file.name === own); count += 1)
      own = `${name}-${count}`
    return own
  }
}
