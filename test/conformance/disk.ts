// What every implementation of the Disk port must do: the real one and the simulated one run the same cases.
import { describe, expect, it } from 'vitest'
import { type Disk, DiskError, sharedBytes } from '../../src/base/disk.ts'

const bytesOf = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed) % 251)

export function diskConformance(name: string, make: () => Disk): void {
  describe(`disk conformance: ${name}, bytes`, () => bytesConformance(make))
  describe(`disk conformance: ${name}, many writes`, () => manyConformance(make))
  describe(`disk conformance: ${name}, files`, () => filesConformance(make))
  describe(`disk conformance: ${name}, names`, () => namesConformance(make))
}

function bytesConformance(make: () => Disk): void {
  it('opens what exists, creates what does not, and says NOT_FOUND otherwise', async () => {
    const disk = make()
    await expect(disk.open('a', 'existing')).rejects.toMatchObject({
      name: 'DiskError',
      code: 'NOT_FOUND',
    })
    const file = await disk.open('a', 'create')
    await file.write([bytesOf(10, 1)], 0)
    await file.close()
    const again = await disk.open('a', 'create')
    expect(again.sizeBytes()).toBe(10)
    await again.close()
    await expect(disk.remove('b')).rejects.toBeInstanceOf(DiskError)
  })

  it('reads back what was written in parts, at any offset, on and off the event loop', async () => {
    const disk = make()
    const file = await disk.open('a', 'create')
    const parts = [bytesOf(512, 1), bytesOf(1, 2), bytesOf(70_000, 3)]
    await file.write(parts, 1000)
    const whole = new Uint8Array(70_513)
    expect(file.readSync(whole, 1000)).toBe(70_513)
    expect(whole).toEqual(Uint8Array.from(parts.flatMap((part) => [...part])))
    const later = new Uint8Array(513)
    expect(await file.read(later, 1000)).toBe(513)
    expect(later).toEqual(whole.subarray(0, 513))
    const before = new Uint8Array(1000).fill(7)
    expect(file.readSync(before, 0)).toBe(1000)
    expect(before).toEqual(new Uint8Array(1000))
    await file.close()
  })

  it('reads fewer bytes only at the end of the file', async () => {
    const disk = make()
    const file = await disk.open('a', 'create')
    await file.write([bytesOf(100, 1)], 0)
    expect(file.readSync(new Uint8Array(64), 60)).toBe(40)
    expect(await file.read(new Uint8Array(64), 60)).toBe(40)
    expect(file.readSync(new Uint8Array(64), 100)).toBe(0)
    expect(await file.read(new Uint8Array(64), 5000)).toBe(0)
    await file.close()
  })

  it('a durable write of more than a thousand parts arrives whole', async () => {
    const disk = make()
    const file = await disk.open('a', 'create')
    const parts = Array.from({ length: 2500 }, (_, i) => bytesOf(513, i))
    await file.writeDurable(parts, 512)
    const last = new Uint8Array(513)
    expect(file.readSync(last, 512 + 2499 * 513)).toBe(513)
    expect(last).toEqual(parts[2499])
    expect(file.sizeBytes()).toBe(512 + 2500 * 513)
    await file.sync()
    await file.close()
  })
}

function manyConformance(make: () => Disk): void {
  it('writes many at once, in their order, into any of its files', async () => {
    const disk = make()
    const files = [await disk.open('a', 'create'), await disk.open('b', 'create')] as const
    const shared = sharedBytes(8192)
    shared.set(bytesOf(8192, 1))
    const jobs = Array.from({ length: 300 }, (_, i) => ({
      file: files[i % 2 === 0 ? 0 : 1],
      parts: [shared.subarray(i, i + 1000), bytesOf(24, i)],
      offset: i * 1000,
    }))
    expect(await disk.writeMany(jobs)).toEqual([])
    expect(await disk.writeMany([])).toEqual([])
    for (const [number, file] of files.entries()) {
      const expected = new Uint8Array(file.sizeBytes())
      for (const [i, { parts, offset }] of jobs.entries()) {
        if (i % 2 !== number) continue
        expected.set(parts[0] ?? [], offset)
        expected.set(parts[1] ?? [], offset + 1000)
      }
      const all = new Uint8Array(file.sizeBytes())
      expect(await file.read(all, 0)).toBe(all.length)
      expect(all).toEqual(expected)
    }
    for (const file of files) await file.close()
    // With the last file it has let go of everything, and it begins anew.
    const again = await disk.open('a', 'existing')
    const late = disk.writeMany([{ file: again, parts: [bytesOf(100, 9)], offset: 0 }])
    await again.close()
    expect(await late).toEqual([])
    const file = await disk.open('a', 'existing')
    const bytes = new Uint8Array(100)
    expect(file.readSync(bytes, 0)).toBe(100)
    expect(bytes).toEqual(bytesOf(100, 9))
    await file.close()
  })
}

