import { expect, it } from 'vitest'
import { crc32c, crc32cOfBlocks, crc32cOfHeader } from './crc32c.ts'
import { Prng } from './prng.ts'
import { BLOCK_BYTES } from './sizes.ts'

const BLOCKS = 9
const prng = new Prng(1)
const bytes = Uint8Array.from({ length: BLOCKS * BLOCK_BYTES }, () => prng.integer(0, 255))
const checksums = new Uint32Array(BLOCKS + 2)
for (let block = 0; block < BLOCKS; block += 1) {
  checksums[block + 1] = crc32c(bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES))
}

it('has its check value, by either routine', () => {
  const text = new TextEncoder().encode('123456789')
  expect(crc32c(text)).toBe(0xe3069283)
  expect(crc32cOfHeader(text, 0, text.length)).toBe(0xe3069283)
})

it('of blocks in a row follows from theirs, wherever they begin and however many they are', () => {
  for (let first = 0; first < BLOCKS; first += 1) {
    for (let count = 1; first + count <= BLOCKS; count += 1) {
      const part = bytes.subarray(first * BLOCK_BYTES, (first + count) * BLOCK_BYTES)
      expect(crc32cOfBlocks(checksums, first + 1, count)).toBe(crc32c(part))
    }
  }
})
