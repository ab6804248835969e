// What only the embedded coordinator can meet: other processes on its file, killed or stopped; a worker that dies; a file
// that is not ours.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { NO_REVISION, revision } from '../../src/base/ids.ts'
import { EmbeddedCoordinator } from '../../src/coordination/embedded.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { backUpStore, readStore, setStoreAside, writeStore } from '../../src/io/sqlite-files.ts'
import { isBusy, SqliteStore } from '../../src/io/sqlite-store.ts'
import { SqliteWorker } from '../../src/io/sqlite-worker.ts'
import { done, founding, listed, range, take } from './coordinator-calls.ts'

const clock = new SystemClock()
const childFile = fileURLToPath(new URL('./coordinator-child.ts', import.meta.url))
let folder = ''
let file = ''
let children: ChildProcess[] = []
let handles: EmbeddedCoordinator[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-coordinator-'))
  file = join(folder, 'group.sqlite')
})

afterEach(async () => {
  for (const child of children) await killed(child)
  for (const handle of handles) await handle.close()
  children = []
  handles = []
  rmSync(folder, { recursive: true })
})

async function open(worker = new SqliteWorker(file)): Promise<EmbeddedCoordinator> {
  const handle = await EmbeddedCoordinator.open(worker, clock, founding)
  handles.push(handle)
  return handle
}

/** `lines` is what the child has said so far. */
function start(...args: string[]): {
  readonly child: ChildProcess
  readonly lines: () => string[]
} {
  const child = spawn(process.execPath, [childFile, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let said = ''
  child.stdout?.on('data', (bytes: Buffer) => {
    said += bytes.toString()
  })
  return { child, lines: () => said.split('\n').slice(0, -1) }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}

it('G1 W3 increments by several processes are all counted, and all of them watched', async () => {
  const handle = await open()
  const watch = handle.watch('', NO_REVISION)
  const counts = range(1, 2).map(() => start('count', file, '150'))
  const changes = await take(watch, 300)
  expect(changes.map(({ value }) => Number(value))).toEqual(range(1, 300))
  await until(() => counts.every(({ lines }) => lines().includes('done')))
  watch.close()
})

it('G1 E2 F1 a process killed inside a transaction leaves nothing of it', async () => {
  const handle = await open()
  await done(handle, { put: [{ key: 'a', value: 'before' }] })
  const { child, lines } = start('hold', file)
  await until(() => lines().includes('holding'))
  expect(await handle.txn({ put: [{ key: 'a', value: 'x' }] })).toEqual({
    kind: 'unknown',
    reason: 'busy',
  })
  await killed(child)
  const { rev } = await done(handle, { put: [{ key: 'b', value: 'after' }] })
  expect(rev).toBe(2)
  expect((await listed(handle, '')).map(({ key, value }) => `${key}=${value}`)).toEqual([
    'a=before',
    'b=after',
  ])
})

it('G1 F1 F2 a process killed in a stream of transactions leaves a prefix of them', async () => {
  for (const least of [1, 7, 23]) {
    const { child, lines } = start('stream', file)
    await until(() => lines().length >= least)
    await killed(child)
    const handle = await open()
    const values = (await listed(handle, '')).map(({ value }) => Number(value))
    const [a = 0, b] = values
    expect(a).toBe(b)
    expect(a).toBeGreaterThanOrEqual(Number(lines().at(-1)))
    expect(a).toBeLessThanOrEqual(Number(lines().at(-1)) + 1)
    const watch = handle.watch('', NO_REVISION)
    const changes = await take(watch, 2 * a)
    expect(changes.map(({ value, rev }) => [Number(value), rev])).toEqual(
      range(1, a).flatMap((n) => [
        [n, n],
        [n, n],
      ]),
    )
    watch.close()
    await handle.close()
    for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true })
  }
})

