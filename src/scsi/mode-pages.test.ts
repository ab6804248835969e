import { describe, expect, it } from 'vitest'
import { plan } from './commands.ts'
import { logicalUnit } from './logical-unit.ts'
import { holdsState, type NexusState, newNexusState } from './nexus-state.ts'
import { type Plan, planData } from './plan.ts'

const unit = logicalUnit({ id: 1, iqn: 'iqn.x:1', bytes: 64 * 1024 * 1024, blockBytes: 512 })
const blocks = [0, 2, 0, 0]

function run(bytes: readonly number[], nexus: NexusState): Plan {
  return plan(Uint8Array.from([...bytes, ...Array(16 - bytes.length).fill(0)]), unit, nexus)
}

function sensed(bytes: readonly number[], nexus = newNexusState()): number[] {
  const made = run(bytes, nexus)
  if (made.kind !== 'dataIn') throw new Error(`not answered: ${JSON.stringify(made)}`)
  return [...made.data]
}

function select6(list: readonly number[], nexus: NexusState): Plan {
  const made = run([0x15, 0x10, 0, 0, list.length], nexus)
  if (made.kind !== 'parameters') throw new Error(`no parameter list is wanted: ${made.kind}`)
  expect(made.transferBytes).toBe(list.length)
  return planData(made, Uint8Array.from(list), unit, nexus)
}

const caching = [0x08, 0x12, ...Array(18).fill(0)]
const control = (dSense: number, swp: number) => [
  0x0a,
  0x0a,
  0x20 | dSense,
  0x10,
  swp,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
]
const exceptions = [0x1c, 0x0a, 0x08, ...Array(9).fill(0)]

describe('MODE SENSE', () => {
  it('(6) returns all pages in ascending order behind one block descriptor', () => {
    const pages = [...caching, ...control(0, 0), ...exceptions]
    const header = [11 + pages.length, 0, 0x10, 8]
    expect(sensed([0x1a, 0, 0x3f, 0, 255])).toEqual([...header, ...blocks, 0, 0, 2, 0, ...pages])
    expect(sensed([0x1a, 8, 0x3f, 0, 255])).toEqual([3 + pages.length, 0, 0x10, 0, ...pages])
    expect(sensed([0x1a, 0, 0x3f, 0, 4])).toEqual(header)
  })

  it('(10) has a longer header, and with LLBAA a longer descriptor', () => {
    const page = control(0, 0)
    expect(sensed([0x5a, 8, 0x0a, 0, 0, 0, 0, 1, 0])).toEqual([0, 18, 0, 0x10, 0, 0, 0, 0, ...page])
    expect(sensed([0x5a, 0x10, 0x0a, 0, 0, 0, 0, 1, 0])).toEqual([
      ...[0, 34, 0, 0x10, 1, 0, 0, 16],
      ...[0, 0, 0, 0, ...blocks, 0, 0, 0, 0, 0, 0, 2, 0],
      ...page,
    ])
  })

  it('changeable values are D_SENSE and SWP; defaults do not follow the current ones', () => {
    const nexus = newNexusState()
    nexus.softwareWriteProtect = true
    expect(sensed([0x1a, 8, 0x4a, 0, 255], nexus).slice(4)).toEqual([
      0x0a, 0x0a, 4, 0, 8, 0, 0, 0, 0, 0, 0, 0,
    ])
    expect(sensed([0x1a, 8, 0x8a, 0, 255], nexus).slice(4)).toEqual(control(0, 0))
    expect(sensed([0x1a, 8, 0x0a, 0, 255], nexus)).toEqual([15, 0, 0x90, 0, ...control(0, 8)])
  })

  it('refuses saved values, unknown pages and unknown subpages', () => {
    const refused = (...bytes: number[]) => run(bytes, newNexusState())
    expect(refused(0x1a, 0, 0xca, 0, 255)).toMatchObject({ condition: { key: 5, asc: 0x39 } })
    expect(refused(0x1a, 0, 0x05, 0, 255)).toMatchObject({
      condition: { asc: 0x24 },
      detail: { field: { pointer: 2 } },
    })
    expect(refused(0x1a, 0, 0x0a, 1, 255)).toMatchObject({
      condition: { asc: 0x24 },
      detail: { field: { pointer: 3 } },
    })
    expect(sensed([0x1a, 8, 0x3f, 0xff, 255])).toEqual(sensed([0x1a, 8, 0x3f, 0, 255]))
  })
})

