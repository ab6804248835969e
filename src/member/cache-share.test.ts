import { totalmem } from 'node:os'
import { describe, expect, test } from 'vitest'
import { cacheShare, memoryBytes } from './cache-share.ts'

const MIB = 2 ** 20
const GIB = 1024 * MIB

describe('the memory for blocks that are read often', () => {
  test('is a sixteenth of the machine, dealt out to its members, between 8 and 256 MiB each', () => {
    expect(cacheShare(GIB, 1)).toBe(64 * MIB)
    expect(cacheShare(3 * GIB, 3)).toBe(64 * MIB)
    expect(cacheShare(GIB, 32)).toBe(8 * MIB)
    expect(cacheShare(256 * GIB, 3)).toBe(256 * MIB)
  })

  test('is of no more than there is', () => {
    expect(memoryBytes()).toBeGreaterThan(0)
    expect(memoryBytes()).toBeLessThanOrEqual(totalmem())
  })
})
