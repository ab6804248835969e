import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lbaStatus } from './capacity.ts'
import { read32, read64 } from './cdb.ts'
import { commands, plan, planCommand, planWithoutUnit } from './commands.ts'
import { type LogicalUnit, limits, logicalUnit } from './logical-unit.ts'
import { newNexusState } from './nexus-state.ts'
import type { Plan } from './plan.ts'

const MIB = 1024 * 1024
const unit = logicalUnit({ id: 1, iqn: 'iqn.x:1', bytes: 64 * MIB, blockBytes: 512 })
const unit4k = logicalUnit({ id: 1, iqn: 'iqn.x:1', bytes: 64 * MIB, blockBytes: 4096 })
const blocks = unit.blocks

function run(bytes: readonly number[], of: LogicalUnit = unit, nexus = newNexusState()): Plan {
  return { ...plan(Uint8Array.from([...bytes, ...Array(16 - bytes.length).fill(0)]), of, nexus) }
}

const be = (value: number, bytes: number) =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256)

/** The CDB of each length for one opcode of each, with an LBA, a count and flags. */
const cdbs = {
  6: (opcode: number, lba: number, count: number, flags = 0) => [
    opcode,
    flags | (lba >> 16),
    ...be(lba & 0xffff, 2),
    count,
  ],
  10: (opcode: number, lba: number, count: number, flags = 0) => [
    opcode,
    flags,
    ...be(lba, 4),
    0,
    ...be(count, 2),
  ],
  12: (opcode: number, lba: number, count: number, flags = 0) => [
    opcode,
    flags,
    ...be(lba, 4),
    ...be(count, 4),
  ],
  16: (opcode: number, lba: number, count: number, flags = 0) => [
    opcode,
    flags,
    ...be(lba, 8),
    ...be(count, 4),
  ],
}
type Length = keyof typeof cdbs

const outOfRange = { kind: 'sense', condition: { key: 5, asc: 0x21, ascq: 0 } }
const invalidField = { kind: 'sense', condition: { key: 5, asc: 0x24, ascq: 0 } }
const moves: readonly (readonly [string, Length, number, Partial<Plan>])[] = [
  ['READ', 10, 0x28, { kind: 'read' }],
  ['READ', 12, 0xa8, { kind: 'read' }],
  ['READ', 16, 0x88, { kind: 'read' }],
  ['WRITE', 10, 0x2a, { kind: 'write' }],
  ['WRITE', 12, 0xaa, { kind: 'write' }],
  ['WRITE', 16, 0x8a, { kind: 'write' }],
  ['WRITE AND VERIFY', 10, 0x2e, { kind: 'writeAndVerify', compare: false }],
  ['WRITE AND VERIFY', 12, 0xae, { kind: 'writeAndVerify', compare: false }],
  ['WRITE AND VERIFY', 16, 0x8e, { kind: 'writeAndVerify', compare: false }],
  ['VERIFY', 10, 0x2f, { kind: 'verify', compare: 'nothing' }],
  ['VERIFY', 12, 0xaf, { kind: 'verify', compare: 'nothing' }],
  ['VERIFY', 16, 0x8f, { kind: 'verify', compare: 'nothing' }],
]

describe.each(moves)('%s (%i)', (_, length, opcode, expected) => {
  const cdb = cdbs[length]

  it('is an extent in bytes of the volume', () => {
    expect(run(cdb(opcode, 5, 3))).toMatchObject({ ...expected, offset: 2560, bytes: 1536 })
    expect(run(cdb(opcode, 5, 3), unit4k)).toMatchObject({
      ...expected,
      offset: 20480,
      bytes: 12288,
    })
    expect(run(cdb(opcode, blocks - 1, 1))).toMatchObject({ offset: 64 * MIB - 512, bytes: 512 })
  })

  it('P1 ends inside the unit, and a count of zero is no extent', () => {
    expect(run(cdb(opcode, blocks - 1, 2))).toMatchObject(outOfRange)
    expect(run(cdb(opcode, blocks, 1))).toMatchObject(outOfRange)
    expect(run(cdb(opcode, 0xffffffff, 1))).toMatchObject(outOfRange)
    expect(run(cdb(opcode, blocks + 1, 0))).toMatchObject(outOfRange)
    expect(run(cdb(opcode, blocks, 0))).toMatchObject({ kind: 'good', transferBytes: 0 })
    expect(run(cdb(opcode, 0, 0))).toMatchObject({ kind: 'good' })
  })

  it('P1 is no longer than MAXIMUM TRANSFER LENGTH', () => {
    const most = limits.transferBytes / 512
    expect(run(cdb(opcode, 0, most))).toMatchObject({ bytes: limits.transferBytes })
    expect(run(cdb(opcode, 0, most + 1))).toMatchObject(invalidField)
  })

  it('K1 refuses every protection field at bit 7 to 5 of byte 1, and NACA; takes DPO', () => {
    for (const [protect, bit] of [
      [1, 5],
      [2, 6],
      [4, 7],
      [7, 7],
    ] as const) {
      const field = { inCdb: true, pointer: 1, bit }
      expect(run(cdb(opcode, 0, 1, protect << 5))).toMatchObject({
        ...invalidField,
        detail: { field },
      })
    }
    expect(run(cdb(opcode, 0, 1, 0x10))).toMatchObject(expected)
    const naca = [...cdb(opcode, 0, 1), ...Array(16).fill(0)].slice(0, length)
    naca[length - 1] = 0x04
    expect(run(naca)).toMatchObject({
      ...invalidField,
      detail: { field: { pointer: length - 1, bit: 2 } },
    })
  })
})

