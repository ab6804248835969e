import { expect, test } from 'vitest'
import { memberId } from '../base/ids.ts'
import { BadPaths, barredBy, heldBy, type SessionFacts } from './bounds.ts'
import type { Absence, View } from './view.ts'

const FACTS: SessionFacts = {
  initiator: 'iqn.x',
  pinned: false,
  moving: false,
  stableIsid: true,
  holdsState: false,
  suspectUntilMs: 0,
  pausedEnough: false,
  siblings: [],
  partitionedOn: null,
}

const missing = (absence: Absence): View => ({
  members: new Map(),
  absent: new Map([[memberId('c'), absence]]),
})

test('B2 who is matched by address waits while the member of a sibling is silent', () => {
  const sibling = { ...FACTS, siblings: [{ member: memberId('c'), stableIsid: false }] }
  const random = { ...sibling, stableIsid: false }
  for (const by of [null, 'operator', 'drain'] as const) {
    expect(heldBy(random, missing('silent'), 0, by)).toBe('SIBLING_SILENT')
    expect(heldBy(random, missing('unheard'), 0, by)).toBe('SIBLING_SILENT')
    expect(heldBy(random, missing('draining'), 0, by)).toBeNull()
    expect(heldBy(sibling, missing('silent'), 0, by)).toBeNull()
  }
})

test('B3 what holds something that only its nexus has is not moved, whoever wants it and whatever its ISID', () => {
  for (const by of [null, 'operator', 'drain'] as const) {
    for (const stableIsid of [true, false]) {
      const facts = { ...FACTS, stableIsid }
      expect(heldBy({ ...facts, holdsState: true }, missing('draining'), 0, by)).toBe('HOLDS_STATE')
      expect(heldBy(facts, missing('draining'), 0, by)).toBeNull()
    }
  }
})

test('B4 a path that failed bars that initiator from that member alone, for its time', () => {
  const bad = new BadPaths()
  bad.mark('iqn.x', memberId('b'), 100)
  const barred = (facts: SessionFacts, nowMs: number) =>
    ['b', 'c'].map((id) => barredBy(facts, bad, nowMs).get(memberId(id)))
  expect(barred(FACTS, 99)).toEqual(['BAD_PATH', undefined])
  expect(barred({ ...FACTS, initiator: 'iqn.y' }, 99)).toEqual([undefined, undefined])
  expect(barred(FACTS, 100)).toEqual([undefined, undefined])
  bad.forget(99)
  expect(barred(FACTS, 99)).toEqual(['BAD_PATH', undefined])
})

test('B4 a session whose last move went badly is left alone, for its time', () => {
  const suspect = { ...FACTS, suspectUntilMs: 50 }
  expect(heldBy(suspect, missing('draining'), 49, null)).toBe('LAST_MOVE_FAILED')
  expect(heldBy(suspect, missing('draining'), 50, null)).toBeNull()
})
