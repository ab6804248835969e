import { describe, expect, test } from 'vitest'
import { memberId } from '../base/ids.ts'
import { parseConfig } from '../member/config-file.ts'
import { type GroupPlan, memberNames, planMembers, portsInUse, wordsFor } from './plan.ts'

const plan: GroupPlan = {
  members: 3,
  dataFolder: '/srv/evenkeel',
  basePort: 3259,
  placement: 'off',
  balance: 'advise',
  policy: {},
  budgetBytes: null,
  cacheBytes: 0,
  acceptDamage: [],
  acceptLoss: [],
  temporaryFolder: '/tmp',
}

describe('the layout of a group on one machine', () => {
  test('every listener is on consecutive ports from the base, m1 has the API at the base', () => {
    const configs = planMembers(plan)
    expect(configs.map(({ portal }) => portal?.port)).toEqual([3260, 3261, 3262])
    expect(configs.map(({ api }) => api?.port)).toEqual([3259, 3263, 3264])
    expect(portsInUse(plan)).toEqual([3259, 3260, 3261, 3262, 3263, 3264])
  })

  test('members share the coordination and nothing else, and each is a valid configuration', () => {
    const configs = planMembers(plan).map((config) =>
      parseConfig(config, `${config.dataFolder}/member.json`),
    )
    expect(new Set(configs.map(({ coordinationFile }) => coordinationFile)).size).toBe(1)
    expect(new Set(configs.map(({ dataFolder }) => dataFolder)).size).toBe(3)
    expect(new Set(configs.map(({ peer }) => peer)).size).toBe(3)
    for (const config of configs) {
      expect(config.founders).toEqual(['m1', 'm2', 'm3'])
      expect(config).toMatchObject({
        placement: 'off',
        balance: 'advise',
        journalBytes: 64 * 1024 ** 2,
        slotsPerSegment: 64,
      })
    }
  })

  test('a budget is dealt out in equal parts, and damage or loss accepted only where it is said', () => {
    const said = {
      ...plan,
      budgetBytes: 1_000,
      acceptDamage: [memberId('m2')],
      acceptLoss: [memberId('m3')],
    }
    const configs = planMembers(said)
    expect(configs.map(({ budgetBytes }) => budgetBytes)).toEqual([333, 333, 333])
    const words = memberNames(3).map((id) => wordsFor(said, id))
    expect(words).toEqual([[], ['--accept-damage'], ['--accept-loss']])
    expect(planMembers(plan).map(({ budgetBytes }) => budgetBytes)).toEqual([null, null, null])
  })

  test('the memory for blocks that are read often is dealt out in equal parts, none too', () => {
    const partsOf = (cacheBytes: number) =>
      planMembers({ ...plan, cacheBytes }).map((config) => config.cacheBytes)
    expect(partsOf(3000)).toEqual([1000, 1000, 1000])
    expect(partsOf(0)).toEqual([0, 0, 0])
  })

  test('sockets move to a short folder of their own when the data folder is too deep for them', () => {
    const deep = { ...plan, dataFolder: `/srv/${'deep/'.repeat(25)}data` }
    const configs = planMembers(deep).map((config) => parseConfig(config, '/member.json'))
    for (const { peer } of configs)
      expect(peer).toMatch(/^\/tmp\/evenkeel-[0-9a-f]{16}\/m[123]\.sock$/)
    const other = planMembers({ ...deep, dataFolder: `${deep.dataFolder}2` })
    expect(other[0]?.peer).not.toBe(configs[0]?.peer)
  })
})