describe('extents', () => {
  it('READ (6) and WRITE (6) have 21 bits of LBA and 256 blocks for 0', () => {
    expect(run(cdbs[6](0x08, 0x1ffff, 1))).toMatchObject({ kind: 'read', offset: 0x1ffff * 512 })
    expect(run(cdbs[6](0x0a, 1, 0))).toMatchObject({ kind: 'write', offset: 512, bytes: 256 * 512 })
    expect(run(cdbs[6](0x08, 0x1fffff, 1))).toMatchObject(outOfRange)
  })

  it('FUA and FUA_NV are taken by READ and WRITE', () => {
    expect(run(cdbs[10](0x28, 0, 1, 0x1a))).toMatchObject({ kind: 'read' })
    expect(run(cdbs[10](0x2a, 0, 1, 0x1a))).toMatchObject({ kind: 'write' })
  })

  it('VERIFY: BYTCHK 1 compares all, 3 one block, 2 is reserved', () => {
    const data = {
      kind: 'verify',
      compare: 'data',
      direction: 'out',
      transferBytes: 1024,
      bytes: 1024,
    }
    expect(run(cdbs[10](0x2f, 0, 2, 0x02))).toMatchObject(data)
    const block = {
      kind: 'verify',
      compare: 'block',
      direction: 'out',
      transferBytes: 512,
      bytes: 1024,
    }
    expect(run(cdbs[10](0x2f, 0, 2, 0x06))).toMatchObject(block)
    const nothing = { compare: 'nothing', direction: 'none', transferBytes: 0, bytes: 1024 }
    expect(run(cdbs[10](0x2f, 0, 2))).toMatchObject(nothing)
    const field = { pointer: 1, bit: 2 }
    expect(run(cdbs[10](0x2f, 0, 2, 0x04))).toMatchObject({ ...invalidField, detail: { field } })
  })

  it('WRITE AND VERIFY: BYTCHK 1 compares, 2 and 3 are refused', () => {
    expect(run(cdbs[10](0x2e, 0, 2, 0x02))).toMatchObject({ compare: true, transferBytes: 1024 })
    expect(run(cdbs[10](0x2e, 0, 2, 0x06))).toMatchObject({
      ...invalidField,
      detail: { field: { bit: 2 } },
    })
  })

  it('WRITE SAME sends one block; NDOB none; zero blocks, anchors and too many are refused', () => {
    const same = { kind: 'writeSame', offset: 512, bytes: 1024 }
    expect(run(cdbs[10](0x41, 1, 2))).toMatchObject({
      ...same,
      fill: 'data',
      unmap: false,
      transferBytes: 512,
    })
    expect(run(cdbs[10](0x41, 1, 2, 0x08))).toMatchObject({ ...same, fill: 'data', unmap: true })
    expect(run(cdbs[16](0x93, 1, 2, 0x09))).toMatchObject({
      ...same,
      fill: 'zeros',
      unmap: true,
      transferBytes: 0,
    })
    expect(run(cdbs[10](0x41, 1, 2, 0x01))).toMatchObject(invalidField)
    expect(run(cdbs[16](0x93, 1, 2, 0x10))).toMatchObject({
      ...invalidField,
      detail: { field: { bit: 4 } },
    })
    expect(run(cdbs[16](0x93, 1, 0))).toMatchObject({
      ...invalidField,
      detail: { field: { pointer: 10 } },
    })
    expect(run(cdbs[16](0x93, 0, 32768))).toMatchObject({ bytes: 16 * MIB })
    expect(run(cdbs[16](0x93, 0, 32769))).toMatchObject(invalidField)
    expect(run(cdbs[16](0x93, blocks, 1))).toMatchObject(outOfRange)
  })

  it('COMPARE AND WRITE is one block, twice on the wire', () => {
    const cdb = (lba: number, count: number) => [0x89, 0, ...be(lba, 8), 0, 0, 0, count]
    expect(run(cdb(3, 1))).toMatchObject({
      kind: 'compareAndWrite',
      offset: 1536,
      bytes: 512,
      transferBytes: 1024,
    })
    expect(run(cdb(3, 1), unit4k)).toMatchObject({
      offset: 12288,
      bytes: 4096,
      transferBytes: 8192,
    })
    expect(run(cdb(3, 2))).toMatchObject({ ...invalidField, detail: { field: { pointer: 13 } } })
    expect(run(cdb(blocks, 1))).toMatchObject(outOfRange)
    expect(run(cdb(3, 0))).toMatchObject({ kind: 'compareAndWrite', bytes: 0, transferBytes: 0 })
  })

  it.each([
    [0x35, 10],
    [0x91, 16],
    [0x34, 10],
    [0x90, 16],
  ] as const)('opcode %i does nothing inside the unit', (opcode, length) => {
    expect(run(cdbs[length](opcode, 0, 0, 0x02))).toMatchObject({ kind: 'good' })
    expect(run(cdbs[length](opcode, 0, 60_000))).toMatchObject({ kind: 'good' })
    expect(run(cdbs[length](opcode, blocks - 1, 2))).toMatchObject(outOfRange)
  })

  it('SWP stops everything that writes, and only that', () => {
    const nexus = newNexusState()
    nexus.softwareWriteProtect = true
    const stopped = { kind: 'sense', condition: { key: 7, asc: 0x27, ascq: 2 } }
    const writers = [
      cdbs[6](0x0a, 0, 1),
      cdbs[10](0x2a, 0, 1),
      cdbs[16](0x8e, 0, 1),
      cdbs[10](0x41, 0, 1),
      [0x89, ...Array(12).fill(0), 1],
      [0x42, 0, 0, 0, 0, 0, 0, 0, 8],
    ]
    for (const cdb of writers) expect(run(cdb, unit, nexus)).toMatchObject(stopped)
    for (const cdb of [cdbs[10](0x28, 0, 1), cdbs[10](0x2f, 0, 1), cdbs[10](0x35, 0, 1)]) {
      expect(run(cdb, unit, nexus).kind).not.toBe('sense')
    }
  })
})

