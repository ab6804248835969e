import { expect, test } from 'vitest'
import { bucketSeconds, DURATION_BUCKETS, Durations, durationBucket } from './durations.ts'

test('a duration is in the first bucket that is long enough for it', () => {
  for (let bucket = 1; bucket < DURATION_BUCKETS - 1; bucket += 1) {
    const longestMs = bucketSeconds(bucket) * 1_000
    expect(durationBucket(longestMs)).toBe(bucket)
    expect(durationBucket(longestMs * 1.01)).toBe(bucket + 1)
  }
  expect([-1, 0, 1e-9].map(durationBucket)).toEqual([0, 0, 0])
  expect(durationBucket(1e12)).toBe(DURATION_BUCKETS - 1)
})

test('what two have counted is put together, and taken apart', () => {
  const [a, b] = [new Durations(), new Durations()]
  for (const ms of [0.1, 3]) a.add(ms)
  b.add(70_000)
  a.addAll(b)
  expect(a).toMatchObject({ count: 3, sumMs: 70_003.1 })
  a.addAll(b, -1)
  expect(a.count).toBe(2)
  expect(a.buckets.reduce((sum, one) => sum + one, 0)).toBe(2)
})