it('E1 W2 a stopped process that holds the lock delays transactions and never the event loop', async () => {
  const handle = await open()
  const { rev } = await done(handle, { put: [{ key: 'a', value: '1' }] })
  const { child, lines } = start('hold', file)
  await until(() => lines().includes('holding'))
  child.kill('SIGSTOP')
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const startedMs = performance.now()
  const [write, read] = await Promise.all([
    handle.txn({ put: [{ key: 'a', value: '2' }] }),
    handle.list('').then((result) => ({ result, afterMs: performance.now() - startedMs })),
  ])
  const waitedMs = performance.now() - startedMs
  delay.disable()
  expect(write).toEqual({ kind: 'unknown', reason: 'busy' })
  expect(waitedMs).toBeGreaterThan(450)
  // Readers do not wait for writers.
  expect(read.result).toMatchObject({ kind: 'done', rev })
  expect(read.afterMs).toBeLessThan(waitedMs - 200)
  console.log(
    `a stopped holder: write given up after ${waitedMs.toFixed(0)} ms, read after ${read.afterMs.toFixed(1)} ms; ` +
      `event loop delay p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, max ${(delay.max / 1e6).toFixed(1)} ms`,
  )
  // Were the lock waited for on the event loop, the delay would be all of the wait.
  expect(delay.max / 1e6).toBeLessThan(waitedMs / 2)
  const late = handle.txn({ put: [{ key: 'a', value: '3' }] })
  await killed(child)
  expect(await late).toMatchObject({ kind: 'done', rev: rev + 1 })
})

it('F3 a store that finds the file locked says so at once, and has done nothing', async () => {
  const store = new SqliteStore(file, 100, true)
  try {
    store.transact({ put: [{ key: 'a', value: 'before' }] })
    const holder = new DatabaseSync(file, { timeout: 0 })
    holder.exec('BEGIN IMMEDIATE')
    const startedMs = performance.now()
    let error: unknown = null
    try {
      store.transact({ put: [{ key: 'a', value: 'x' }] })
    } catch (thrown) {
      error = thrown
    }
    expect(isBusy(error)).toBe(true)
    // The shortest wait that SQLite is ever asked for here would be that of the worker, half a second.
    expect(performance.now() - startedMs).toBeLessThan(400)
    holder.exec('ROLLBACK')
    holder.close()
    expect(store.list('')).toMatchObject({ rev: 1, items: [{ key: 'a', value: 'before' }] })
    expect(isBusy(new Error('of another kind'))).toBe(false)
  } finally {
    store.close()
  }
})

it('F2 W1 W3 writes that wait for a lock are done in order, without gaps, and watched', async () => {
  const worker = new SqliteWorker(file, 100, 3_600_000)
  const handle = await open(worker)
  const watch = handle.watch('', NO_REVISION)
  const holder = new DatabaseSync(file, { timeout: 0 })
  holder.exec('BEGIN IMMEDIATE')
  const writes = range(1, 20).map(async (n) => handle.txn({ put: [{ key: 'n', value: `${n}` }] }))
  // Answered behind the writes: they have all come to the worker.
  await handle.list('')
  holder.exec('ROLLBACK')
  holder.close()
  const results = await Promise.all(writes)
  expect(results.map((result) => result.kind === 'done' && result.rev)).toEqual(range(1, 20))
  // The next poll is an hour away: what this worker wrote is told at once.
  const changes = await take(watch, 20)
  expect(changes.map(({ value, rev }) => [Number(value), rev])).toEqual(
    range(1, 20).map((n) => [n, n]),
  )
  watch.close()
})

it('E3 a worker that dies leaves its calls unknown; the next ones and the watches go on', async () => {
  const worker = new SqliteWorker(file)
  const handle = await open(worker)
  await done(handle, { put: [{ key: 'n', value: '0' }] })
  const watch = handle.watch('', NO_REVISION)
  let [counted, unknown] = [0, 0]
  for (let round = 0; round < 5; round += 1) {
    const calls = range(1, 20).map(async (n) => handle.txn({ put: [{ key: 'n', value: `${n}` }] }))
    await calls[0]
    await worker.kill()
    for (const { kind } of await Promise.all(calls)) {
      if (kind === 'done') counted += 1
      else unknown += 1
    }
  }
  expect(unknown).toBeGreaterThan(0)
  const { rev } = await done(handle, { put: [{ key: 'n', value: 'last' }] })
  expect(rev).toBeGreaterThanOrEqual(counted + 2)
  expect(rev).toBeLessThanOrEqual(counted + unknown + 2)
  expect((await take(watch, rev)).map((change) => change.rev)).toEqual(range(1, rev))
  watch.close()
})

it('E1 a worker that never answers leaves its calls unknown', async () => {
  const mute = await EmbeddedCoordinator.open(
    {
      ask: async (request) =>
        request.kind === 'open'
          ? { kind: 'ready', rev: NO_REVISION }
          : await new Promise(() => undefined),
      close: async () => undefined,
    },
    clock,
    founding,
  )
  expect(await mute.txn({})).toEqual({ kind: 'unknown', reason: 'no answer in time' })
})

