import { expect, test } from 'vitest'
import { Prng } from '../base/prng.ts'
import { readPattern, type Stamp, writePattern } from './pattern.ts'

function block(stamp: Stamp, blockBytes = 512): Uint8Array {
  const bytes = new Uint8Array(blockBytes).fill(0xaa)
  writePattern(bytes, 0, blockBytes, stamp)
  return bytes
}

test('P1 a stamped block is read as its stamp, anywhere in a buffer', () => {
  for (const blockBytes of [512, 4096]) {
    const stamp = { writer: 7, sequence: 0xffffffff, lba: 5 * 2 ** 32 + 9 }
    const bytes = new Uint8Array(3 * blockBytes).fill(1)
    writePattern(bytes, blockBytes, blockBytes, stamp)
    expect(readPattern(bytes, blockBytes, blockBytes)).toEqual({ kind: 'stamped', stamp })
    expect(bytes[blockBytes - 1]).toBe(1)
    expect(bytes[2 * blockBytes]).toBe(1)
    expect(readPattern(bytes, 0, blockBytes).kind).toBe('damaged')
  }
})

test('P1 any changed bit is found', () => {
  const stamp = { writer: 1, sequence: 2, lba: 3 }
  const bytes = block(stamp)
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const at = bit >> 3
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
    expect(readPattern(bytes, 0, 512).kind).toBe('damaged')
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7))
  }
  expect(readPattern(bytes, 0, 512).kind).toBe('stamped')
})

test('P1 zeros are zeros, and a block torn between two stamps is damaged', () => {
  expect(readPattern(new Uint8Array(512), 0, 512)).toEqual({ kind: 'zero' })
  const prng = new Prng(2)
  for (let i = 0; i < 200; i++) {
    const torn = block({ writer: 1, sequence: i + 1, lba: 3 })
    const other = block({ writer: 2, sequence: prng.integer(1, 1e6), lba: 3 })
    const at = prng.integer(1, 15) * 32
    torn.set(other.subarray(at), at)
    expect(readPattern(torn, 0, 512).kind).toBe('damaged')
  }
})

test('P2 two stamps differ in every 32 bytes', () => {
  const one = block({ writer: 1, sequence: 5, lba: 3 })
  for (const other of [
    { writer: 2, sequence: 5, lba: 3 },
    { writer: 1, sequence: 6, lba: 3 },
    { writer: 1, sequence: 5, lba: 4 },
  ]) {
    const bytes = block(other)
    for (let at = 0; at < 512; at += 32) {
      expect(bytes.subarray(at, at + 32)).not.toEqual(one.subarray(at, at + 32))
    }
  }
})
