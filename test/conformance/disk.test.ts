import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
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

  it('refuses paths that lead out of the folder', async () => {
    const disk = new FolderDisk(makeFolder())
    await expect(disk.open('../out', 'create')).rejects.toThrow(/inside the data folder/)
    await expect(disk.open('/etc/passwd', 'existing')).rejects.toThrow(/inside the data folder/)
    await expect(disk.remove('data/../../out')).rejects.toThrow(/inside the data folder/)
  })
})