it('E4 a file that somebody keeps locked is waited for, and that is said', async () => {
  await (await open()).close()
  const { child, lines } = start('hold', file)
  await until(() => lines().includes('holding'))
  const impatient = new SystemClock()
  let hours = 0
  impatient.nowMs = () => {
    hours += 1
    return hours * 3_600_000
  }
  const said: string[] = []
  const waits = (reason: string) => said.push(reason)
  const opening = EmbeddedCoordinator.open(new SqliteWorker(file), impatient, {
    make: false,
    waits,
  })
  await until(() => said.length >= 3)
  expect(new Set(said)).toEqual(new Set(["The coordinator's file cannot be opened yet: busy."]))
  await killed(child)
  handles.push(await opening)
})

it('E4 a worker that does not answer for long is waited for', async () => {
  let asked = 0
  const said: string[] = []
  const hasty = new SystemClock()
  hasty.after = (_, f) => clock.after(0, f)
  hasty.nowMs = () => asked * 3_600_000
  await EmbeddedCoordinator.open(
    {
      ask: async () => {
        asked += 1
        return asked < 5 ? await new Promise(() => undefined) : { kind: 'ready', rev: NO_REVISION }
      },
      close: async () => undefined,
    },
    hasty,
    { make: false, waits: (reason) => said.push(reason) },
  )
  expect(said).toHaveLength(4)
  expect(said[0]).toBe("The coordinator's file cannot be opened yet: no answer in time.")
})

it('E5 F4 where there must be a file, a missing and an empty one are refused, and none is made', async () => {
  const member = { ...founding, make: false }
  const opening = () => EmbeddedCoordinator.open(new SqliteWorker(file), clock, member)
  await expect(opening()).rejects.toThrow(/group\.sqlite is missing; .*evenkeel recover/)
  expect(readdirSync(folder)).toEqual([])
  writeFileSync(file, '')
  await expect(opening()).rejects.toThrow(/group\.sqlite is empty; .*evenkeel recover/)
  expect(readFileSync(file)).toHaveLength(0)
})

it.each([
  ['a column', 'ALTER TABLE kv RENAME COLUMN rev TO rew'],
  ['a table', 'ALTER TABLE log RENAME TO loh'],
])(
  'F4 a file in whose schema bits of the name of %s have changed is damaged',
  async (_, change) => {
    await (await open()).close()
    const db = new DatabaseSync(file)
    db.exec(change)
    db.close()
    await expect(open()).rejects.toThrow(/group\.sqlite is damaged \(no such .*evenkeel recover/)
  },
)

/** Each is done to the file while a handle has it open. */
const harms: Readonly<Record<string, () => void>> = {
  'removed with all its parts': () => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix)
  },
  'removed alone': () => rmSync(file),
  'without its -wal': () => rmSync(`${file}-wal`),
  'without its -shm': () => rmSync(`${file}-shm`),
  'replaced by a copy of itself': () => {
    copyFileSync(file, `${file}.copy`)
    renameSync(`${file}.copy`, file)
  },
  'cut to nothing': () => truncateSync(file),
  'cut by half': () => truncateSync(file, Math.floor(statSync(file).size / 2)),
  'with its -wal cut': () => truncateSync(`${file}-wal`, 100),
}
for (const [name, harm] of Object.entries(harms)) {
  it(`W4 G6 a file that is ${name} under us is lost: nothing is done in it, and a watch learns of it`, async () => {
    const handle = await open(new SqliteWorker(file, 100, 5))
    const { rev } = await done(handle, { put: [{ key: 'a', value: '1' }] })
    const watch = handle.watch('', rev)
    const waiting = watch.next()
    harm()
    // The watch alone, at a poll.
    await expect.poll(() => handle.lost).toMatch(/The coordination file .*evenkeel recover/)
    expect(await handle.txn({ put: [{ key: 'a', value: '2' }] })).toEqual({
      kind: 'unknown',
      reason: handle.lost,
    })
    expect((await handle.list('')).kind).toBe('unknown')
    watch.close()
    await waiting
  })
}

it('W4 a -wal that somebody else has emptied by a checkpoint is no loss, at rest and at work, and a loss later on is told', async () => {
  const handle = await open(new SqliteWorker(file, 100, 5))
  let { rev } = await done(handle, { put: [{ key: 'a', value: 'x'.repeat(5000) }] })
  const watch = handle.watch('', rev)
  // The watch may be reading just then, and a checkpoint that does not wait for that leaves the -wal as it is.
  const other = new DatabaseSync(file, { timeout: 1000 })
  for (let round = 1; round <= 3; round += 1) {
    const heard = watch.next()
    other.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    expect(statSync(`${file}-wal`).size).toBe(0)
    ;({ rev } = await done(handle, { put: [{ key: 'a', value: String(round) }] }))
    expect(await heard).toMatchObject({ kind: 'changes', rev })
    expect((await done(handle, { read: ['a'] })).read[0]?.[0]?.value).toBe(String(round))
    expect(handle.lost).toBeNull()
  }
  other.close()
  const heard = watch.next()
  truncateSync(`${file}-wal`, 100)
  await expect.poll(() => handle.lost).toMatch(/has lost a part of it: .*-wal was cut off|damaged/)
  watch.close()
  await heard
})

