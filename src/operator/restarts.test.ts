import { expect, test } from 'vitest'
import { memberId } from '../base/ids.ts'
import { Restarts } from './restarts.ts'

test('a start under another id is a restart, and a member that is gone is forgotten', () => {
  const restarts = new Restarts()
  const [m1, m2] = [memberId('m1'), memberId('m2')]
  const look = (one: string, two?: string) => {
    const members = [[m1, { bootId: one }] as const, [m2, { bootId: two ?? '' }] as const]
    restarts.look(new Map(members.slice(0, two === undefined ? 1 : 2)))
    return [restarts.of(m1), restarts.of(m2)]
  }
  expect(look('a', 'x')).toEqual([0, 0])
  expect(look('a', 'y')).toEqual([0, 1])
  expect(look('b', 'z')).toEqual([1, 2])
  expect(look('b')).toEqual([1, 0])
  expect(look('b', 'z')).toEqual([1, 0])
})
