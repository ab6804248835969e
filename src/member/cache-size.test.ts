import { expect, test } from 'vitest'
import { defaultCacheBytes } from './cache-size.ts'

const GIB = 1024 ** 3

test('the members of a machine share a 16th of its memory, and none takes more than 1 GiB', () => {
  expect(defaultCacheBytes(24 * GIB, 3)).toBe(GIB / 2)
  expect(defaultCacheBytes(GIB, 3)).toBe(Math.floor(GIB / 48))
  expect(defaultCacheBytes(512 * GIB, 2)).toBe(GIB)
})
