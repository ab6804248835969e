import { describe, expect, it } from 'vitest'
import { read16, read32 } from './cdb.ts'
import { commands, plan } from './commands.ts'
import { logicalUnit } from './logical-unit.ts'
import { newNexusState } from './nexus-state.ts'

const unit = logicalUnit({ id: 1, iqn: 'iqn.x:1', bytes: 2 ** 26, blockBytes: 512 })

function ask(options: number, opcode = 0, action = 0) {
  const cdb = Uint8Array.of(
    0xa3,
    0x0c,
    options,
    opcode,
    0,
    action,
    0,
    0,
    0xff,
    0xff,
    0,
    0,
    0,
    0,
    0,
    0,
  )
  return plan(cdb, unit, newNexusState())
}

function answered(options: number, opcode = 0, action = 0): Uint8Array {
  const made = ask(options, opcode, action)
  if (made.kind !== 'dataIn') throw new Error(`not answered: ${JSON.stringify(made)}`)
  return made.data
}

const refused = {
  kind: 'sense',
  condition: { key: 5, asc: 0x24, ascq: 0 },
  detail: { field: { inCdb: true, pointer: 2, bit: 2 } },
}

describe('REPORT SUPPORTED OPERATION CODES', () => {
  it.each([
    ['without', 0x00, 8],
    ['with', 0x80, 20],
  ])('all commands %s timeouts are those of the table', (_, options, entryBytes) => {
    const data = answered(options)
    expect(read32(data, 0)).toBe(data.length - 4)
    expect(data.length).toBe(4 + commands.length * entryBytes)
    for (const [i, { opcode, serviceAction, usage }] of commands.entries()) {
      const at = 4 + i * entryBytes
      expect(data[at]).toBe(opcode)
      expect(read16(data, at + 2)).toBe(serviceAction ?? 0)
      expect((data[at + 5] ?? 0) & 1).toBe(serviceAction === null ? 0 : 1)
      expect((data[at + 5] ?? 0) & 2).toBe(entryBytes === 8 ? 0 : 2)
      expect(read16(data, at + 6)).toBe(usage.length)
      if (entryBytes === 20) expect(read16(data, at + 8)).toBe(10)
    }
  })

  it.each(commands.map((c) => [c.name, c] as const))('one command: %s', (_, command) => {
    const { opcode, serviceAction, usage } = command
    const fitting = serviceAction === null ? 1 : 2
    for (const options of [fitting, 3]) {
      const data = answered(options, opcode, serviceAction ?? 0)
      expect([...data.subarray(0, 4)]).toEqual([0, 3, 0, usage.length])
      expect([...data.subarray(4)]).toEqual([...usage])
      expect(data[4]).toBe(opcode)
      if (serviceAction !== null) expect((data[5] ?? 0) & 0x1f).toBe(serviceAction)
    }
    expect(ask(3 - fitting, opcode, serviceAction ?? 0)).toMatchObject(refused)
  })

  it('DPO and FUA are in the usage of what moves blocks', () => {
    for (const opcode of [0x28, 0x2a, 0x88, 0x8a, 0x89, 0xa8, 0xaa]) {
      expect((answered(1, opcode)[5] ?? 0) & 0x18).toBe(0x18)
    }
    for (const opcode of [0x2e, 0x2f, 0x8e, 0x8f, 0xae, 0xaf]) {
      expect((answered(1, opcode)[5] ?? 0) & 0x10).toBe(0x10)
    }
  })

  it('a command that is not there is not supported; reserved options are refused', () => {
    expect([...answered(1, 0x5f)]).toEqual([0, 1, 0, 0])
    expect([...answered(2, 0x5f, 1)]).toEqual([0, 1, 0, 0])
    expect([...answered(2, 0x9e, 0x1f)]).toEqual([0, 1, 0, 0])
    for (const options of [4, 5, 6, 7]) expect(ask(options)).toMatchObject(refused)
  })

  it('timeouts of one command lie behind its usage', () => {
    const data = answered(0x81, 0x00)
    expect([...data]).toEqual([0, 0x83, 0, 6, 0, 0, 0, 0, 0, 0, 0, 10, ...Array(10).fill(0)])
  })
})
