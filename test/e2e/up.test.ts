// `evenkeel up` as a user meets it: real processes, real sockets, Debian's initiators.
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { keys, RECORD_FORMAT } from '../../src/group/record.ts'
import { SqliteStore } from '../../src/io/sqlite-store.ts'
import {
  alive,
  freeRange,
  launcher,
  type RunningGroup,
  run,
  startGroup,
  startGroupAnywhere,
  stopGroup,
} from './running-group.ts'

let folder: string
/** 0 until the first start has chosen it. */
let basePort: number
let group: RunningGroup | null

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-e2e-'))
  basePort = 0
  group = null
})
afterEach(async () => {
  if (group !== null) await stopGroup(group)
  await rm(folder, { recursive: true, force: true })
})

const up = async (...more: string[]) => {
  const data = join(folder, 'data')
  if (basePort > 0) group = await startGroup(data, basePort, ...more)
  else {
    const started = await startGroupAnywhere(data, ...more)
    ;({ basePort } = started)
    group = started
  }
  return group
}
const evenkeel = async (...args: string[]) => {
  const { stdout } = await run(launcher, [
    '--api',
    `http://127.0.0.1:${basePort}`,
    '-o',
    'json',
    ...args,
  ])
  return JSON.parse(stdout)
}
const pids = (running: RunningGroup) => running.ready.members.map(({ pid }) => pid)
/** The volume at the nth member. */
const urlAt = (running: RunningGroup, n: number) =>
  `iscsi://127.0.0.1:${basePort + n}/${running.ready.volumes[0]?.iqn}/0`

