import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { dataFolderOf } from './data-folder.ts'

let here: string
let before: string
beforeEach(async () => {
  before = process.cwd()
  here = await mkdtemp(join(tmpdir(), 'evenkeel-here-'))
  process.chdir(here)
})
afterEach(async () => {
  process.chdir(before)
  await rm(here, { recursive: true })
})

test('a group is kept where the state of its user is, or where the environment says', () => {
  expect(dataFolderOf({ HOME: '/home/ann' })).toBe('/home/ann/.local/state/evenkeel/group')
  expect(dataFolderOf({ HOME: '/home/ann', XDG_STATE_HOME: '/s' })).toBe('/s/evenkeel/group')
  expect(dataFolderOf({ HOME: '/home/ann', XDG_STATE_HOME: 'beside' })).toMatch(/^\/home\/ann/)
  expect(dataFolderOf({ HOME: '/home/ann', EVENKEEL_DATA: '/srv/e' })).toBe('/srv/e')
  expect(dataFolderOf({})).toBe('data')
})

test('a group that was begun here stays in use; another folder of that name does not', () => {
  mkdirSync('data')
  expect(dataFolderOf({ HOME: '/home/ann' })).toMatch(/^\/home\/ann/)
  writeFileSync(join('data', 'coordination.sqlite'), '')
  expect(dataFolderOf({ HOME: '/home/ann' })).toBe('data')
  expect(dataFolderOf({ HOME: '/home/ann', EVENKEEL_DATA: '/srv/e' })).toBe('/srv/e')
})
