import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { FolderInUse, lockFolder } from './folder-lock.ts'

let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-lock-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** Another process that holds the lock until it is killed. */
async function holder() {
  const code = `
    const { lockFolder } = await import(${JSON.stringify(new URL('./folder-lock.ts', import.meta.url).href)})
    globalThis.lock = lockFolder(${JSON.stringify(folder)})
    process.stdout.write('locked')
    setInterval(() => globalThis.lock, 60_000)`
  const args = ['--input-type=module', '--eval', code]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

it('a folder is locked once, and again after its release', () => {
  const lock = lockFolder(folder)
  expect(() => lockFolder(folder)).toThrow(FolderInUse)
  expect(() => lockFolder(folder)).toThrow(
    `The data folder ${folder} is in use by process ${process.pid}.`,
  )
  lock.release()
  expect(existsSync(join(folder, 'lock.pid'))).toBe(false)
  lockFolder(folder).release()
})

it('the lock holds against another process, names it, and ends with it however it ends', async () => {
  const child = await holder()
  const exited = once(child, 'exit')
  expect(() => lockFolder(folder)).toThrow(`${folder} is in use by process ${child.pid}.`)
  child.kill('SIGSTOP')
  expect(() => lockFolder(folder)).toThrow(FolderInUse)
  child.kill('SIGKILL')
  await exited
  lockFolder(folder).release()
})

it('a holder that is not known is another process', () => {
  const lock = lockFolder(folder)
  for (const text of ['', 'x', '-1']) {
    writeFileSync(join(folder, 'lock.pid'), text)
    expect(() => lockFolder(folder)).toThrow('is in use by another process.')
  }
  rmSync(join(folder, 'lock.pid'))
  expect(() => lockFolder(folder)).toThrow('is in use by another process.')
  lock.release()
})

it('a folder that is not there is told as such', () => {
  expect(() => lockFolder(join(folder, 'missing'))).toThrow(/unable to open/)
})