describe('up', () => {
  test('says when it is ready, stops cleanly, and has every byte and definition when started again', async () => {
    const first = await up()
    console.log(`ready after ${first.startMs.toFixed(0)} ms`)
    expect(first.ready.members.map(({ id, portal }) => `${id} ${portal}`)).toEqual(
      [1, 2, 3].map((n) => `m${n} 127.0.0.1:${basePort + n}`),
    )
    expect(first.ready.volumes).toMatchObject([{ name: 'vol1', url: urlAt(first, 1) }])
    expect(await evenkeel('status')).toMatchObject({ slices: { copies: 2 } })
    await evenkeel('volume', 'create', 'second', '--size', '64M', '--block', '4096')
    await run('qemu-io', ['-f', 'raw', '-c', 'write -P 0x5a 12M 40M', urlAt(first, 2)])
    const before = await evenkeel('volume', 'list')

    expect(await stopGroup(first)).toBe(0)
    expect(pids(first).filter(alive)).toEqual([])

    const second = await up()
    expect(await evenkeel('volume', 'list')).toEqual(before)
    const { stdout } = await run('qemu-io', [
      '-f',
      'raw',
      '-c',
      'read -P 0x5a 12M 40M',
      '-c',
      'read -P 0 52M 8M',
      urlAt(second, 3),
    ])
    expect(stdout).not.toContain('Pattern verification failed')
    expect(stdout).toContain('read 41943040/41943040')
  })

  test('P2 whatever umask and the folder allow, others cannot reach what is in it', async () => {
    const data = join(folder, 'data')
    const umask = process.umask(0)
    try {
      await mkdir(data, { mode: 0o777 })
      await up('--members', '2')
    } finally {
      process.umask(umask)
    }
    const wide = async () => {
      const entries = await readdir(data, { withFileTypes: true, recursive: true })
      const found = entries.map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        // A file that was written anew has another one's name by now.
        const found = await stat(path).catch(() => null)
        return found === null || (found.mode & 0o077) === 0 ? [] : [relative(data, path)]
      })
      return { all: entries.map(({ name }) => name), wide: (await Promise.all(found)).flat() }
    }
    await run('qemu-io', ['-f', 'raw', '-c', 'write 0 4M', urlAt(group as RunningGroup, 1)])
    const { all, wide: now } = await wide()
    expect(all).toEqual(
      expect.arrayContaining([
        ...['coordination.sqlite', 'coordination.sqlite-wal', 'coordination.sqlite-shm'],
        ...['m1.json', 'member.log', 'peer.sock', 'lock.sqlite', 'lock.pid'],
        ...['super', 'journal', 'index.A', 'data'],
      ]),
    )
    expect(now).toEqual([])
    // As a backup may bring them back.
    await stopGroup(group as RunningGroup)
    await run('chmod', ['-R', 'a+rwX', data])
    await up('--members', '2')
    expect((await wide()).wide).toEqual([])
  })

  test('lets a member join: nobody else changes a port, and it has sessions and no slices', async () => {
    const first = await up('--members', '2', '--copies', '1')
    const before = await evenkeel('member', 'list')
    await run('qemu-io', ['-f', 'raw', '-c', 'write -P 0x31 0 40M', urlAt(first, 1)])
    await stopGroup(first)
    const data = join(folder, 'data')
    const joined = await startGroup(data, null, '--members', '3')
    group = joined
    const places = (list: { items: { id: string; portal: string; api: string }[] }) =>
      list.items.map(({ id, portal, api }) => [id, portal, api])
    const after = await evenkeel('member', 'list')
    expect(places(after).slice(0, 2)).toEqual(places(before))
    expect(after.items[2]).toMatchObject({
      ...{ id: 'm3', slices: 0, copies: 0, state: 'up' },
      ...{ portal: `127.0.0.1:${basePort + 4}`, api: `http://127.0.0.1:${basePort + 5}` },
    })
    const url = `iscsi://127.0.0.1:${basePort + 4}/${joined.ready.volumes[0]?.iqn}/0`
    await run('qemu-io', ['-f', 'raw', '-c', 'read -P 0x31 0 40M', url])
    const plan = await evenkeel('layout', 'plan')
    expect(plan).toMatchObject({ copies: 341, primaries: 341 })
    expect(plan.bytes).toBeGreaterThan(10 * 2 ** 20)
    expect((await evenkeel('layout', 'show')).members[2]).toMatchObject({ copies: 0, missing: 0 })
  })

  test('leaves no process behind when it is killed', async () => {
    const running = await up()
    running.process.kill('SIGKILL')
    await expect.poll(() => pids(running).filter(alive)).toEqual([])
  })

  test('starts a member again that was killed, with what it had acknowledged', async () => {
    const running = await up()
    await run('qemu-io', ['-f', 'raw', '-c', 'write -P 0x77 0 48M', urlAt(running, 1)])
    const pid = running.ready.members[1]?.pid ?? 0
    process.kill(pid, 'SIGKILL')
    const pidOf = async () => {
      const { items } = await evenkeelMembers()
      return items.find(({ id }) => id === 'm2')?.pid ?? pid
    }
    await expect.poll(pidOf).not.toBe(pid)
    const { stdout } = await run('qemu-io', [
      '-f',
      'raw',
      '-c',
      'read -P 0x77 0 48M',
      urlAt(running, 2),
    ])
    expect(stdout).toContain('read 50331648/50331648')
    expect(stdout).not.toContain('Pattern verification failed')
  })

  test('V3 a group record of a newer version stops the members, and up says why', async () => {
    const running = await up()
    let said = ''
    running.process.stderr?.on('data', (text: string) => {
      said += text
    })
    await makeRecordNewer(join(folder, 'data', 'coordination.sqlite'))
    await expect.poll(() => pids(running).filter(alive)).toEqual([])
    const sentence = `record format ${RECORD_FORMAT + 1}; this version of Evenkeel knows format ${RECORD_FORMAT}`
    await expect.poll(() => said).toMatch(/m1 ended \(exit code 1\)/)
    expect(said).toContain(sentence)
    const log = await readFile(join(folder, 'data', 'm1', 'member.log'), 'utf8')
    expect(log).toContain(sentence)
  })

  test('a data folder and a port in use are refused with a sentence', async () => {
    await up()
    const other = await freeRange(6)
    await expect(startGroup(join(folder, 'data'), other)).rejects.toThrow(
      /exit code 1: evenkeel: The data folder .* is in use by process \d+\.\n$/,
    )
    await expect(startGroup(join(folder, 'other'), basePort)).rejects.toThrow(
      new RegExp(`evenkeel: Port ${basePort} on 127\\.0\\.0\\.1 is in use; .*--base-port\\.\\n$`),
    )
  })
})

/** As a member of a newer version would leave it. */
async function makeRecordNewer(file: string): Promise<void> {
  const store = new SqliteStore(file, 50_000, false)
  const write = () => {
    const read = store.transact({ read: [keys.group] })
    const [item] = read.kind === 'txn' ? (read.read[0] ?? []) : []
    const newer = { ...JSON.parse(item?.value ?? '{}'), format: RECORD_FORMAT + 1 }
    return store.transact({ put: [{ key: keys.group, value: JSON.stringify(newer) }] }).kind
  }
  // Busy (F3) is tried again.
  await expect.poll(write).toBe('txn')
  store.close()
}

/** As the API has them: the CLI prints them within `status`. */
async function evenkeelMembers(): Promise<{ items: { id: string; pid: number | null }[] }> {
  const response = await fetch(`http://127.0.0.1:${basePort}/api/v1/members`)
  return (await response.json()) as { items: { id: string; pid: number | null }[] }
}