it('W4 a file that is moved away and back is gone on with', async () => {
  const handle = await open()
  await done(handle, { put: [{ key: 'a', value: '1' }] })
  for (const suffix of ['', '-wal', '-shm'])
    renameSync(file + suffix, join(folder, `kept${suffix}`))
  expect((await handle.txn({ put: [{ key: 'a', value: '2' }] })).kind).toBe('unknown')
  expect(handle.lost).toMatch(/was removed/)
  for (const suffix of ['', '-wal', '-shm'])
    renameSync(join(folder, `kept${suffix}`), file + suffix)
  await done(handle, { put: [{ key: 'a', value: '3' }] })
  expect(handle.lost).toBeNull()
})

it('G6 an answer below a revision that was seen before the question is of a store that has gone back', async () => {
  let rev = revision(7)
  const handle = await EmbeddedCoordinator.open(
    {
      ask: async (request) =>
        request.kind === 'open' ? { kind: 'ready', rev } : { kind: 'list', rev, items: [] },
      close: async () => undefined,
    },
    clock,
    founding,
  )
  expect(await handle.list('')).toMatchObject({ kind: 'done', rev: 7 })
  rev = revision(6)
  expect((await handle.list('')).kind).toBe('unknown')
  expect(handle.lost).toMatch(/gone back from revision 7 to 6: .*evenkeel recover/)
  rev = revision(8)
  expect((await handle.list('')).kind).toBe('unknown')
})

it('F5 F6 a store is read and backed up as it is, with what its -wal alone holds', async () => {
  const handle = await open()
  await done(handle, { put: [{ key: 'a', value: '1' }] })
  const before = statSync(`${file}-wal`)
  const backup = join(folder, 'backup')
  const rev = revision(1)
  const contents = { rev, items: [{ key: 'a', value: '1', rev, created: rev }] }
  expect(readStore(file)).toEqual(contents)
  expect(backUpStore(file, backup)).toMatchObject(contents)
  expect(() => backUpStore(file, backup)).toThrow(/EEXIST/)
  const after = statSync(`${file}-wal`)
  expect([after.ino, after.size, after.mtimeMs]).toEqual([before.ino, before.size, before.mtimeMs])
  await done(handle, { put: [{ key: 'a', value: '2' }] })
  expect(() => writeStore(file, contents)).toThrow(/is in the way/)
  await handle.close()
  expect(setStoreAside(file, 'old')).toEqual([`${file}.old`])
  expect(readStore(backup)).toEqual(contents)
  writeStore(file, contents)
  expect(readStore(file)).toEqual(contents)
  expect(() => readStore(join(folder, 'none'))).toThrow(/none is missing/)
})

it('F1 a file of a newer format is refused with a sentence', async () => {
  await (await open()).close()
  const db = new DatabaseSync(file)
  db.exec('UPDATE meta SET format = 3')
  db.close()
  await expect(open()).rejects.toThrow(/group\.sqlite has format 3; this version .* knows format 2/)
})

it('F1 a file of an earlier development version is refused with what to do', async () => {
  await (await open()).close()
  const db = new DatabaseSync(file)
  db.exec('UPDATE meta SET format = 1')
  db.close()
  await expect(open()).rejects.toThrow(/an earlier development version. Start with a new data fo/)
})

it('F1 a file of something else is refused and left alone', async () => {
  const db = new DatabaseSync(file)
  db.exec('CREATE TABLE theirs (x)')
  db.close()
  await expect(open()).rejects.toThrow(/is an SQLite file, but no coordinator's file/)
})

it('F1 a file that cannot be made is told after a while', async () => {
  const worker = new SqliteWorker(join(folder, 'missing', 'group.sqlite'))
  const impatient = new SystemClock()
  let hours = 0
  impatient.nowMs = () => {
    hours += 1
    return hours * 3_600_000
  }
  await expect(EmbeddedCoordinator.open(worker, impatient, founding)).rejects.toThrow(
    /cannot be opened/,
  )
  await worker.close()
})
