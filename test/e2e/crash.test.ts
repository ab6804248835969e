// Members are killed with SIGKILL at random moments while three initiators write and verify: what was acknowledged is
// there afterwards, sessions elsewhere go on with the pages that live elsewhere, and wait, not fail, for those that do not.
// This keeps the page cache; sim/power-cuts.ts is about what a disk loses.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Prng } from '../../src/base/prng.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import { Clients, SERVED_AGAIN_MS } from '../kit/clients.ts'
import { quantile, TestGroup } from '../kit/group.ts'

const { EVENKEEL_CRASHES = '21', EVENKEEL_SEED = String(Date.now() & 0x7fffffff) } = process.env
const CRASHES = Number(EVENKEEL_CRASHES)
const SEED = Number(EVENKEEL_SEED)
const VOLUME_BYTES = 384 * 2 ** 20
/** Blocks of each run that are used, by everybody. */
const BLOCKS_A_RUN = 16
const WORKERS = 2

const prng = new Prng(SEED)
let group: TestGroup

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
})
afterAll(async () => {
  await group.stop()
})

/** Kills a member, and waits until everybody is answered by everybody again; how long some were not. */
async function crash(victim: string, clients: Clients): Promise<number> {
  const pid = await group.pidOf(victim)
  if (pid === null) throw new Error(`${victim} is down before it was killed`)
  await new Promise((resolve) => setTimeout(resolve, prng.integer(0, 400)))
  const before = clients.snapshots()
  const atMs = performance.now()
  process.kill(pid, 'SIGKILL')
  const restarted = async () => ![null, pid].includes(await group.pidOf(victim))
  await expect.poll(restarted, { timeout: SERVED_AGAIN_MS, interval: 20 }).toBe(true)
  const elsewhere = before.filter(({ client, home }) => client.member !== victim && home !== victim)
  expect(clients.stuck(elsewhere), `went on while ${victim} was down`).toEqual([])
  await clients.goOn()
  return performance.now() - atMs
}

test('whatever is acknowledged survives the crash of any member at any time', async () => {
  const volume = await group.createVolume('crash', VOLUME_BYTES, BLOCK_BYTES)
  const clients = new Clients(group, volume, prng.fork(), BLOCKS_A_RUN)
  const outagesMs: number[] = []
  try {
    for (const [i, member] of group.members.entries()) {
      await clients.connect({ member, writer: i + 1, isid: i === 0 ? 'stable' : 'random' })
    }
    clients.begin(WORKERS)
    for (let i = 0; i < CRASHES; i += 1) {
      const victim = group.members[(i + (SEED % 3)) % 3] ?? ''
      outagesMs.push(await crash(victim, clients))
    }
    const violations = await clients.judged()
    report(clients, outagesMs)
    expect(violations).toEqual([])
    expect(clients.bad).toEqual([])
  } catch (error) {
    throw new Error(`with EVENKEEL_SEED=${SEED}, crash ${outagesMs.length + 1}`, { cause: error })
  } finally {
    await clients.close()
  }
}, 400_000)

function report(clients: Clients, outagesMs: readonly number[]): void {
  const { good, writes, unknown } = clients.figures()
  const [p50, max] = [0.5, 1].map((q) => quantile(outagesMs, q).toFixed(0))
  console.log(
    `crashes: ${outagesMs.length}, seed ${SEED} (EVENKEEL_SEED), ${good} commands answered, ` +
      `${writes} block writes acknowledged, ${unknown} of unknown outcome; ` +
      `until all was served again p50/max ${p50} / ${max} ms`,
  )
}
