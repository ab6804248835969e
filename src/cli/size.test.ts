import { describe, expect, test } from 'vitest'
import { parseSize } from './size.ts'

describe('sizes', () => {
  test('powers of 1024, or bytes', () => {
    expect(parseSize('1G')).toBe(1024 ** 3)
    expect(parseSize('512M')).toBe(512 * 1024 ** 2)
    expect(parseSize('1.5t')).toBe(1.5 * 1024 ** 4)
    expect(parseSize('2GiB')).toBe(2 * 1024 ** 3)
    expect(parseSize('8192')).toBe(8192)
  })

  test('what could mean two things, or nothing, is refused', () => {
    for (const text of ['1GB', 'G', '', '-1G', '1 000', '1e9']) {
      expect(() => parseSize(text), text).toThrow('powers of 1024')
    }
    for (const text of ['0.3', '99999999P'])
      expect(() => parseSize(text), text).toThrow('less than 8 PiB')
  })
})
