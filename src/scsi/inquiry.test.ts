import { describe, expect, it } from 'vitest'
import { plan, planWithoutUnit } from './commands.ts'
import { logicalUnit } from './logical-unit.ts'
import { newNexusState } from './nexus-state.ts'

const iqn = 'iqn.2026-11.dev.evenkeel:demo-7'
const unit = logicalUnit({ id: 7, iqn, bytes: 64 * 1024 * 1024, blockBytes: 512 })
const unit4k = logicalUnit({ id: 7, iqn, bytes: 64 * 1024 * 1024, blockBytes: 4096 })

function inquire(bytes: readonly number[], of = unit): Uint8Array {
  const answer = plan(
    Uint8Array.from([...bytes, ...Array(16 - bytes.length).fill(0)]),
    of,
    newNexusState(),
  )
  if (answer.kind !== 'dataIn') throw new Error(`not answered: ${JSON.stringify(answer)}`)
  return answer.data
}

function page(code: number, of = unit): Uint8Array {
  const data = inquire([0x12, 1, code, 0x02, 0x00], of)
  expect(data[0]).toBe(0)
  expect(data[1]).toBe(code)
  expect((data[2] ?? 0) * 256 + (data[3] ?? 0)).toBe(data.length - 4)
  return data
}

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes)

describe('INQUIRY', () => {
  it('standard data: a fixed disk, SPC-4, tagged queuing, and which standards', () => {
    const data = inquire([0x12, 0, 0, 0x02, 0x00])
    expect([...data.subarray(0, 8)]).toEqual([0, 0, 6, 0x12, data.length - 5, 0, 0, 2])
    expect(text(data.subarray(8, 36))).toBe('EVENKEELVOLUME          1   ')
    expect([...data.subarray(58, 66)]).toEqual([0, 0xa0, 9, 0x60, 4, 0x60, 4, 0xc0])
  })

  it('is cut to the allocation length of two bytes', () => {
    expect(inquire([0x12, 0, 0, 0, 5]).length).toBe(5)
    expect(inquire([0x12, 0, 0, 1, 0]).length).toBe(96)
    expect(inquire([0x12, 0, 0, 0, 0]).length).toBe(0)
  })

  it('refuses a page code without EVPD and a page that is not there, at byte 2', () => {
    const refused = {
      kind: 'sense',
      condition: { key: 5, asc: 0x24 },
      detail: { field: { pointer: 2 } },
    }
    const cdb = (evpd: number, code: number) =>
      Uint8Array.of(0x12, evpd, code, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    expect(plan(cdb(0, 1), unit, newNexusState())).toMatchObject(refused)
    expect(plan(cdb(1, 0xc0), unit, newNexusState())).toMatchObject(refused)
  })

  it('page 00h lists the pages, in order, and each of them answers', () => {
    const codes = [...page(0x00).subarray(4)]
    expect(codes).toEqual([0x00, 0x80, 0x83, 0x87, 0xb0, 0xb1, 0xb2])
    for (const code of codes) page(code)
  })

  it('L1 pages 80h and 83h: serial, NAA, T10, port and device names', () => {
    expect(text(page(0x80).subarray(4))).toBe(unit.serial)
    const data = page(0x83)
    const designators: unknown[] = []
    for (let at = 4; at < data.length; at += 4 + (data[at + 3] ?? 0)) {
      const value = data.subarray(at + 4, at + 4 + (data[at + 3] ?? 0))
      designators.push([data[at], data[at + 1], (data[at]! & 0xf) === 1 ? [...value] : text(value)])
    }
    expect(designators).toEqual([
      [0x01, 0x03, [...unit.naa]],
      [0x02, 0x01, `EVENKEEL${unit.serial}`],
      [0x53, 0x98, `${iqn},t,0x0001\0\0\0\0`.slice(0, (iqn.length + 9 + 4) & ~3)],
      [0x51, 0x94, [0, 0, 0, 1]],
      [0x53, 0xa8, `${iqn}\0\0\0\0`.slice(0, (iqn.length + 4) & ~3)],
    ])
  })

  it('page B0h gives the limits in blocks of the unit', () => {
    const small = page(0xb0)
    expect(small.length).toBe(64)
    expect([...small.subarray(4, 16)]).toEqual([1, 1, 0, 8, 0, 0, 0x40, 0, 0, 0, 8, 0])
    expect([...small.subarray(16, 44)]).toEqual([
      ...[0, 0, 0, 0], // prefetch
      ...[0, 0x10, 0, 0], // 2^20 blocks are unmapped at once
      ...[0, 0, 1, 0],
      ...[0, 0, 8, 0], // 1 MiB
      ...[0x80, 0, 0, 0],
      ...[0, 0, 0, 0, 0, 0, 0x80, 0], // 16 MiB
    ])
    const large = page(0xb0, unit4k)
    expect([...large.subarray(4, 12)]).toEqual([1, 1, 0, 1, 0, 0, 8, 0])
    expect([...large.subarray(28, 32)]).toEqual([0, 0, 1, 0])
  })

  it('pages B1h and B2h: no rotation; thin, unmapped by three commands, reads as zeros', () => {
    expect([...page(0xb1).subarray(4, 6)]).toEqual([0, 1])
    expect([...page(0xb2)]).toEqual([0, 0xb2, 0, 4, 0, 0xe4, 2, 0])
  })

  it('K2 another LUN: qualifier 3 for INQUIRY, REPORT LUNS as ever, 5/25/00 in REQUEST SENSE and for all else', () => {
    const answered = (...bytes: number[]) => {
      const made = planWithoutUnit(Uint8Array.from([...bytes, ...Array(16 - bytes.length).fill(0)]))
      return made.kind === 'dataIn' ? [...made.data] : made
    }
    expect(answered(0x12, 0, 0, 0, 36)).toEqual(expect.arrayContaining([0x7f]))
    expect(answered(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16)).toEqual([0, 0, 0, 8, ...Array(12).fill(0)])
    expect(answered(0x03, 0, 0, 0, 18)).toEqual([
      0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x25, 0, 0, 0, 0, 0,
    ])
    const refused = { kind: 'sense', condition: { key: 5, asc: 0x25, ascq: 0 } }
    expect(answered(0x00)).toMatchObject(refused)
    expect(answered(0x28)).toMatchObject(refused)
    expect(answered(0x12, 1, 0x83, 0, 255)).toMatchObject({
      kind: 'sense',
      condition: { asc: 0x24 },
    })
  })
})