describe('MODE SELECT', () => {
  it('changes D_SENSE and SWP of this nexus, from the bytes that MODE SENSE gave', () => {
    const nexus = newNexusState()
    expect(select6([0, 0, 0, 0, ...control(4, 8)], nexus)).toMatchObject({ kind: 'good' })
    expect(nexus).toMatchObject({ descriptorSense: true, softwareWriteProtect: true })
    expect(holdsState(nexus)).toBe(true)
    expect(run([0x2a, 0, 0, 0, 0, 0, 0, 0, 1], nexus)).toMatchObject({
      condition: { key: 7, asc: 0x27, ascq: 2 },
    })
    const again = sensed([0x1a, 0, 0x0a, 0, 255], nexus)
    again[0] = 0 // reserved in MODE SELECT
    again[16] = 0
    expect(select6(again, nexus)).toMatchObject({ kind: 'good' })
    expect(holdsState(nexus)).toBe(true)
    expect(select6([0, 0, 0, 0, ...control(0, 0)], nexus)).toMatchObject({ kind: 'good' })
    expect(holdsState(nexus)).toBe(false)
  })

  it('(10) takes the same pages', () => {
    const nexus = newNexusState()
    const list = [0, 0, 0, 0, 0, 0, 0, 0, ...control(4, 0)]
    const made = run([0x55, 0x10, 0, 0, 0, 0, 0, 0, list.length], nexus)
    if (made.kind !== 'parameters') throw new Error(made.kind)
    expect(planData(made, Uint8Array.from(list), unit, nexus)).toMatchObject({ kind: 'good' })
    expect(nexus.descriptorSense).toBe(true)
  })

  it.each([
    [
      'a bit that may not change, behind a page that may',
      [...control(4, 0), 0x08, 0x12, 4, ...Array(17).fill(0)],
      0x26,
    ],
    ['an unknown page', [...control(4, 0), 0x05, 0x00], 0x26],
    ['a page of the wrong length', [...control(4, 0), 0x1c, 0x0b, 8, ...Array(9).fill(0)], 0x26],
    ['a page cut short', [...control(4, 0), 0x1c, 0x0a, 8], 0x1a],
  ])('M1 %s changes nothing', (_, pages, asc) => {
    const nexus = newNexusState()
    expect(select6([0, 0, 0, 0, ...pages], nexus)).toMatchObject({
      kind: 'sense',
      condition: { key: 5, asc },
    })
    expect(holdsState(nexus)).toBe(false)
  })

  it('refuses another geometry, SP, and a list shorter than its header', () => {
    const nexus = newNexusState()
    const at = (descriptor: number[]) =>
      select6([0, 0, 0, 8, ...descriptor, ...control(0, 0)], nexus)
    expect(at([0, 0, 0, 0, 0, 0, 2, 0])).toMatchObject({ kind: 'good' })
    expect(at([...blocks, 0, 0, 2, 0])).toMatchObject({ kind: 'good' })
    expect(at([0, 1, 0, 0, 0, 0, 2, 0])).toMatchObject({
      condition: { asc: 0x26 },
      detail: { field: { inCdb: false, pointer: 4 } },
    })
    expect(at([...blocks, 0, 0, 16, 0])).toMatchObject({
      condition: { asc: 0x26 },
      detail: { field: { pointer: 10 } },
    })
    expect(run([0x15, 0x11, 0, 0, 12], nexus)).toMatchObject({
      condition: { asc: 0x24 },
      detail: { field: { pointer: 1, bit: 0 } },
    })
    expect(run([0x15, 0x10, 0, 0, 3], nexus)).toMatchObject({ condition: { asc: 0x1a } })
    expect(run([0x15, 0x10, 0, 0, 0], nexus)).toMatchObject({ kind: 'good' })
  })
})