describe('other commands', () => {
  const answered = (bytes: readonly number[], of = unit) => {
    const made = run(bytes, of)
    if (made.kind !== 'dataIn') throw new Error(`not answered: ${JSON.stringify(made)}`)
    return [...made.data]
  }

  it('READ CAPACITY (10) saturates, (16) does not and tells the physical block and thin provisioning', () => {
    expect(answered([0x25])).toEqual([0, 1, 0xff, 0xff, 0, 0, 2, 0])
    const huge = logicalUnit({ id: 1, iqn: 'iqn.x:1', bytes: 2 ** 42, blockBytes: 512 })
    expect(answered([0x25], huge)).toEqual([0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0])
    const long = [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32]
    expect(answered(long, huge).slice(0, 16)).toEqual([
      0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0, 0, 3, 0xc0, 0,
    ])
    expect(answered(long, unit4k).slice(8, 16)).toEqual([0, 0, 16, 0, 0, 0, 0xc0, 0])
    expect(answered(long).length).toBe(32)
  })

  it('GET LBA STATUS asks for as many descriptors as have room, and refuses a block behind the end', () => {
    const cdb = (lba: number, room: number) => [0x9e, 0x12, ...be(lba, 8), ...be(room, 4)]
    for (const [room, descriptors] of [
      [24, 1],
      [8, 1],
      [0, 1],
      [8 + 5 * 16 + 3, 5],
      [2 ** 20, 256],
    ] as const) {
      const reach = { offset: 5 * 512, bytes: (blocks - 5) * 512 }
      const made = {
        kind: 'lbaStatus',
        direction: 'in',
        transferBytes: Math.min(room, 8 + 16 * descriptors),
        ...reach,
        descriptors,
      }
      expect(run(cdb(5, room))).toEqual(made)
    }
    expect(run(cdb(blocks, 24))).toMatchObject(outOfRange)
  })

  it('GET LBA STATUS tells what is there and what is not, without a gap, in the blocks of the unit', () => {
    const made = {
      ...({ kind: 'lbaStatus', direction: 'in', transferBytes: 1000 } as const),
      ...{ offset: 5 * 512, bytes: 2 ** 20, descriptors: 3 },
    }
    const told = (known: Parameters<typeof lbaStatus>[2], plan = made) => {
      const data = lbaStatus(plan, unit, known)
      const list: (readonly [lba: number, count: number, status: number])[] = []
      for (let at = 8; at + 16 <= data.length; at += 16) {
        list.push([read64(data, at), read32(data, at + 8), data[at + 12] ?? -1])
      }
      expect(read32(data, 0)).toBe(data.length - 4)
      return list
    }
    const upTo = 2 ** 20
    expect(told({ upTo, extents: [] })).toEqual([[5, 2043, 1]])
    expect(told({ upTo, extents: [[0, upTo]] })).toEqual([[5, 2043, 0]])
    const extents = [
      [0, 4096],
      [8192, 12_288],
      [16_384, 20_480],
    ] as const
    expect(told({ upTo, extents })).toEqual([
      [5, 3, 0],
      [8, 8, 1],
      [16, 8, 0],
    ])
    expect(told({ upTo, extents }, { ...made, descriptors: 1 })).toEqual([[5, 3, 0]])
    expect(told({ upTo: 12_288, extents: extents.slice(1, 2) })).toEqual([
      [5, 11, 1],
      [16, 8, 0],
    ])
    expect(lbaStatus({ ...made, transferBytes: 9 }, unit, { upTo, extents: [] }).length).toBe(9)
  })

  it('REPORT LUNS: LUN 0, no well-known ones', () => {
    const cdb = (select: number) => [0xa0, 0, select, 0, 0, 0, 0, 0, 0, 255]
    for (const select of [0, 2])
      expect(answered(cdb(select))).toEqual([0, 0, 0, 8, ...Array(12).fill(0)])
    expect(answered(cdb(1))).toEqual(Array(8).fill(0))
    expect(run(cdb(3))).toMatchObject({ ...invalidField, detail: { field: { pointer: 2 } } })
  })

  it('START STOP UNIT, SEND DIAGNOSTIC and TEST UNIT READY are good; ejecting is not', () => {
    for (const cdb of [[0x00], [0x1b, 0, 0, 0, 1], [0x1b, 1, 0, 0, 0], [0x1d, 4]]) {
      expect(run(cdb)).toMatchObject({ kind: 'good', direction: 'none' })
    }
    expect(run([0x1b, 0, 0, 0, 2])).toMatchObject({
      ...invalidField,
      detail: { field: { pointer: 4, bit: 1 } },
    })
    expect(run([0x1d, 0, 0, 0, 8])).toMatchObject(invalidField)
  })

  it('what is not in the table is 5/20/00: reservations too', () => {
    for (const opcode of [0x04, 0x16, 0x17, 0x56, 0x57, 0x5e, 0x5f, 0x83, 0x84, 0xff]) {
      expect(run([opcode])).toMatchObject({ condition: { key: 5, asc: 0x20, ascq: 0 } })
    }
  })

  it('an unknown service action is 5/24/00 at byte 1', () => {
    expect(run([0xa3, 0x05])).toMatchObject({
      ...invalidField,
      detail: { field: { inCdb: true, pointer: 1, bit: 4 } },
    })
  })
})

