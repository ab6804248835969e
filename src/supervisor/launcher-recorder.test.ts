import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  LAUNCHER_RECORD,
  readLauncherRecord,
  writeLauncherRecord,
} from '../operator/launcher-record.ts'
import { LauncherRecorder } from './launcher-recorder.ts'

const m2 = {
  serves: false,
  endings: 1,
  firstAt: '2026-11-29T22:00:00.000Z',
  lastAt: '2026-11-29T22:00:00.000Z',
  lastError: 'it ended with SIGKILL',
  code: null,
}

it('LR2 a record that cannot be written ends nobody, is told once, and is written when it can be', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-recorder-'))
  const gone = join(folder, 'data')
  const file = join(gone, LAUNCHER_RECORD)
  const told: string[] = []
  const log = {
    error: (event: string, what: unknown) => void told.push(`${event} ${String(what)}`),
  }
  const recorder = new LauncherRecorder(() => writeLauncherRecord(file, { m2 }), log, 10)
  recorder.changed()
  recorder.changed()
  expect(told).toEqual([expect.stringMatching(/^record .*cannot be written.*ENOENT/)])
  await mkdir(gone)
  await expect.poll(() => readLauncherRecord(file)).toEqual({ m2 })
  recorder.changed()
  expect(told.length).toBe(1)
  await rm(folder, { recursive: true })
})
