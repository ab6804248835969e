// What is said of decisions, by members of a simulated group.
import { expect, it } from 'vitest'
import { startGroup } from '../../test/kit/sim-group.ts'
import { memberId, sessionId } from '../base/ids.ts'
import { decide } from '../distribution/decide.ts'
import { DEFAULT_POLICY } from '../distribution/policy.ts'

async function scene(seed: number) {
  const { group, timeline, connect, home } = await startGroup(seed, true)
  group.switchBalance('off')
  await connect(memberId('m1'), { isid: '00023d000001' })
  const { at, session } = home()
  const { balancer } = at
  if (balancer === null) throw new Error('the member is down')
  await timeline.until(() => balancer.account.whyNot(session.id) !== null)
  return { at, account: balancer.account, session, group }
}

it('a session that stays has a rule, a sentence, and every other member as an option', async () => {
  const { at, account, session, group } = await scene(41)
  const told = account.whyNot(session.id)
  expect(told).toMatchObject({ session: String(session.id), member: at.id, regret: 0 })
  expect(told?.sentence).toMatch(new RegExp(`^session ${session.id} stays at ${at.id}: `))
  const others = group.members.map(({ id }) => id).filter((id) => id !== at.id)
  expect(told?.options.map(({ to }) => to).sort()).toEqual(others.sort())
  for (const { sentence, code } of told?.options ?? []) {
    expect(sentence.length, String(code)).toBeGreaterThan(10)
  }
})

it('AC1 what a decision saw is kept as it was then, of the last 200 moves; of others nothing is made up', async () => {
  const { account, at } = await scene(42)
  expect(account.plan().every(({ at }) => !Number.isNaN(Date.parse(at)))).toBe(true)
  const demand = { remote: [0.17], local: [0.03] }
  const table = (load: number) => ({ slow: [load], long: [load], fast: [load], variance: [0] })
  const end = { capacity: [1], sigma: [0.01] }
  const to = memberId('m9')
  const session = {
    ...{ id: sessionId(5), ageSeconds: 600, price: 6.6, debt: 10, restUntilMs: 0, left: [] },
    ...{ held: null, barred: new Map() },
    load: {
      ...{ slow: demand, long: demand, fast: demand, variance: 0, elsewhere: 0.25 },
      owners: [[to, 0.5]] as const,
    },
  }
  const own = { ...end, member: at.id, load: table(0.71), urgent: false, sessions: [session] }
  const members = new Map([
    [to, { ...end, member: to, load: table(0.2), ageMs: 300, sessions: 0 }],
    [memberId('m8'), { ...end, member: memberId('m8'), load: table(0.7), ageMs: 0, sessions: 1 }],
  ])
  const view = { members, absent: new Map() }
  const [proposal] = decide(own, view, { nowMs: 1e6, seed: 1 }, DEFAULT_POLICY).proposals
  if (proposal === undefined) throw new Error('it would be moved')
  account.begins('denied', proposal, own, view)
  for (let i = 0; i <= 200; i++) {
    account.begins(`move ${i}`, proposal, own, view)
    expect(account.why(`move ${i}`)?.move).toBe(`move ${i}`)
    account.keep()
  }
  expect(account.why('denied')).toBeNull()
  expect(account.why('move 0')).toBeNull()
  expect(account.why('move 200')).toMatchObject({
    ...{ session: '5', regret: proposal.debt, price: 6.6, urgent: false },
    from: { member: at.id, slow: 0.71, reportAgeMs: 0 },
    to: { member: to, slow: 0.2, reportAgeMs: 300 },
    weight: { here: 0.17 - 0.03 / 4, there: 0.17 - 0.03 / 2 },
    share: { here: 0.25, there: 0.5 },
    options: [
      { to, code: null },
      { to: 'm8', code: 'NO_GAIN' },
    ],
  })
})
