import { mkdtempSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { SimDisk } from '../../sim/disk.ts'
import { FolderDisk } from '../../src/io/disk.ts'
import { diskConformance } from './disk.ts'

diskConformance('simulated', () => new SimDisk())

describe('real', () => {
  const folders: string[] = []
  const makeFolder = () => {
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-disk-'))
    folders.push(folder)
    return folder
  }
  afterEach(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
  })

  diskConformance('real', () => new FolderDisk(makeFolder()))

  it('gives punched ranges back to the file system', async () => {
    const folder = makeFolder()
    const disk = new FolderDisk(folder)
    // More than ten, whose descriptors a shell passes on too.
    const names = Array.from({ length: 12 }, (_, i) => `f${i}`)
    const files = await Promise.all(names.map((name) => disk.open(name, 'create')))
    for (const file of files) {
      await file.write([new Uint8Array(1024 * 1024).fill(1)], 0)
      await file.sync()
    }
    const blocks = () =>
      Promise.all(names.map(async (name) => (await stat(join(folder, name))).blocks))
    const before = await blocks()
    const ranges = files.flatMap((file) => [0, 512 * 1024].map((at) => file.punch(at, 256 * 1024)))
    await Promise.all(ranges)
    const after = await blocks()
    for (const file of files) await file.close()
    const freed = before.map((count, i) => (count - (after[i] ?? 0)) * 512)
    // Of util-linux, which every Debian has: without it nothing is given back.
    expect(freed, 'needs fallocate').toEqual(names.map(() => 512 * 1024))
  })

  it('FD1 makes nothing in a folder that took the place of the one in use, and says so', async () => {
    const folder = makeFolder()
    const disk = new FolderDisk(folder)
    const file = await disk.open('a', 'create')
    await rename(folder, `${folder}-away`)
    await expect(disk.open('b', 'create')).rejects.toThrow(/is gone: it was moved, unmounted/)
    await mkdir(folder)
    await writeFile(join(folder, 'a'), 'of another one')
    for (const use of [
      () => disk.open('a', 'existing'),
      () => disk.open('b', 'create'),
      () => disk.remove('a'),
      () => disk.rename('a', 'b'),
      () => disk.makeFolder('data'),
      () => disk.list('.'),
      () => disk.syncFolder('.'),
      () => disk.freeBytes(),
    ]) {
      await expect(use()).rejects.toThrow(/is another one now: it was moved, unmounted or replaced/)
    }
    expect(await readdir(folder)).toEqual(['a'])
    await expect(disk.moved).resolves.toMatch(/is gone/)
    await file.close()
    // Put back, it is used again.
    await rm(folder, { recursive: true })
    await rename(`${folder}-away`, folder)
    expect(await disk.list('.')).toEqual(['a'])
  })

  it('FD2 writes durably and punches in the file that is open, not in one that took its name', async () => {
    const folder = makeFolder()
    const file = await new FolderDisk(folder).open('a', 'create')
    const bytes = 64 * 1024
    await rename(join(folder, 'a'), join(folder, 'kept'))
    await writeFile(join(folder, 'a'), Buffer.alloc(bytes, 9))
    await file.writeDurable([new Uint8Array(bytes).fill(1)], 0)
    await file.punch(0, bytes)
    await file.close()
    expect(await readFile(join(folder, 'a'))).toEqual(Buffer.alloc(bytes, 9))
    expect((await stat(join(folder, 'kept'))).size).toBe(bytes)
  })

  it('refuses paths that lead out of the folder', async () => {
    const disk = new FolderDisk(makeFolder())
    await expect(disk.open('../out', 'create')).rejects.toThrow(/inside the data folder/)
    await expect(disk.open('/etc/passwd', 'existing')).rejects.toThrow(/inside the data folder/)
    await expect(disk.remove('data/../../out')).rejects.toThrow(/inside the data folder/)
  })
})
