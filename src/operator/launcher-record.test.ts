import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LAUNCHER_RECORD, readLauncherRecord, writeLauncherRecord } from './launcher-record.ts'

let folder: string
let file: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-launcher-'))
  file = join(folder, LAUNCHER_RECORD)
})
afterEach(() => rm(folder, { recursive: true }))

const m2 = {
  serves: false,
  endings: 3,
  firstAt: '2026-11-29T22:00:00.000Z',
  lastAt: '2026-11-29T22:01:00.000Z',
  lastError: 'The disk is gone.',
  code: null,
}

test('LR1 what is written is read, replaced as a whole and bounded', async () => {
  writeLauncherRecord(file, { m2 })
  expect(await readLauncherRecord(file)).toEqual({ m2 })
  writeLauncherRecord(file, { m1: { ...m2, lastError: 'x'.repeat(100_000) } })
  const { m1, ...others } = await readLauncherRecord(file)
  expect(m1?.lastError).toHaveLength(1_000)
  expect(others).toEqual({})
  expect((await readFile(file)).length).toBeLessThan(1_500)
  expect(await readdir(folder)).toEqual([LAUNCHER_RECORD])
})

test('without a launcher, or with a file that is none of ours, nothing is known', async () => {
  expect(await readLauncherRecord(null)).toEqual({})
  expect(await readLauncherRecord(file)).toEqual({})
  await writeFile(file, '{"format":7}')
  expect(await readLauncherRecord(file)).toEqual({})
  await writeFile(file, 'half a l')
  expect(await readLauncherRecord(file)).toEqual({})
})
