import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { filesOf, LogFile, numbered } from './log-file.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-log-'))
  path = join(folder, 'member.log')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const lines = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [])

test('LF1 a log is bounded, keeps the newest lines, and goes on where it was', () => {
  let log = new LogFile(path, 1_000)
  const line = (i: number) => `${String(i).padStart(99, '0')}\n`
  for (let i = 0; i < 45; i += 1) log.write(line(i))
  log = new LogFile(path, 1_000)
  for (let i = 45; i < 95; i += 1) log.write(line(i))
  const files = filesOf(path)
  for (const file of files) expect(statSync(file).size).toBeLessThanOrEqual(1_000)
  expect(existsSync(numbered(path, 4))).toBe(false)
  const kept = files.flatMap(lines).filter((text) => text !== '')
  expect(kept.map(Number)).toEqual(Array.from({ length: 35 }, (_, i) => 60 + i))
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('LF2 what cannot be written ends nobody, and it is told how much was lost', () => {
  const log = new LogFile(path, 100)
  log.write(`${'a'.repeat(80)}\n`)
  // The oldest file cannot be overwritten: there is a folder in its place.
  mkdirSync(join(numbered(path, 3), 'x'), { recursive: true })
  writeFileSync(numbered(path, 2), '')
  log.write(`${'b'.repeat(80)}\n`)
  log.write(`${'c'.repeat(80)}\n`)
  rmSync(numbered(path, 3), { recursive: true })
  log.write(`${'d'.repeat(30)}\n`)
  expect(lines(path)[0]).toContain('"event":"lost","lines":2')
  expect(lines(path)[1]).toBe('d'.repeat(30))
  expect(lines(numbered(path, 1))).toEqual(['a'.repeat(80), ''])
})

test('LF3 after the file was moved away, lines go to a new one once it is reopened', () => {
  const log = new LogFile(path)
  log.write('one\n')
  renameSync(path, `${path}.old`)
  log.write('two\n')
  log.reopen()
  log.write('three\n')
  expect(lines(`${path}.old`)).toEqual(['one', 'two', ''])
  expect(lines(path)).toEqual(['three', ''])
})
