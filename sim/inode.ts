// A file of the simulated disk apart from its name: its bytes as they are read now, and by sector what a power cut may
// leave instead. A file takes room by chunks, where something was written.

export const SECTOR = 512
export const CHUNK = 16 * 1024

/** Chooses one of `choices` numbers from 0 on. */
export type Choose = (choices: number) => number

interface Pending {
  /** What is on stable media. */
  readonly base: Uint8Array
  /** What it was overwritten with, oldest first, each with its write's number. */
  readonly versions: { readonly number: number; readonly bytes: Uint8Array }[]
}

/** A file apart from its name. */
export class Inode {
  readonly chunks = new Map<number, Uint8Array>()
  readonly pending = new Map<number, Pending>()
  size = 0
  durableSize = 0
  readonly identity: string

  constructor(identity: string) {
    this.identity = identity
  }

  read(into: Uint8Array, offset: number): number {
    const bytes = Math.max(0, Math.min(into.length, this.size - offset))
    for (let at = 0; at < bytes; ) {
      const within = (offset + at) % CHUNK
      const take = Math.min(CHUNK - within, bytes - at)
      const chunk = this.chunks.get(Math.floor((offset + at) / CHUNK))
      if (chunk === undefined) into.fill(0, at, at + take)
      else into.set(chunk.subarray(within, within + take), at)
      at += take
    }
    return bytes
  }

  /** What a write of this range would take besides what the file has. */
  missingBytes(from: number, to: number): number {
    let missing = 0
    for (let index = Math.floor(from / CHUNK); index * CHUNK < to; index += 1) {
      if (!this.chunks.has(index)) missing += CHUNK
    }
    return missing
  }

  sector(number: number): Uint8Array {
    const first = number * SECTOR
    const index = Math.floor(first / CHUNK)
    let chunk = this.chunks.get(index)
    if (chunk === undefined) {
      chunk = new Uint8Array(CHUNK)
      this.chunks.set(index, chunk)
    }
    return chunk.subarray(first % CHUNK, (first % CHUNK) + SECTOR)
  }

  write(bytes: Uint8Array, offset: number, number: number): void {
    const end = offset + bytes.length
    for (let at = offset; at < end; ) {
      const sector = Math.floor(at / SECTOR)
      const to = Math.min(end, (sector + 1) * SECTOR)
      const live = this.sector(sector)
      let pending = this.pending.get(sector)
      if (pending === undefined) {
        pending = { base: live.slice(), versions: [] }
        this.pending.set(sector, pending)
      }
      live.set(bytes.subarray(at - offset, to - offset), at % SECTOR)
      pending.versions.push({ number, bytes: live.slice() })
      at = to
    }
    this.size = Math.max(this.size, end)
  }

  /** Writes up to this number are on stable media, of these sectors or of all. */
  settle(number: number, first = 0, last = Number.MAX_SAFE_INTEGER): void {
    for (const [sector, pending] of this.pending) {
      if (sector < first || sector > last) continue
      const later = pending.versions.filter((version) => version.number > number)
      const settled = pending.versions.filter((version) => version.number <= number).at(-1)
      if (later.length === 0) this.pending.delete(sector)
      else if (settled !== undefined) {
        this.pending.set(sector, { base: settled.bytes, versions: later })
      }
    }
    this.durableSize = this.size
  }

  crash(choose: Choose): void {
    for (const [sector, { base, versions }] of this.pending) {
      const chosen = choose(versions.length + 1)
      this.sector(sector).set(chosen === 0 ? base : (versions[chosen - 1]?.bytes ?? base))
    }
    this.pending.clear()
    if (this.size !== this.durableSize && choose(2) === 0) this.resize(this.durableSize)
    this.durableSize = this.size
  }

  resize(bytes: number): void {
    if (bytes < this.size) {
      for (const index of this.chunks.keys()) {
        const keep = bytes - index * CHUNK
        if (keep <= 0) this.chunks.delete(index)
        else if (keep < CHUNK) this.chunks.get(index)?.fill(0, keep)
      }
      for (const sector of this.pending.keys()) {
        if (sector * SECTOR >= bytes) this.pending.delete(sector)
      }
    }
    this.size = bytes
  }

  clone(identity = this.identity): Inode {
    const copy = new Inode(identity)
    for (const [index, chunk] of this.chunks) copy.chunks.set(index, chunk.slice())
    for (const [sector, { base, versions }] of this.pending) {
      copy.pending.set(sector, { base, versions: [...versions] })
    }
    copy.size = this.size
    copy.durableSize = this.durableSize
    return copy
  }
}
