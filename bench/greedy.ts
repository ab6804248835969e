// What do initiators that ask and do not read, or ask to write and do not send, cost a member and a session that behaves?
//
//   sh scripts/node.sh bench/greedy.ts [--seconds S]
//
// One member, one session that reads and writes; then eight initiators of each kind of greed join it, one kind after the
// other and then READs and WRITEs together. Told are the session's throughput, and the member's resident memory: the most
// while they are there, and what is left 10 s after they went.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Caller } from '../src/api/caller.ts'
import { freeRange, startGroup, stopGroup } from '../test/e2e/running-group.ts'
import { type Greed, Greedy, MostResident, residentMiB } from '../test/kit/greedy.ts'
import { Load, type Work } from './load.ts'

const MIB = 2 ** 20
const EACH = 8
const AFTER_MS = 10_000
const regionBytes = 64 * MIB

const { values: options } = parseArgs({ options: { seconds: { type: 'string', default: '4' } } })
const ms = Number(options.seconds) * 1000

const works: readonly Work[] = [
  { verb: 'read', order: 'random', bytes: 4096, depth: 32 },
  { verb: 'read', order: 'sequential', bytes: 262_144, depth: 8 },
  { verb: 'write', order: 'sequential', bytes: 65_536, depth: 8 },
]
const scenes: readonly (readonly Greed[])[] = [
  [],
  ['reads'],
  ['writes'],
  ['halfWrites'],
  ['reads', 'writes'],
  ['nops'],
  ['rejects'],
]

const folder = await mkdtemp(join(tmpdir(), 'bench-greedy-'))
const port = await freeRange(3)
const group = await startGroup(join(folder, 'data'), port, '--members', '1')
try {
  const [member] = group.ready.members
  if (member === undefined) throw new Error('there is no member')
  const request = { name: 'greedy', bytes: 512 * MIB, blockBytes: 512, shared: true } as const
  const { iqn } = await new Caller(group.ready.api).createVolume(request)
  const load = await Load.connect({ port: port + 1, iqn, lun: 0 })
  const region = { offsets: [128 * MIB], runBytes: regionBytes }
  await load.fill(region)
  const rates = async (): Promise<number[]> => {
    const all: number[] = []
    for (const work of works) {
      const { commands, seconds } = await load.sample(work, region, { warmMs: 300, ms, began() {} })
      all.push((commands * work.bytes) / seconds / MIB)
    }
    return all
  }
  let usual: number[] = []
  for (const scene of scenes) {
    const most = new MostResident(member.pid)
    const greedy: Greedy[] = []
    for (const greed of scene) {
      for (let i = 0; i < EACH; i += 1) {
        greedy.push(await Greedy.connect(port + 1, iqn, `${greed}-${i}`, greed))
      }
    }
    const now = await rates()
    if (scene.length === 0) usual = now
    const mib = most.stop()
    for (const one of greedy) one.close()
    await new Promise((resolve) => setTimeout(resolve, AFTER_MS))
    const shares = now.map((rate, i) => {
      const percent = (100 * rate) / (usual[i] ?? 1)
      return `${rate.toFixed(0)} MiB/s (${percent.toFixed(0)} %)`
    })
    const name = scene.join(' + ') || 'nobody else'
    const left = residentMiB(member.pid).toFixed(0)
    console.log(
      `${name}: ${shares.join(', ')}; RSS at most ${mib.toFixed(0)} MiB, left ${left} MiB`,
    )
  }
  load.close()
} finally {
  await stopGroup(group)
  await rm(folder, { recursive: true, force: true })
}
