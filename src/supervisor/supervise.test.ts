import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memberId, revision } from '../base/ids.ts'
import { DEFAULT_AUTHORITY, foundGroup, writeMember } from '../group/founding.ts'
import { type GroupRecord, RECORD_FORMAT } from '../group/record.ts'
import { writeStore } from '../io/sqlite-files.ts'
import { freeBasePort } from './free-ports.ts'
import type { GroupPlan } from './plan.ts'
import { membersIn } from './refusals.ts'
import { type RunningGroup, superviseGroup } from './supervise.ts'

const miniature = fileURLToPath(new URL('member-in-miniature.fixture.ts', import.meta.url))

let folder: string
let plan: GroupPlan & { readonly basePort: number }
let said: string[]
let group: RunningGroup | null

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-up-'))
  const dataFolder = join(folder, 'data')
  const basePort = await freeBasePort('127.0.0.1', 6)
  plan = {
    members: 3,
    dataFolder,
    basePort,
    copies: null,
    placement: 'on',
    balance: null,
    policy: {},
    budgetBytes: null,
    cacheBytes: 0,
    acceptDamage: [],
    acceptLoss: [],
    temporaryFolder: folder,
  }
  said = []
  group = null
})
afterEach(async () => {
  await group?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function up(behaviour = 'well', giveUp: Promise<unknown> = new Promise(() => {})) {
  const command = (file: string) => [process.execPath, miniature, behaviour, file]
  const running = await superviseGroup({ plan, command, say: (line) => said.push(line), giveUp })
  group = running
  return running
}

const history = (id: string) =>
  readFile(join(plan.dataFolder, id, 'history'), 'utf8').catch(() => '')

function alive(pid: number): boolean {
  try {
    // A process that has ended and that nobody has waited for is still listed, as a zombie.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('a group under supervision', () => {
  test('is ready when every member is, with a volume to connect to, and stops as one', async () => {
    const running = await up()
    expect(running?.members.map(({ id, portal }) => [id, portal])).toEqual(
      [1, 2, 3].map((n) => [`m${n}`, `127.0.0.1:${plan.basePort + n}`]),
    )
    expect(running?.api).toBe(`http://127.0.0.1:${plan.basePort}`)
    expect(running?.volumes).toMatchObject([{ name: 'vol1', bytes: 1024 ** 3, shared: true }])
    expect(await membersIn(plan.dataFolder)).toBe(3)
    await running?.stop()
    for (const { pid } of running?.members ?? []) expect(alive(pid)).toBe(false)
    expect(await history('m3')).toContain('told to stop')
  })

  test('V1 the damage of a member that there is not cannot be accepted', async () => {
    plan = { ...plan, acceptDamage: [memberId('m2'), memberId('m7')] }
    await expect(up()).rejects.toThrow(/no member 'm7'/)
    plan = { ...plan, acceptDamage: [memberId('m2')], acceptLoss: [memberId('m2')] }
    await expect(up()).rejects.toThrow(/one word about m2/)
  })

  test('V3 a member whose folder was moved away is still one of the group', async () => {
    await (await up())?.stop()
    await rm(join(plan.dataFolder, 'm3'), { recursive: true })
    expect(await membersIn(plan.dataFolder)).toBe(3)
  })

  test('V4 its members share what the disk has free, and a budget that is less', async () => {
    const budgets = async () => {
      await (await up())?.stop()
      const files = ['m1', 'm2', 'm3'].map((id) => join(plan.dataFolder, `${id}.json`))
      const configs = await Promise.all(files.map((file) => readFile(file, 'utf8')))
      return configs.map((text) => Number(JSON.parse(text).budgetBytes))
    }
    const { bavail, bsize } = await statfs(folder)
    const shares = await budgets()
    const all = shares.reduce((sum, share) => sum + share, 0)
    expect(all).toBeGreaterThan(0)
    // Others may use the disk meanwhile; three times what is free would be far more.
    expect(all).toBeLessThan(2 * bavail * bsize)
    plan = { ...plan, budgetBytes: 6_000_000 }
    expect(await budgets()).toEqual([2_000_000, 2_000_000, 2_000_000])
  })

  test('its members share what they keep in memory, which is nothing if that is said', async () => {
    const configured = async () => {
      await (await up())?.stop()
      const texts = ['m1', 'm3'].map((id) => readFile(join(plan.dataFolder, `${id}.json`), 'utf8'))
      return (await Promise.all(texts)).map((text) => Number(JSON.parse(text).cacheBytes))
    }
    expect(await configured()).toEqual([0, 0])
    plan = { ...plan, cacheBytes: 6_000_000 }
    expect(await configured()).toEqual([2_000_000, 2_000_000])
  })

  test('V1 a folder that is somebody else’s, or no folder, and a budget without room are refused', async () => {
    await writeFile(join(folder, 'file'), '')
    await mkdir(join(folder, 'mine/letters'), { recursive: true })
    const wrong: [Partial<typeof plan>, RegExp][] = [
      [{ dataFolder: join(folder, 'file') }, /file is a file: name a folder\.$/],
      [{ dataFolder: '/proc/evenkeel' }, /cannot be made in \/proc: that is no place for files/],
      [
        { dataFolder: join(folder, 'mine') },
        /mine is not empty \(letters\), and nothing in it is of/,
      ],
      [
        { budgetBytes: 1024 ** 2 },
        /no room for one page for each of the 3 members: give at least 4M/,
      ],
      [{ copies: 4 }, /A group keeps 1 to 3 copies, not 4\./],
      [{ members: 2, copies: 3 }, /3 copies need as many members, and there are 2\./],
    ]
    const sound = plan
    for (const [change, says] of wrong) {
      plan = { ...sound, ...change }
      await expect(up()).rejects.toThrow(says)
    }
    expect(await readdir(join(folder, 'mine'))).toEqual(['letters'])
    // What mkfs makes is nobody's.
    plan = { ...sound, dataFolder: join(folder, 'mounted') }
    await mkdir(join(folder, 'mounted/lost+found'), { recursive: true })
    expect((await up())?.members).toHaveLength(3)
  })

  test('a new group has two copies where it has two members, and one copy is said what it risks', async () => {
    const configured = async (change: Partial<typeof plan>) => {
      plan = { ...plan, ...change }
      said.length = 0
      await (await up())?.stop()
      const config = JSON.parse(await readFile(join(plan.dataFolder, 'm1.json'), 'utf8'))
      return [config.copies, said.some((line) => line.includes('a disk that is lost'))]
    }
    expect(await configured({})).toEqual([2, false])
    expect(await configured({ copies: 1 })).toEqual([1, true])
    const alone = { members: 1, dataFolder: join(folder, 'alone') }
    expect(await configured({ ...alone, copies: null })).toEqual([1, false])
  })

  test('U1 a member that is killed is started again', async () => {
    const running = await up()
    const pid = running?.members[1]?.pid ?? 0
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => history('m2')).toMatch(/started.*ready.*started.*ready/s)
    expect(said.join('\n')).toMatch(/m2 ended \(SIGKILL\); starts again in 0\.25 s/)
    expect(await history('m1')).not.toMatch(/started.*started/s)
  })

  test('U2 members stop when the supervisor is killed', async () => {
    const script = `
      const { superviseGroup } = await import(${JSON.stringify(new URL('supervise.ts', import.meta.url).href)})
      const command = (file) => [process.execPath, ${JSON.stringify(miniature)}, 'well', file]
      const group = await superviseGroup({ plan: ${JSON.stringify(plan)}, command, say: () => {}, giveUp: new Promise(() => {}) })
      console.log(JSON.stringify(group.members.map(({ pid }) => pid)))`
    const supervisor = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(supervisor.stdout, 'data')
    const pids: number[] = JSON.parse(String(line))
    expect(pids.map(alive)).toEqual([true, true, true])
    supervisor.kill('SIGKILL')
    await expect.poll(() => pids.some(alive)).toBe(false)
    expect(await history('m2')).toContain('supervisor gone')
  })

  test('V1 a port in use is named before anything is started', async () => {
    const server = createServer().listen(plan.basePort + 2, '127.0.0.1')
    await once(server, 'listening')
    try {
      await expect(up()).rejects.toThrow(
        `Port ${plan.basePort + 2} on 127.0.0.1 is in use; the group needs ${plan.basePort} to ${plan.basePort + 5}: name other ones with --base-port.`,
      )
      expect(await history('m1')).toBe('')
    } finally {
      server.close()
    }
  })

  test('V1 a data folder in use is refused', async () => {
    await up()
    const first = group
    plan = { ...plan, basePort: await freeBasePort('127.0.0.1', 6) }
    await expect(up()).rejects.toThrow(/data is in use by process \d+/)
    expect(said).toEqual([])
    group = first
  })

  /** A group that stands, of three members with two copies, as its coordination file has it. */
  async function standing(): Promise<void> {
    const ids = ['m1', 'm2', 'm3'].map(memberId)
    const group: GroupRecord = {
      ...{ format: RECORD_FORMAT, name: 'lab', groupId: 'g', incarnation: 'i', lineage: [] },
      ...{ slices: 8, namingAuthority: DEFAULT_AUTHORITY },
    }
    const members = ids.map((id, i) =>
      writeMember({
        ...{ id, bootId: 'b', peer: '', draining: false },
        portal: `127.0.0.1:${plan.basePort + 1 + i}`,
        api: `http://127.0.0.1:${i === 0 ? plan.basePort : plan.basePort + 3 + i}`,
      }),
    )
    const changes = [...foundGroup(group, ids, { copies: 2, min: 1 }), ...members]
    const items = changes.flatMap(({ put }) => put)
    await mkdir(plan.dataFolder)
    writeStore(join(plan.dataFolder, 'coordination.sqlite'), {
      rev: revision(9),
      items: items.map((item) => ({ ...item, rev: revision(1), created: revision(1) })),
    })
  }

  test('PT1 a member that joins takes no port that another one has, and copies stay as they were', async () => {
    plan = { ...plan, basePort: await freeBasePort('127.0.0.1', 8) }
    await standing()
    const { basePort } = plan
    plan = { ...plan, members: 4, copies: 3 }
    const running = await up()
    expect(running?.members.map(({ portal }) => portal)).toEqual(
      [1, 2, 3, 6].map((n) => `127.0.0.1:${basePort + n}`),
    )
    expect(running?.members.map(({ api }) => api)).toEqual(
      [0, 4, 5, 7].map((n) => `http://127.0.0.1:${basePort + n}`),
    )
    expect(said.join('\n')).toContain(
      "The group keeps 2 copies of each slice, and goes on so: --copies 3 is for a new group. 'evenkeel layout apply --copies 3' changes it.",
    )
    expect(said.join('\n')).toMatch(/m4 has no slices: .*'evenkeel layout plan' says what would/)
    const config = await readFile(join(plan.dataFolder, 'm4.json'), 'utf8')
    expect(JSON.parse(config)).toMatchObject({ copies: 2 })
  })

  test('V5 a group that lost its coordination file is refused, and nothing is touched', async () => {
    await mkdir(join(plan.dataFolder, 'm2'), { recursive: true })
    await writeFile(join(plan.dataFolder, 'm2', 'super'), '')
    plan = { ...plan, members: 2 }
    await expect(up()).rejects.toThrow(
      /coordination\.sqlite is missing.*pages of m2.*Put it back.*evenkeel recover --data/,
    )
    expect(await readdir(plan.dataFolder)).toEqual(['m2'])
    await writeFile(join(plan.dataFolder, 'coordination.sqlite'), '')
    await up()
  })

  test('V2 if a member cannot start, its last words are told and none is left behind', async () => {
    await expect(up('refuse-m2')).rejects.toThrow(
      'Member m2 did not start: The data folder was written by a newer version.',
    )
    const pids = [...(await history('m1')).matchAll(/started (\d+)/g)].map((match) =>
      Number(match[1]),
    )
    expect(pids.filter(alive)).toEqual([])
    // Its words are in the log once, with its end.
    const log = await readFile(join(plan.dataFolder, 'launcher.log'), 'utf8')
    const lines = log.split('\n').filter((line) => line.includes('newer version'))
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(['ended'])
    expect(log).toMatch(/"event":"failed".*the group does not start without m2/)
  })

  test('V2 a start that is given up leaves none behind', async () => {
    const giveUp = (async () => {
      await expect.poll(() => history('m3')).toContain('started')
    })()
    expect(await up('slow', giveUp)).toBeNull()
    const pids = [...(await history('m3')).matchAll(/started (\d+)/g)].map((match) =>
      Number(match[1]),
    )
    expect(pids.filter(alive)).toEqual([])
  })

  test('V3 a group is never started with fewer members than it has', async () => {
    await (await up())?.stop()
    plan = { ...plan, members: 2 }
    await expect(up()).rejects.toThrow(/has 3 members: start it with --members 3/)
  })
})