describe('unit attentions', () => {
  it('K2 are reported once, before the command, but not by INQUIRY, REPORT LUNS and REQUEST SENSE', () => {
    const nexus = newNexusState()
    nexus.attentions.raise('logicalUnitReset')
    expect(run([0x12, 0, 0, 0, 36], unit, nexus).kind).toBe('dataIn')
    expect(run([0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16], unit, nexus).kind).toBe('dataIn')
    expect(run([0x00], unit, nexus)).toMatchObject({ condition: { key: 6, asc: 0x29, ascq: 3 } })
    expect(run([0x00], unit, nexus)).toMatchObject({ kind: 'good' })
  })

  it('REQUEST SENSE takes them as data, in the format it asks for', () => {
    const nexus = newNexusState()
    nexus.attentions.raise('capacityChanged')
    const first = run([0x03, 1, 0, 0, 252], unit, nexus)
    expect(first).toMatchObject({
      kind: 'dataIn',
      data: Uint8Array.of(0x72, 6, 0x2a, 9, 0, 0, 0, 0),
    })
    const then = run([0x03, 0, 0, 0, 18], unit, nexus)
    expect(then.kind === 'dataIn' && [...then.data]).toEqual([
      0x70,
      0,
      0,
      0,
      0,
      0,
      0,
      10,
      ...Array(10).fill(0),
    ])
  })

  it('planning again with the data that came leaves them alone', () => {
    const nexus = newNexusState()
    nexus.attentions.raise('capacityChanged')
    const cdb = Uint8Array.from([...cdbs[10](0x2a, 0, 1), ...Array(6).fill(0)])
    expect(planCommand(cdb, unit, nexus).kind).toBe('write')
    expect(nexus.attentions.count).toBe(1)
  })
})

