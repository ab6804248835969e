// What does a member cost that has nothing to do, and how soon do the others hear of a change of the group record?
//
//   sh scripts/node.sh bench/idle.ts [seconds] [commits]
//
// First a group of three as `evenkeel up` starts it, left alone: CPU and voluntary context switches (wake-ups) of each
// member's process, by thread, from /proc. It is given half a minute to settle first: the rounds come so seldom that V8
// compiles them for about as long, and that is no cost of being idle. Then three members in this process, wired as theirs
// are, one of which changes a key of its own: the time from its answer until the views of the others have it.

import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MemberId, memberId } from '../src/base/ids.ts'
import { EmbeddedCoordinator } from '../src/coordination/embedded.ts'
import { SystemClock } from '../src/io/clock.ts'
import { FolderDisk } from '../src/io/disk.ts'
import { SystemNet } from '../src/io/net.ts'
import { SqliteWorker } from '../src/io/sqlite-worker.ts'
import { Member } from '../src/member/member.ts'
import { storeDefaults } from '../src/store/settings.ts'
import { boundsDefaults } from '../src/target/memory-bounds.ts'
import { startGroupAnywhere, stopGroup } from '../test/e2e/running-group.ts'
import { TICKS_PER_SECOND, used, WHOLE } from './processes.ts'

const SETTLE_MS = 30_000
const GAP_MS = 15
/** Wake-ups a second of a thread. */
const LEAST_SHOWN = 0.2
const ids = ['m1', 'm2', 'm3'].map(memberId)
const seconds = Number(process.argv[2] ?? 60)
const commits = Number(process.argv[3] ?? 400)
const clock = new SystemClock()

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function measureIdle(folder: string): Promise<void> {
  const group = await startGroupAnywhere(join(folder, 'data'), '--copies', '1')
  try {
    await pause(SETTLE_MS)
    const before = new Map(group.ready.members.map(({ id, pid }) => [id, used(pid)]))
    await pause(seconds * 1_000)
    for (const { id, pid } of group.ready.members) {
      const was = before.get(id)
      const threads = new Map(used(pid))
      const say = (what: string, thread: string) => {
        const now = threads.get(thread) ?? { cpuTicks: 0, wakeUps: 0 }
        const then = was?.get(thread) ?? { cpuTicks: 0, wakeUps: 0 }
        const cpu = (100 * (now.cpuTicks - then.cpuTicks)) / TICKS_PER_SECOND / seconds
        const wakeUps = (now.wakeUps - then.wakeUps) / seconds
        if (wakeUps < LEAST_SHOWN) return
        console.log(`${what}: ${cpu.toFixed(2)} % of a core, ${wakeUps.toFixed(1)} wake-ups/s`)
      }
      say(id, WHOLE)
      threads.delete(WHOLE)
      for (const thread of threads.keys()) say(`    ${thread}`, thread)
    }
    console.log(`load average: ${loadavg().map((load) => load.toFixed(1))}`)
  } finally {
    await stopGroup(group)
  }
}

async function startHere(folder: string, id: MemberId): Promise<Member> {
  await mkdir(join(folder, id), { recursive: true })
  const disk = new FolderDisk(join(folder, id))
  const worker = new SqliteWorker(join(folder, 'coordination.sqlite'))
  const waits = () => undefined
  const coordinator = await EmbeddedCoordinator.open(worker, clock, { make: true, waits })
  const member = await Member.open(
    { clock, net: new SystemNet(), disk, coordinator, newId: randomUUID },
    {
      ...{ memberId: id, groupName: 'bench', founders: ids, slices: 3, groupAddress: null },
      namingAuthority: 'iqn.2026-11.dev.evenkeel',
      portal: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      peer: { kind: 'unix', path: join(folder, `${id}.sock`) },
      ...{ api: '', bounds: boundsDefaults },
      store: { ...storeDefaults, journalBytes: 8 * 2 ** 20, slotsPerSegment: 16 },
    },
    () => undefined,
  )
  await member.serve()
  return member
}

async function measureNews(folder: string): Promise<void> {
  await mkdir(folder)
  const members = await Promise.all(ids.map((id) => startHere(folder, id)))
  const [writer, ...others] = members
  if (writer === undefined) throw new Error('no member')
  await pause(1_500)
  const lates: number[] = []
  for (let n = 0; n < commits; n += 1) {
    const put = [{ key: 'bench', value: String(n) }]
    const result = await writer.ports.coordinator.txn({ put })
    if (result.kind !== 'done') throw new Error(`the commit is ${result.kind}`)
    const begunMs = performance.now()
    await Promise.all(
      others.map(async ({ group }) => {
        while (group.rev < result.rev) await group.changed()
        lates.push(performance.now() - begunMs)
      }),
    )
    await pause(GAP_MS)
  }
  lates.sort((a, b) => a - b)
  const at = (q: number) => (lates[Math.floor(q * (lates.length - 1))] ?? 0).toFixed(2)
  console.log(
    `news of ${commits} commits: p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`,
  )
  await Promise.all(members.map((member) => member.stop(() => false)))
}

const folder = await mkdtemp(join(tmpdir(), 'bench-idle-'))
try {
  await measureIdle(folder)
  await measureNews(join(folder, 'here'))
} finally {
  await rm(folder, { recursive: true })
}
