import { describe, expect, it } from 'vitest'
import { DiskError, type DiskFile } from '../src/base/disk.ts'
import { Prng } from '../src/base/prng.ts'
import { SimDisk } from './disk.ts'
import type { Choose } from './inode.ts'

const SECTOR = 512
const sectors = (values: readonly number[]) =>
  Uint8Array.from(values.flatMap((value) => Array.from({ length: SECTOR }, () => value)))

function valuesIn(file: DiskFile, count: number): number[] {
  const bytes = new Uint8Array(count * SECTOR)
  file.readSync(bytes, 0)
  return Array.from({ length: count }, (_, i) => {
    const sector = bytes.subarray(i * SECTOR, (i + 1) * SECTOR)
    expect(sector.every((byte) => byte === sector[0])).toBe(true)
    return sector[0] ?? 0
  })
}

async function survivors(choose: Choose): Promise<number[]> {
  const disk = new SimDisk()
  const file = await disk.open('a', 'create')
  await disk.syncFolder('.')
  await file.write([sectors([1, 1, 1, 1])], 0)
  await file.sync()
  await file.write([sectors([2, 2, 2])], 0)
  await file.write([sectors([3, 3])], SECTOR)
  await file.writeDurable([sectors([4])], 3 * SECTOR)
  disk.crash(choose)
  return valuesIn(await disk.open('a', 'existing'), 4)
}

describe('SimDisk', () => {
  it('D1 keeps what was synced, and of the rest each sector any version', async () => {
    expect(await survivors(() => 0)).toEqual([1, 1, 1, 4])
    expect(await survivors((choices) => choices - 1)).toEqual([2, 3, 3, 4])
    const prng = new Prng(1)
    const seen = new Set<string>()
    for (let i = 0; i < 300; i += 1) {
      const values = await survivors((choices) => prng.integer(0, choices - 1))
      seen.add(values.join())
    }
    const possible = [1, 2].flatMap((a) =>
      [1, 2, 3].flatMap((b) => [1, 2, 3].map((c) => `${a},${b},${c},4`)),
    )
    expect([...seen].sort()).toEqual(possible.sort())
  })

  it('D2 the same calls and choices leave the same bytes', async () => {
    const draw = (seed: number) => {
      const prng = new Prng(seed)
      return survivors((choices) => prng.integer(0, choices - 1))
    }
    for (let seed = 0; seed < 20; seed += 1) expect(await draw(seed)).toEqual(await draw(seed))
  })

  it('D1 names that were not synced take effect up to some point of their order', async () => {
    const outcomes = new Set<string>()
    for (let state = 0; state < 4; state += 1) {
      const disk = new SimDisk()
      await disk.open('a', 'create')
      await disk.syncFolder('.')
      await disk.open('b', 'create')
      await disk.remove('a')
      disk.crash((choices) => Math.min(state, choices - 1))
      outcomes.add(disk.filePaths().sort().join())
    }
    expect(outcomes).toEqual(new Set(['a', 'a,b', 'b']))
  })

  it('D3 after a cut nothing that was under way answers or writes', async () => {
    const disk = new SimDisk()
    const file = await disk.open('a', 'create')
    await disk.syncFolder('.')
    await file.write([sectors([1])], 0)
    await file.sync()
    let answers = 0
    const cut = disk.cutAfter(2)
    void file.write([sectors([2])], 0)
    void file.sync().then(() => {
      answers += 1
    })
    void file.write([sectors([3])], 0).then(() => {
      answers += 1
    })
    await cut
    disk.crash((choices) => choices - 1)
    const again = await disk.open('a', 'existing')
    expect(valuesIn(again, 1)).toEqual([2])
    void file.write([sectors([5])], 0).then(() => {
      answers += 1
    })
    await again.sync()
    expect(valuesIn(again, 1)).toEqual([2])
    expect(answers).toBe(0)
  })

  it('fails as it is told to: full, an error of the medium, a flipped bit', async () => {
    const disk = new SimDisk()
    const file = await disk.open('a', 'create')
    disk.faults.capacityBytes = 64 * 1024
    await file.write([new Uint8Array(40_000).fill(1)], 0)
    await expect(file.write([new Uint8Array(40_000)], 40_000)).rejects.toMatchObject({
      code: 'FULL',
    })
    disk.flip('a', 8 * 100 + 7)
    const byte = new Uint8Array(1)
    file.readSync(byte, 100)
    expect(byte[0]).toBe(129)
    disk.faults.fail = (operation) =>
      operation === 'read' ? new DiskError('IO', 'unreadable') : null
    expect(() => file.readSync(byte, 0)).toThrow(/unreadable/)
    await expect(file.read(byte, 0)).rejects.toMatchObject({ code: 'IO' })
  })

  it('D1 of many writes each is lost or kept by itself, and the power is cut between two', async () => {
    const seen = new Set<string>()
    for (let cutAt = 1; cutAt <= 3; cutAt += 1) {
      for (let state = 0; state < 8; state += 1) {
        const disk = new SimDisk()
        const file = await disk.open('a', 'create')
        await disk.syncFolder('.')
        await file.write([sectors([1, 1, 1])], 0)
        await file.sync()
        const cut = disk.cutAfter(cutAt)
        const jobs = [0, 1, 2].map((i) => ({
          file,
          parts: [sectors([2 + i])],
          offset: i * SECTOR,
        }))
        void disk.writeMany(jobs)
        await cut
        let rest = state
        disk.crash((choices) => {
          const choice = rest % choices
          rest = Math.floor(rest / choices)
          return choice
        })
        seen.add(`${cutAt}: ${valuesIn(await disk.open('a', 'existing'), 3).join()}`)
      }
    }
    expect([...seen].filter((state) => state.startsWith('3')).length).toBe(8)
    expect([...seen].filter((state) => state.startsWith('1')).sort()).toEqual([
      '1: 1,1,1',
      '1: 2,1,1',
    ])
  })

  it('tells of many writes which ones found no room, and does the others', async () => {
    const disk = new SimDisk()
    const file = await disk.open('a', 'create')
    await file.write([sectors([1])], 0)
    disk.faults.capacityBytes = disk.storedBytes()
    const jobs = [0, 1e6, SECTOR].map((offset) => ({ file, parts: [sectors([2])], offset }))
    const failed = await disk.writeMany(jobs)
    expect(failed.map(({ job, error }) => [job, error.code])).toEqual([[1, 'FULL']])
    expect(valuesIn(file, 2)).toEqual([2, 2])
  })

  it('catches a caller that changes the bytes of one of many before all are written', async () => {
    const disk = new SimDisk()
    const file = await disk.open('a', 'create')
    const parts = [sectors([1])]
    const writing = disk.writeMany([
      { file, parts, offset: 0 },
      { file, parts: [sectors([2])], offset: SECTOR },
    ])
    const first = file.sync()
    await first
    parts[0]?.fill(3)
    await expect(writing).rejects.toThrow(/stay until the last is done/)
  })

  it('catches a caller that changes the bytes of a write under way', async () => {
    const disk = new SimDisk()
    const file = await disk.open('a', 'create')
    const bytes = sectors([1])
    const write = file.write([bytes], 0)
    bytes[5] = 9
    await expect(write).rejects.toThrow(/do not change/)
  })
})
