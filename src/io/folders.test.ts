import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder, makePrivate, namesIn } from './folders.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-folders-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const modeOf = async (path: string) => (await stat(path)).mode & 0o777

test('P1 a folder is made with those above it, and may be there already', async () => {
  const path = join(folder, 'a/b/c')
  makeFolder(path)
  makeFolder(path)
  expect(await modeOf(path)).toBe(0o700)
  expect(await modeOf(join(folder, 'a'))).toBe(0o700)
})

test('P1 a place that takes no folders is refused with a sentence, at once', async () => {
  await writeFile(join(folder, 'file'), '')
  expect(() => makeFolder('/proc/x/y')).toThrow(
    'The folder /proc/x/y cannot be made in /proc: that is no place for files. Name another one.',
  )
  expect(() => makeFolder(join(folder, 'file'))).toThrow('is a file: name a folder')
  expect(() => makeFolder(join(folder, 'file/below'))).toThrow('is a file: name a folder')
  expect(() => makeFolder(join(folder, 'x'.repeat(300)))).toThrow('name is too long')
  expect(await namesIn(join(folder, 'none'))).toEqual([])
  await expect(namesIn(join(folder, 'file'))).rejects.toThrow('is a file')
})

test('P1 it does not keep the process from being ended', async () => {
  const script = `const { makeFolder } = await import(${JSON.stringify(new URL('folders.ts', import.meta.url).href)})
    try { makeFolder('/proc/x') } catch (error) { console.log(error.code) }; setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'pipe' })
  const [text] = await once(child.stdout, 'data')
  expect(String(text)).toBe('ENOENT\n')
  child.kill('SIGTERM')
  expect(await once(child, 'close')).toEqual([null, 'SIGTERM'])
})

test('P2 what is below a folder is taken from others; what a link points to is left alone', async () => {
  const [inside, outside] = [join(folder, 'inside'), join(folder, 'outside')]
  await mkdir(join(inside, 'deep'), { recursive: true })
  for (const file of [join(inside, 'deep/file'), outside]) {
    await writeFile(file, '')
    await chmod(file, 0o666)
  }
  await chmod(join(inside, 'deep'), 0o777)
  await symlink(outside, join(inside, 'link'))
  await makePrivate(inside, { deep: false })
  expect(await modeOf(join(inside, 'deep'))).toBe(0o700)
  expect(await modeOf(join(inside, 'deep/file'))).toBe(0o666)
  await makePrivate(inside, { deep: true })
  expect(await modeOf(join(inside, 'deep/file'))).toBe(0o600)
  expect(await modeOf(outside)).toBe(0o666)
})
