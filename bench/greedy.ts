// What do initiators that ask and do not read, or ask to write and do not send, cost a member and a session that behaves?
//
//   sh scripts/node.sh bench/greedy.ts [--rounds N] [--seconds S]
//
// One member, one session that reads and writes; then eight initiators of each kind of greed join it, one kind after the
// other and then READs and WRITEs together. In each round the session is measured alone and, at once behind, beside them.
// Told are the medians of what it keeps with the least and the most, and the member's resident memory: the most while they
// are there, and what is left 10 s after they went.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Caller } from '../src/api/caller.ts'
import { freeRange, startGroup, stopGroup } from '../test/e2e/running-group.ts'
import { type Greed, Greedy, MostResident, residentMiB } from '../test/kit/greedy.ts'
import { Load, sample, type Work } from './load.ts'

const MIB = 2 ** 20
const EACH = 8
const AFTER_MS = 10_000
const regionBytes = 64 * MIB

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1.5' },
  },
})
const ms = Number(options.seconds) * 1000
const rounds = Number(options.rounds)

const works: readonly Work[] = [
  { reads: 100, order: 'random', bytes: 4096, depth: 32 },
  { reads: 100, order: 'sequential', bytes: 262_144, depth: 8 },
  { reads: 0, order: 'sequential', bytes: 65_536, depth: 8 },
]
const scenes: readonly (readonly Greed[])[] = [
  ['reads'],
  ['writes'],
  ['halfWrites'],
  ['reads', 'writes'],
  ['nops'],
  ['rejects'],
]

const folder = await mkdtemp(join(tmpdir(), 'bench-greedy-'))
const port = await freeRange(3)
const group = await startGroup(join(folder, 'data'), port, '--members', '1', '--copies', '1')
try {
  const [member] = group.ready.members
  if (member === undefined) throw new Error('there is no member')
  const request = { name: 'greedy', bytes: 512 * MIB, blockBytes: 512, shared: true } as const
  const { iqn } = await new Caller(group.ready.api).createVolume(request)
  const load = await Load.connect({ port: port + 1, iqn, lun: 0 })
  const region = { offsets: [128 * MIB], RUN_BYTES: regionBytes }
  await load.fill(region)
  const rate = async (work: Work): Promise<number> => {
    const times = { warmMs: 300, ms, began() {} }
    const { commands, seconds } = await sample([{ load, work, region }], times)
    return (commands * work.bytes) / seconds / MIB
  }
  const begin = (scene: readonly Greed[]): Promise<Greedy[]> =>
    Promise.all(
      scene.flatMap((greed) =>
        Array.from({ length: EACH }, (_, i) =>
          Greedy.connect(port + 1, iqn, `${greed}-${i}`, greed),
        ),
      ),
    )
  for (const scene of scenes) {
    let mostMiB = 0
    let aloneMiB = 0
    const kept: string[] = []
    for (const work of works) {
      const shares: number[] = []
      for (let round = 0; round < rounds; round += 1) {
        const before = new MostResident(member.pid)
        const alone = await rate(work)
        aloneMiB = Math.max(aloneMiB, before.stop())
        const most = new MostResident(member.pid)
        const greedy = await begin(scene)
        shares.push((100 * (await rate(work))) / alone)
        mostMiB = Math.max(mostMiB, most.stop())
        for (const one of greedy) one.close()
      }
      shares.sort((one, other) => one - other)
      kept.push(`${whole(shares[rounds >> 1])} (${whole(shares[0])}–${whole(shares.at(-1))})`)
    }
    await new Promise((resolve) => setTimeout(resolve, AFTER_MS))
    const left = residentMiB(member.pid)
    console.log(
      `${scene.join(' + ')}: keeps ${kept.join(', ')} %; RSS at most ${whole(mostMiB)} MiB (alone ${whole(aloneMiB)}), left ${whole(left)} MiB`,
    )
  }
  load.close()
} finally {
  await stopGroup(group)
  await rm(folder, { recursive: true, force: true })
}

function whole(value: number | undefined): string {
  return (value ?? Number.NaN).toFixed(0)
}
