import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { write16, write32, write64 } from './cdb.ts'
import { plan } from './commands.ts'
import { limits, logicalUnit } from './logical-unit.ts'
import { newNexusState } from './nexus-state.ts'
import { type Plan, planData } from './plan.ts'

const unit = logicalUnit({ id: 1, iqn: 'iqn.x:1', bytes: 2 ** 33, blockBytes: 512 })

function list(descriptors: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = new Uint8Array(8 + 16 * descriptors.length)
  write16(bytes, 0, bytes.length - 2)
  write16(bytes, 2, bytes.length - 8)
  for (const [i, [lba, blocks]] of descriptors.entries()) {
    write64(bytes, 8 + 16 * i, lba)
    write32(bytes, 16 + 16 * i, blocks)
  }
  return bytes
}

function unmap(bytes: Uint8Array): Plan {
  const cdb = new Uint8Array(16)
  cdb[0] = 0x42
  write16(cdb, 7, bytes.length)
  const nexus = newNexusState()
  const made = plan(cdb, unit, nexus)
  return made.kind === 'parameters' ? planData(made, bytes, unit, nexus) : made
}

describe('UNMAP', () => {
  it('makes ranges of its descriptors and leaves out empty ones', () => {
    const ranges = [
      { offset: 512, bytes: 1024 },
      { offset: 5120, bytes: 512 },
    ]
    expect(
      unmap(
        list([
          [1, 2],
          [7, 0],
          [10, 1],
        ]),
      ),
    ).toMatchObject({ kind: 'unmap', ranges })
    const neighbours = list([
      [1, 1],
      [2, 1],
      [5, 0],
      [3, 4],
    ])
    expect(unmap(neighbours)).toMatchObject({ ranges: [{ offset: 512, bytes: 6 * 512 }] })
    expect(unmap(list([[unit.blocks, 0]]))).toMatchObject({ kind: 'good' })
    expect(unmap(list([]))).toMatchObject({ kind: 'good' })
    expect(unmap(new Uint8Array(0))).toMatchObject({ kind: 'good' })
  })

  it('refuses a list that ends early or a descriptor outside, and then nothing is unmapped', () => {
    expect(unmap(new Uint8Array(7))).toMatchObject({ condition: { key: 5, asc: 0x1a } })
    expect(unmap(list([[1, 2]]).subarray(0, 20))).toMatchObject({
      condition: { key: 5, asc: 0x1a },
    })
    const field = { inCdb: false, pointer: 24 }
    expect(
      unmap(
        list([
          [1, 2],
          [unit.blocks - 1, 2],
        ]),
      ),
    ).toMatchObject({ condition: { key: 5, asc: 0x21 }, detail: { field } })
  })

  it('takes as many descriptors and blocks as VPD page B0h says, and no more', () => {
    const many = (count: number) => list(Array.from({ length: count }, (_, i) => [i, 1] as const))
    expect(unmap(many(limits.unmapDescriptors))).toMatchObject({ kind: 'unmap' })
    expect(unmap(many(limits.unmapDescriptors + 1))).toMatchObject({
      condition: { key: 5, asc: 0x26 },
    })
    const most = limits.unmapBytes / 512
    expect(unmap(list([[0, most]]))).toMatchObject({ kind: 'unmap' })
    expect(
      unmap(
        list([
          [0, most],
          [most, 1],
        ]),
      ),
    ).toMatchObject({ condition: { asc: 0x26 }, detail: { field: { pointer: 32 } } })
  })

  it('P1 any list makes ranges inside the unit', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        if (bytes.length > 3) {
          bytes[2] = 0
          bytes[3] = Math.min(bytes.length, bytes[3] ?? 0)
        }
        const made = unmap(bytes)
        const ranges = made.kind === 'unmap' ? made.ranges : []
        for (const { offset, bytes: length } of ranges) {
          expect(offset + length).toBeLessThanOrEqual(unit.blocks * 512)
        }
      }),
    )
  })
})
