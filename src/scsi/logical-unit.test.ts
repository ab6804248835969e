import { describe, expect, it } from 'vitest'
import { BrokenInvariant } from '../base/assert.ts'
import { logicalUnit } from './logical-unit.ts'

const volume = {
  id: 7,
  iqn: 'iqn.2026-11.dev.evenkeel:demo-7',
  bytes: 64 * 1024 * 1024,
  blockBytes: 512,
} as const

describe('logical unit', () => {
  it('L1 identity depends on the target name and the volume id alone', () => {
    const unit = logicalUnit(volume)
    const resized = logicalUnit({ ...volume, bytes: 2 * volume.bytes, blockBytes: 4096 })
    expect(resized.serial).toBe(unit.serial)
    expect(resized.naa).toEqual(unit.naa)
    expect(logicalUnit({ ...volume, id: 8 }).serial).not.toBe(unit.serial)
    expect(logicalUnit({ ...volume, iqn: `${volume.iqn}0` }).serial).not.toBe(unit.serial)
  })

  it('L1 identity is the one that is already in the field', () => {
    const unit = logicalUnit(volume)
    expect(unit.serial).toBe('3a9a0269e187405a')
    expect(unit.naa.length).toBe(8)
    expect((unit.naa[0] ?? 0) >> 4).toBe(3)
  })

  it('identities of many volumes do not collide', () => {
    const serials = new Set<string>()
    for (let id = 0; id < 20_000; id += 1) {
      const iqn = `iqn.2026-11.dev.evenkeel:demo-${id}`
      serials.add(logicalUnit({ ...volume, id, iqn }).serial)
    }
    expect(serials.size).toBe(20_000)
  })

  it('is a whole number of blocks', () => {
    expect(logicalUnit(volume).blocks).toBe(131_072)
    expect(() => logicalUnit({ ...volume, bytes: volume.bytes + 100 })).toThrow(BrokenInvariant)
  })
})