function filesConformance(make: () => Disk): void {
  it('truncates, and reads zeros where a file was extended', async () => {
    const disk = make()
    const file = await disk.open('a', 'create')
    await file.write([bytesOf(5000, 1)], 0)
    await file.truncate(100)
    await file.truncate(9000)
    expect(file.sizeBytes()).toBe(9000)
    const all = new Uint8Array(9000)
    expect(file.readSync(all, 0)).toBe(9000)
    expect(all.subarray(0, 100)).toEqual(bytesOf(5000, 1).subarray(0, 100))
    expect(all.subarray(100)).toEqual(new Uint8Array(8900))
    await file.close()
  })

  it('a punched hole leaves its neighbours and the size alone', async () => {
    const disk = make()
    const file = await disk.open('a', 'create')
    const bytes = bytesOf(64 * 1024, 5)
    await file.write([bytes], 0)
    await Promise.all([file.punch(8192, 16384), file.punch(40_960, 4096)])
    const all = new Uint8Array(64 * 1024)
    expect(file.readSync(all, 0)).toBe(64 * 1024)
    expect(all.subarray(0, 8192)).toEqual(bytes.subarray(0, 8192))
    expect(all.subarray(24_576, 40_960)).toEqual(bytes.subarray(24_576, 40_960))
    expect(all.subarray(45_056)).toEqual(bytes.subarray(45_056))
    await file.close()
  })

  it('close waits for what is under way; afterwards the file is not used', async () => {
    const disk = make()
    const file = await disk.open('a', 'create')
    const done: string[] = []
    const write = file.write([bytesOf(300_000, 1)], 0).then(() => done.push('write'))
    const read = file.read(new Uint8Array(1000), 0).then(() => done.push('read'))
    await file.close()
    expect(done.length).toBe(2)
    await Promise.all([write, read])
    expect(() => file.readSync(new Uint8Array(1), 0)).toThrow(/open/)
  })

  it('says how many bytes are free', async () => {
    const disk = make()
    expect(await disk.freeBytes()).toBeGreaterThan(0)
  })
}

function namesConformance(make: () => Disk): void {
  it('lists files of a folder, [] for none, and follows renames and removals', async () => {
    const disk = make()
    expect(await disk.list('data')).toEqual([])
    await disk.makeFolder('data')
    await disk.makeFolder('data')
    for (const name of ['data/2', 'data/1', 'other'])
      await (await disk.open(name, 'create')).close()
    expect(await disk.list('data')).toEqual(['1', '2'])
    expect(await disk.list('.')).toContain('other')
    await disk.rename('data/1', 'data/3')
    await disk.remove('data/2')
    await disk.syncFolder('data')
    expect(await disk.list('data')).toEqual(['3'])
    await disk.rename('other', 'data/3')
    expect(await disk.list('data')).toEqual(['3'])
  })

  it('a file is the same one when it was written to, renamed and opened again; a copy is another', async () => {
    const disk = make()
    for (const name of ['a', 'b']) {
      const file = await disk.open(name, 'create')
      await file.write([bytesOf(100, 1)], 0)
      await file.sync()
      await file.close()
    }
    const own = await disk.identityOf('a')
    expect(own).toMatch(/^.{1,64}$/)
    expect(await disk.identityOf('b')).not.toBe(own)
    await disk.rename('a', 'c')
    const file = await disk.open('c', 'existing')
    await file.write([bytesOf(100, 2)], 50)
    await file.close()
    expect(await disk.identityOf('c')).toBe(own)
    await expect(disk.identityOf('a')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
}
