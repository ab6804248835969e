import { describe, expect, test } from 'vitest'
import { memberId } from '../base/ids.ts'
import { parseConfig } from '../member/config-file.ts'
import {
  copiesOf,
  type GroupPlan,
  memberNames,
  planMembers,
  portsInUse,
  portsOf,
  wordsFor,
} from './plan.ts'
import type { Ports, Standing } from './standing.ts'

const plan: GroupPlan = {
  members: 3,
  dataFolder: '/srv/evenkeel',
  basePort: null,
  copies: null,
  placement: 'off',
  balance: 'advise',
  policy: {},
  budgetBytes: null,
  cacheBytes: 0,
  acceptDamage: [],
  acceptLoss: [],
  temporaryFolder: '/tmp',
}

function standingOn(ports: readonly Ports[]): Standing {
  return {
    copies: 1,
    bearers: new Set(),
    ports: new Map(ports.map((of, i) => [memberId(`m${i + 1}`), of])),
  }
}

describe('the layout of a group on one machine', () => {
  test('every listener is on consecutive ports from the base, m1 has the API at the base', () => {
    const configs = planMembers(plan, null)
    expect(configs.map(({ portal }) => portal?.port)).toEqual([3260, 3261, 3262])
    expect(configs.map(({ api }) => api?.port)).toEqual([3259, 3263, 3264])
    expect(portsInUse(portsOf(plan, null))).toEqual([3259, 3260, 3261, 3262, 3263, 3264])
  })

  test('PT1 members keep their ports when one joins, which gets the next two', () => {
    const ports = portsOf({ members: 3, basePort: 4000 }, null)
    const standing = standingOn(ports)
    const joined = portsOf({ members: 5, basePort: null }, standing)
    expect(joined.slice(0, 3)).toEqual(ports)
    expect(joined.slice(3)).toEqual([
      { portal: 4006, api: 4007 },
      { portal: 4008, api: 4009 },
    ])
    expect(portsOf({ members: 5, basePort: 4000 }, standing)).toEqual(joined)
    // The next start knows them all.
    expect(portsOf({ members: 5, basePort: null }, standingOn(joined))).toEqual(joined)
  })

  test('PT1 only another base deals the ports anew', () => {
    const standing = standingOn(portsOf({ members: 3, basePort: 4000 }, null))
    const there = portsOf({ members: 4, basePort: 5000 }, standing)
    expect(portsInUse(there)).toEqual([5000, 5001, 5002, 5003, 5004, 5005, 5006, 5007])
    // One whose first member is not known has none to keep.
    const first = new Map([...standing.ports].filter(([id]) => id !== 'm1'))
    expect(portsOf({ members: 2, basePort: null }, { ports: first })).toEqual([
      { portal: 3260, api: 3259 },
      { portal: 3261, api: 3262 },
    ])
  })

  test('a group that stands keeps its copies, a new one has those that are said, or two where it has as many members', () => {
    const copies = (said: number | null, standing: Standing | null) =>
      planMembers({ ...plan, copies: said }, standing).map((config) => config.copies)
    expect(copies(null, null)).toEqual([2, 2, 2])
    expect(copies(1, null)).toEqual([1, 1, 1])
    expect(copies(3, null)).toEqual([3, 3, 3])
    expect(copiesOf({ members: 1, copies: null }, null)).toBe(1)
    expect(copies(null, { ...standingOn([]), copies: 1 })).toEqual([1, 1, 1])
    expect(copies(2, { ...standingOn([]), copies: 3 })).toEqual([3, 3, 3])
  })

  test('members share the coordination and nothing else, and each is a valid configuration', () => {
    const configs = planMembers(plan, null).map((config) =>
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
    const configs = planMembers(said, null)
    expect(configs.map(({ budgetBytes }) => budgetBytes)).toEqual([333, 333, 333])
    const words = memberNames(3).map((id) => wordsFor(said, id))
    expect(words).toEqual([[], ['--accept-damage'], ['--accept-loss']])
    expect(planMembers(plan, null).map(({ budgetBytes }) => budgetBytes)).toEqual([
      null,
      null,
      null,
    ])
  })

  test('the memory for blocks that are read often is dealt out in equal parts, none too', () => {
    const partsOf = (cacheBytes: number) =>
      planMembers({ ...plan, cacheBytes }, null).map((config) => config.cacheBytes)
    expect(partsOf(3000)).toEqual([1000, 1000, 1000])
    expect(partsOf(0)).toEqual([0, 0, 0])
  })

  test('sockets move to a short folder of their own when the data folder is too deep for them', () => {
    const deep = { ...plan, dataFolder: `/srv/${'deep/'.repeat(25)}data` }
    const configs = planMembers(deep, null).map((config) => parseConfig(config, '/member.json'))
    for (const { peer } of configs)
      expect(peer).toMatch(/^\/tmp\/evenkeel-[0-9a-f]{16}\/m[123]\.sock$/)
    const other = planMembers({ ...deep, dataFolder: `${deep.dataFolder}2` }, null)
    expect(other[0]?.peer).not.toBe(configs[0]?.peer)
  })
})
