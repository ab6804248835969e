// A member joins a group of three that is under load, and `layout apply` gives it its share: nobody is told an error, what all
// initiators saw is linearizable, the layout is level at the end, and who gave a slice up has nothing of it. How long the I/O of
// initiators stood still meanwhile is told, and not judged.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Layout, LayoutPlan } from '../../src/api/layout-schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import { Clients } from '../kit/clients.ts'
import { quantile, TestGroup } from '../kit/group.ts'

const { EVENKEEL_SEED = String(Date.now() & 0x7fffffff) } = process.env
const SEED = Number(EVENKEEL_SEED)
const prng = new Prng(SEED)
let group: TestGroup

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
})
afterAll(() => group.stop())

const layout = async () => (await group.call<Layout>('layout')).body

test('a member that joins gets its share while all is served, and one copy becomes two and back', async () => {
  const volume = await group.createVolume('moves', 192 * 2 ** 20, BLOCK_BYTES)
  await group.stopMembers()
  await group.startAgain('--members', '4')
  expect((await group.health()).problems).toContain('MEMBER_EMPTY m4')
  const clients = new Clients(group, volume, prng.fork(), 3)
  try {
    for (const [i, member] of group.members.entries())
      await clients.connect({ member, writer: i + 1, isid: i % 2 === 0 ? 'stable' : 'random' })
    clients.begin(2)
    for (const request of [{}, { copies: 2 }, { copies: 1 }]) {
      const { status, body } = await group.call<LayoutPlan>('layout', request)
      expect(status).toBe(200)
      const began = performance.now()
      const longest: number[] = []
      const last = new Map<string, { good: number; at: number }>()
      const look = () => {
        for (const { client, home, good } of clients.snapshots()) {
          const key = `${client.member}${home}`
          const known = last.get(key)
          if (known === undefined || good > known.good) {
            if (known !== undefined) longest.push(performance.now() - known.at)
            last.set(key, { good, at: performance.now() })
          }
        }
      }
      const isDone = async () => {
        look()
        const { underWay } = await layout()
        return underWay.copies + underWay.leaving + underWay.primaries
      }
      await expect.poll(isDone, { timeout: 100_000, interval: 20 }).toBe(0)
      for (const { at } of last.values()) longest.push(performance.now() - at)
      const told = (q: number) => quantile(longest, q).toFixed(0)
      console.log(
        `layout: seed ${SEED}, ${JSON.stringify(request)}: ${body.copies} copies, ${body.primaries} primaries in ${((performance.now() - began) / 1000).toFixed(1)} s; ` +
          `between two looks with an answer p50 / p99 / most ${told(0.5)} / ${told(0.99)} / ${told(1)} ms`,
      )
    }
    const { evenness, members } = await layout()
    expect(evenness.copies).toBeLessThan(1.01)
    expect(members).toHaveLength(4)
    await clients.goOn()
    const violations = await clients.judged()
    console.log(JSON.stringify(clients.figures()), violations.length, clients.bad.length)
    expect(violations).toEqual([])
    expect(clients.bad).toEqual([])
  } finally {
    await clients.close()
  }
}, 200_000)
