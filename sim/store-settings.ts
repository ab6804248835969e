// What the stores of a simulated group are opened with, and how slow their disks are to read.
import { Prng } from '../src/base/prng.ts'
import { type Accept, storeDefaults } from '../src/store/settings.ts'

const SLOW_READS_IN = 4

/** How long a read takes, in ms, of what is not in the page cache. */
export type SlowReads = () => number

/** In one seed of four, so that pages change and go while they are read (RD4, HO4 of src/store). By draws of their own: the other seeds are as they would be without. */
export function slowReadsIn(seed: number): SlowReads | null {
  if (seed % SLOW_READS_IN !== 0) return null
  const prng = new Prng(seed)
  return () => (prng.chance(0.1) ? prng.unit() * 3_000 : prng.unit() * 30)
}

export function simStore(slowReads: SlowReads | null, accept: Accept) {
  const small = { journalBytes: 512 * 1024, overlayBytes: 512 * 1024, cacheBytes: 16 * 1024 }
  // With one header in memory what is read is seldom in the page cache, as far as the store knows.
  const cachedPages = slowReads === null ? storeDefaults.cachedPages : 1
  const often = { slotsPerSegment: 2, checkpointAfterMs: 5_000 }
  return { ...storeDefaults, ...small, ...often, cachedPages, accept }
}
