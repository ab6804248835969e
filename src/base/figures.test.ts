import { describe, expect, test } from 'vitest'
import { formatAmount, formatMs, formatPercent, formatRate, formatSize } from './figures.ts'

describe('figures', () => {
  test('are printed as people read them', () => {
    expect(formatSize(0)).toBe('0 B')
    expect(formatSize(1023)).toBe('1023 B')
    expect(formatSize(1024 ** 3)).toBe('1 GiB')
    expect(formatSize(1.5 * 1024 ** 4)).toBe('1.5 TiB')
    expect(formatRate(3_686_400)).toBe('3.5 MiB/s')
    expect(formatPercent(0.666)).toBe('67 %')
    expect([0, 0.0344, 1.26, 41.2, 412].map(formatAmount)).toEqual([
      '0',
      '0.034',
      '1.3',
      '41',
      '412',
    ])
    expect(formatMs(1.149)).toBe('1.1 ms')
    expect(formatMs(null)).toBe('–')
  })
})
