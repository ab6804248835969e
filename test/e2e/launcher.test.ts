// bin/evenkeel in a checkout of its own, with an npm that only pretends: what it installs, when, and what it becomes.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const checkout = fileURLToPath(new URL('../..', import.meta.url))
let root: string
let environment: Record<string, string>
const started: ChildProcess[] = []

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'evenkeel launcher '))
  for (const folder of ['bin', 'scripts']) {
    await cp(join(checkout, folder), join(root, folder), { recursive: true })
  }
  await mkdir(join(root, 'src/cli'), { recursive: true })
  await writeFile(join(root, 'package-lock.json'), '{}')
  await writeFile(
    join(root, 'src/cli/main.ts'),
    `if (process.argv[2] === 'stay') {
       process.on('SIGTERM', () => process.exit(7))
       setInterval(() => {}, 1000)
     }
     console.log(JSON.stringify({ args: process.argv.slice(2), pid: process.pid }))`,
  )
  await pretend(
    'npm',
    `echo "$@" >>"${root}/npm.log"; sleep 0.3
    mkdir -p node_modules/.bin; ln -sf "${process.execPath}" node_modules/.bin/node; echo '{}' >node_modules/.package-lock.json`,
  )
  environment = { PATH: `${join(root, 'fake')}:/usr/bin:/bin` }
})
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  await rm(root, { recursive: true, force: true })
})

async function pretend(name: string, body: string): Promise<void> {
  const file = join(root, 'fake', name)
  await mkdir(join(root, 'fake'), { recursive: true })
  await writeFile(file, `#!/bin/sh\n${body}\n`)
  await chmod(file, 0o755)
}

const evenkeel = (...args: string[]) =>
  promisify(execFile)(join(root, 'bin/evenkeel'), args, { env: environment, cwd: tmpdir() })
const installs = async () => (await readFile(join(root, 'npm.log'), 'utf8')).trim().split('\n')

describe('bin/evenkeel', () => {
  test('installs on a fresh clone, once, and says so on standard error', async () => {
    const { stdout, stderr } = await evenkeel('volume', 'show', 'a b')
    expect(JSON.parse(stdout).args).toEqual(['volume', 'show', 'a b'])
    expect(stderr).toContain('installing the packages (npm install), once')
    expect((await evenkeel('status')).stderr).toBe('')
    expect(await installs()).toHaveLength(1)
    expect((await installs())[0]).toMatch(/^install /)
  })

  test('installs again when package-lock.json is newer', async () => {
    await evenkeel('status')
    const later = new Date(Date.now() + 60_000)
    await utimes(join(root, 'package-lock.json'), later, later)
    await evenkeel('status')
    expect(await installs()).toHaveLength(2)
  })

  test('the Node is asked for its version once, until the packages are others', async () => {
    const asked = join(root, 'asked.log')
    const node = join(root, 'fake/real-node')
    await pretend(
      'real-node',
      `[ "$1" = -p ] && echo "$@" >>"${asked}"; exec "${process.execPath}" "$@"`,
    )
    await pretend(
      'npm',
      `mkdir -p node_modules/.bin; ln -sf "${node}" node_modules/.bin/node; echo '{}' >node_modules/.package-lock.json`,
    )
    const times = async () => (await readFile(asked, 'utf8')).trim().split('\n').length
    for (let i = 0; i < 3; i += 1) await evenkeel('status')
    expect(await times()).toBe(1)
    const later = new Date(Date.now() + 60_000)
    await utimes(join(root, 'node_modules/.package-lock.json'), later, later)
    expect((await evenkeel('status')).stdout).toContain('status')
    expect(await times()).toBe(2)
  })

  test('what Node compiled is kept where nobody else writes', async () => {
    await evenkeel('status')
    const { mode } = await stat(join(root, 'node_modules/.cache/evenkeel'))
    expect(mode & 0o077).toBe(0)
  })

  test('as it was installed by npm, it runs what is there on the Node on the PATH, and installs nothing', async () => {
    await writeFile(join(root, 'src/cli/main.js'), 'console.log(process.execPath)')
    await pretend('node', `exec "${process.execPath}" "$@"`)
    const { stdout, stderr } = await evenkeel('status')
    expect([stdout.trim(), stderr]).toEqual([process.execPath, ''])
    await expect(installs()).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('two at once install once', async () => {
    await Promise.all([evenkeel('a'), evenkeel('b'), evenkeel('c')])
    expect(await installs()).toHaveLength(1)
  })

  test('a lock that its holder left behind does not stop it', async () => {
    await mkdir(join(root, 'node_modules/.evenkeel-installing'), { recursive: true })
    await writeFile(join(root, 'node_modules/.evenkeel-installing/pid'), '4194303\n')
    expect((await evenkeel('status')).stdout).toContain('status')
  })

  test('a signal to the launcher reaches the real process', async () => {
    await evenkeel('status')
    const child = spawn(join(root, 'bin/evenkeel'), ['stay'], { env: environment })
    started.push(child)
    const [line] = await once(child.stdout, 'data')
    expect(JSON.parse(String(line)).pid).toBe(child.pid)
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([7, null])
  })

  test('works through a symbolic link', async () => {
    await symlink(join(root, 'bin/evenkeel'), join(root, 'fake/evenkeel'))
    const { stdout } = await promisify(execFile)('evenkeel', ['status'], { env: environment })
    expect(stdout).toContain('status')
  })

  test('says what to do when npm fails, and when there is no Node that is new enough', async () => {
    await pretend('npm', 'exit 1')
    await expect(evenkeel('status')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('npm install failed'),
    })
    await pretend('npm', "mkdir -p node_modules; echo '{}' >node_modules/.package-lock.json")
    await pretend('node', 'echo 20')
    await expect(evenkeel('status')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('install Node.js 24 or newer'),
    })
  })
})
