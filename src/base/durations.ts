// Durations as they are counted: in buckets that double, so that one more costs an addition, and what two have counted can
// be put together.

/** Bucket i has the durations of at most 2^i / 64 ms that no bucket before it has; the last one, all longer ones too. */
export const DURATION_BUCKETS = 24

export interface DurationCounts {
  readonly buckets: ArrayLike<number>
  readonly sumMs: number
  readonly count: number
}

export function durationBucket(ms: number): number {
  const bucket = ms <= 0 ? 0 : Math.max(0, Math.ceil(Math.log2(ms * 64)))
  return Math.min(DURATION_BUCKETS - 1, bucket)
}

/** The longest duration of a bucket, in seconds. */
export function bucketSeconds(bucket: number): number {
  return 2 ** bucket / 64_000
}

export class Durations implements DurationCounts {
  readonly buckets = new Float64Array(DURATION_BUCKETS)
  sumMs = 0
  count = 0

  add(ms: number): void {
    const bucket = durationBucket(ms)
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1
    this.sumMs += ms
    this.count += 1
  }

  /** With `times` -1 they are taken out again. */
  addAll({ buckets, sumMs, count }: DurationCounts, times: 1 | -1 = 1): void {
    for (let i = 0; i < DURATION_BUCKETS; i += 1) {
      this.buckets[i] = (this.buckets[i] ?? 0) + times * (buckets[i] ?? 0)
    }
    this.sumMs += times * sumMs
    this.count += times * count
  }
}