describe('a plan', () => {
  it('P3 is valid until the next one is made, and planning again makes it anew', () => {
    for (const [opcode, kind] of [
      [0x28, 'read'],
      [0x2a, 'write'],
    ] as const) {
      const cdb = (lba: number, count: number) =>
        Uint8Array.from([...cdbs[10](opcode, lba, count), ...Array(6).fill(0)])
      const first = planCommand(cdb(8, 2), unit, newNexusState())
      const asPlanned = { ...first }
      expect(asPlanned).toMatchObject({ kind, offset: 4096, bytes: 1024, transferBytes: 1024 })
      const second = planCommand(cdb(16, 1), unit, newNexusState())
      expect(second).toBe(first)
      expect(second).toMatchObject({ kind, offset: 8192, bytes: 512, transferBytes: 512 })
      expect({ ...planCommand(cdb(8, 2), unit, newNexusState()) }).toEqual(asPlanned)
    }
  })
})

describe('the table', () => {
  it('has the CDB length that the opcode group says (SPC-4 §4.2.5.1)', () => {
    const groups: Record<number, number> = { 0: 6, 1: 10, 2: 10, 4: 16, 5: 12 }
    for (const { opcode, usage } of commands) expect(usage.length).toBe(groups[opcode >> 5])
  })

  it('has each command once, and opcodes either with or without service actions', () => {
    const seen = new Set(commands.map((c) => `${c.opcode}/${c.serviceAction}`))
    expect(seen.size).toBe(commands.length)
    for (const { opcode } of commands) {
      const kinds = new Set(
        commands.filter((c) => c.opcode === opcode).map((c) => c.serviceAction === null),
      )
      expect(kinds.size).toBe(1)
    }
  })

  it('P2 random CDBs make a plan inside the unit, whose transfer is bounded and has a direction', () => {
    const opcodes = commands.map(({ opcode, serviceAction }) => [opcode, serviceAction] as const)
    const start = fc.oneof(
      fc.tuple(fc.integer({ min: 0, max: 255 }), fc.constant(null)),
      fc.constantFrom(...opcodes),
    )
    const bytes = fc.oneof(fc.uint8Array({ minLength: 15, maxLength: 15 }), sparse())
    fc.assert(
      fc.property(
        start,
        bytes,
        fc.constantFrom(unit, unit4k),
        fc.boolean(),
        ([opcode, action], rest, of, swp) => {
          const cdb = Uint8Array.from([opcode, ...rest])
          if (action !== null) cdb[1] = action
          const nexus = newNexusState()
          nexus.softwareWriteProtect = swp
          check(plan(cdb, of, nexus), of)
          check(planWithoutUnit(cdb), of)
        },
      ),
      { numRuns: 5_000 },
    )
  })
})

/** Mostly zeros, so that the masks are passed often. */
function sparse(): fc.Arbitrary<Uint8Array> {
  const byte = fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
  )
  return fc.array(byte, { minLength: 15, maxLength: 15 }).map((list) => Uint8Array.from(list))
}

function check(made: Plan, of: LogicalUnit): void {
  expect(made.transferBytes).toBeGreaterThanOrEqual(0)
  expect(made.transferBytes).toBeLessThanOrEqual(limits.transferBytes)
  expect(made.transferBytes === 0 || made.direction !== 'none').toBe(true)
  if ('offset' in made) {
    expect(made.bytes).toBeGreaterThanOrEqual(made.kind === 'compareAndWrite' ? 0 : 1)
    const most = made.kind === 'lbaStatus' ? limits.lbaStatusBytes : limits.writeSameBytes
    expect(made.bytes).toBeLessThanOrEqual(most)
    expect(made.offset + made.bytes).toBeLessThanOrEqual(of.blocks * of.blockBytes)
    expect(made.offset % of.blockBytes).toBe(0)
  }
  if (made.kind === 'dataIn') expect(made.data.length).toBe(made.transferBytes)
}
