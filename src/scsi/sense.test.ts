import { describe, expect, it } from 'vitest'
import { conditions, senseData } from './sense.ts'
import { UnitAttentions } from './unit-attention.ts'

describe('sense data', () => {
  it('E1 fixed format points at a field of the CDB and its bit', () => {
    const field = { inCdb: true, pointer: 2, bit: 5 }
    const sense = senseData(conditions.invalidFieldInCdb, false, { field })
    expect([...sense]).toEqual([0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0, 0, 0xcd, 0, 2])
  })

  it('E1 fixed format points at a field of the parameter list without C/D', () => {
    const field = { inCdb: false, pointer: 0x0123 }
    const sense = senseData(conditions.invalidFieldInParameterList, false, { field })
    expect([...sense.subarray(12)]).toEqual([0x26, 0, 0, 0x80, 0x01, 0x23])
  })

  it('E2 descriptor format carries information and field pointer as descriptors', () => {
    const field = { inCdb: true, pointer: 10 }
    const sense = senseData(conditions.miscompare, true, { field, information: 0x1_0000_0002 })
    expect([...sense]).toEqual([
      ...[0x72, 0x0e, 0x1d, 0, 0, 0, 0, 20],
      ...[0x00, 0x0a, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 2],
      ...[0x02, 0x06, 0, 0, 0xc0, 0, 10, 0],
    ])
  })

  it('information sets VALID in fixed format, and is left out where it does not fit', () => {
    const small = senseData(conditions.miscompare, false, { information: 485 })
    expect([...small.subarray(0, 7)]).toEqual([0xf0, 0, 0x0e, 0, 0, 1, 0xe5])
    const large = senseData(conditions.miscompare, false, { information: 2 ** 32 })
    expect([...large.subarray(0, 7)]).toEqual([0x70, 0, 0x0e, 0, 0, 0, 0])
  })

  it('without details nothing is behind the code', () => {
    const plain = senseData(conditions.spaceAllocationFailed, false)
    expect([...plain]).toEqual([0x70, 0, 7, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x27, 0x07, 0, 0, 0, 0])
    expect([...senseData(conditions.unrecoveredReadError, true)]).toEqual([
      0x72, 3, 0x11, 0, 0, 0, 0, 0,
    ])
  })
})

describe('unit attentions', () => {
  it('wait in order, one of each kind', () => {
    const attentions = new UnitAttentions()
    attentions.raise('capacityChanged')
    attentions.raise('logicalUnitReset')
    attentions.raise('capacityChanged')
    expect(attentions.count).toBe(2)
    expect(attentions.take()).toEqual({ key: 6, asc: 0x2a, ascq: 0x09 })
    expect(attentions.take()).toEqual({ key: 6, asc: 0x29, ascq: 0x03 })
    expect(attentions.take()).toBeNull()
  })
})
