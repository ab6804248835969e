import { spawnSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
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

  it('gives punched ranges back to the file system where fallocate can', async (context) => {
    const folder = makeFolder()
    const file = await new FolderDisk(folder).open('a', 'create')
    await file.write([new Uint8Array(1024 * 1024).fill(1)], 0)
    await file.sync()
    const blocks = async () => (await stat(join(folder, 'a'))).blocks
    const before = await blocks()
    await Promise.all([file.punch(0, 256 * 1024), file.punch(512 * 1024, 256 * 1024)])
    const after = await blocks()
    await file.close()
    context.skip(spawnSync('fallocate', ['--version']).status !== 0, 'there is no fallocate here')
    expect((before - after) * 512).toBe(512 * 1024)
  })

  it('refuses paths that lead out of the folder', async () => {
    const disk = new FolderDisk(makeFolder())
    await expect(disk.open('../out', 'create')).rejects.toThrow(/inside the data folder/)
    await expect(disk.open('/etc/passwd', 'existing')).rejects.toThrow(/inside the data folder/)
    await expect(disk.remove('data/../../out')).rejects.toThrow(/inside the data folder/)
  })
})
