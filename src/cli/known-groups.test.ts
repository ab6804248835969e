import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KnownGroups } from './known-groups.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-known-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const group = (name: string) => ({
  group: name,
  members: [{ id: 'm1', api: 'http://127.0.0.1:1' }],
})
const known = () => KnownGroups.of({ XDG_STATE_HOME: folder })
const path = () => join(folder, 'evenkeel', 'apis.json')

test('what is remembered is recalled by its URL, by a later command too', () => {
  expect(known()?.recall('a')).toBeNull()
  known()?.remember('a', group('g1'))
  known()?.remember('b', group('g2'))
  known()?.remember('a', group('g3'))
  expect(known()?.recall('a')).toEqual(group('g3'))
  expect(known()?.recall('b')).toEqual(group('g2'))
})

test("KG1 the file is the user's alone, bounded, and replaced as a whole", async () => {
  for (let i = 0; i < 80; i += 1) known()?.remember(`url${i}`, group(`g${i}`))
  expect((await stat(path())).mode & 0o777).toBe(0o600)
  expect((await stat(join(folder, 'evenkeel'))).mode & 0o777).toBe(0o700)
  expect(Object.keys(JSON.parse(await readFile(path(), 'utf8')).groups)).toHaveLength(64)
  expect(known()?.recall('url79')).toEqual(group('g79'))
  expect(known()?.recall('url0')).toBeNull()
  expect(await readdir(join(folder, 'evenkeel'))).toEqual(['apis.json'])
})

test('KG1 a file that is none of ours, and a folder that cannot be written, are no errors', async () => {
  known()?.remember('a', group('g'))
  await writeFile(path(), '{"format":')
  expect(known()?.recall('a')).toBeNull()
  const nowhere = KnownGroups.of({ XDG_STATE_HOME: '/dev/null/x' })
  nowhere?.remember('a', group('g'))
  expect(nowhere?.recall('a')).toBeNull()
})

test('it lies in the XDG state folder, or in that of the home', async () => {
  KnownGroups.of({ HOME: folder })?.remember('a', group('g'))
  await chmod(join(folder, '.local', 'state', 'evenkeel', 'apis.json'), 0o600)
  expect(KnownGroups.of({})).toBeNull()
  expect(KnownGroups.of({ XDG_STATE_HOME: 'relative', HOME: '' })).toBeNull()
})
