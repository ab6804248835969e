import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memberId, revision, sessionId, volumeId } from '../base/ids.ts'
import type { GroupChange } from './change.ts'
import { Keys } from './keys.fixture.ts'
import { parseSession } from './parse.ts'
import { keys } from './record.ts'
import {
  clearIntent,
  closeSession,
  commitMove,
  completeBarrier,
  createSession,
  noteIntent,
  pinSession,
  retireSession,
  type StoredSession,
  takeSession,
} from './sessions.ts'

const ISIDS = ['00023d000001', '00023d000002', '800000000001', '800000000002']
const at = '2026-11-24T00:00:00.000Z'

function read(store: Keys): StoredSession[] {
  return store.list(keys.sessions).map(({ key, value, rev, created }) => {
    const record = parseSession(value)
    if (typeof record === 'string') throw new Error(record)
    return { id: sessionId(created), key, rev, record }
  })
}

/** One member's step, on records that it may have read a while ago. */
interface Step {
  readonly kind: 'login' | 'intent' | 'clear' | 'commit' | 'close' | 'retire'
  readonly member: number
  readonly initiator: number
  readonly isid: number
  /** How many changes ago the records were read, and which of them is meant. */
  readonly stale: number
  readonly which: number
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('login', 'login', 'intent', 'clear', 'commit', 'close', 'retire'),
  member: fc.integer({ min: 1, max: 3 }),
  initiator: fc.integer({ min: 1, max: 2 }),
  isid: fc.integer({ min: 0, max: ISIDS.length - 1 }),
  stale: fc.constantFrom(0, 0, 0, 1, 2, 5),
  which: fc.nat(20),
})

let tokens = 0

/** null: the step makes no sense with what was read. */
function changeOf(step: Step, records: readonly StoredSession[]): GroupChange | null {
  const stored = records[step.which % Math.max(1, records.length)]
  if (step.kind === 'login') return login(step, records, stored)
  if (stored === undefined) return null
  const { record } = stored
  const served = record.state === 'live' && record.move?.open !== true
  const move = { id: `move${tokens}`, to: memberId(`m${step.member}`) }
  switch (step.kind) {
    case 'intent':
      return served ? noteIntent(stored, move) : null
    case 'clear':
      return served ? clearIntent(stored) : null
    case 'commit':
      return served ? commitMove(stored, move, 4096) : null
    case 'close':
      return record.state === 'live' ? closeSession(stored) : null
    case 'retire':
      return record.state === 'dead' ? retireSession(stored) : null
  }
}

/** A new record, one with this ISID, or any other of the pair under a new ISID: whatever the login found. */
function login(
  step: Step,
  records: readonly StoredSession[],
  stored: StoredSession | undefined,
): GroupChange {
  tokens += 1
  const initiator = `iqn.x:i${step.initiator}`
  const who = {
    owner: memberId(`m${step.member}`),
    isid: ISIDS[step.isid] ?? '',
    source: '10.0.0.1',
    loginToken: `t${tokens}`,
    at,
  }
  const same = records.find(
    ({ record }) => record.initiator === initiator && record.isid === who.isid,
  )
  const found = same ?? (stored?.record.initiator === initiator ? stored : undefined)
  if (found === undefined || (same === undefined && step.which % 2 === 0)) {
    return createSession({ ...who, volume: volumeId(1), initiator })
  }
  return takeSession(found, who)
}

function expectSound(store: Keys, before: readonly StoredSession[]): void {
  const records = read(store)
  const names = records.map(({ record }) => keys.isid(volumeId(1), record.initiator, record.isid))
  expect(new Set(names).size).toBe(names.length)
  const index = store.list('isid/').map(({ key, value }) => `${key} ${value}`)
  expect(index).toEqual(records.map(({ key }, at) => `${names[at]} ${key}`).sort())
  for (const { id, record } of records) {
    if (record.move?.open === true) expect(record.owner).toBe(record.move.to)
    const old = before.find((one) => one.id === id)?.record
    if (old === undefined) continue
    const isOpen = (one: typeof record) => one.move?.open === true
    const isOther =
      old.owner !== record.owner ||
      old.loginToken !== record.loginToken ||
      old.state !== record.state ||
      isOpen(old) !== isOpen(record)
    expect(record.gen).toBe(isOther ? old.gen + 1 : old.gen)
  }
}

describe('session records', () => {
  it('G1, G2, G3 hold after every sequence of transitions, whoever read when', () => {
    let applied = 0
    let lost = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 40, size: 'max' }), (steps) => {
        const store = new Keys()
        const history: StoredSession[][] = [[]]
        for (const one of steps) {
          const records = history[Math.max(0, history.length - 1 - one.stale)] ?? []
          const change = changeOf(one, records)
          if (change === null) continue
          if (store.apply(change)) applied += 1
          else lost += 1
          expectSound(store, history.at(-1) ?? [])
          history.push(read(store))
        }
      }),
      { numRuns: 300 },
    )
    // The property means something only if both happen often.
    expect(applied).toBeGreaterThan(1_000)
    expect(lost).toBeGreaterThan(300)
  })

  const who = { owner: memberId('m1'), isid: ISIDS[0] ?? '', source: 'a', loginToken: 't', at }
  const created = (): { store: Keys; stored: StoredSession } => {
    const store = new Keys()
    store.apply(createSession({ ...who, volume: volumeId(1), initiator: 'iqn.x:i' }))
    const stored = read(store)[0]
    if (stored === undefined) throw new Error('not created')
    return { store, stored }
  }

  it('G2 a second record of an ISID is not created, also by a login that saw none', () => {
    const { store } = created()
    const again = createSession({
      ...who,
      volume: volumeId(1),
      initiator: 'iqn.x:i',
      loginToken: 'u',
    })
    expect(store.apply(again)).toBe(false)
    const elsewhere = createSession({
      ...who,
      volume: volumeId(2),
      initiator: 'iqn.x:i',
      loginToken: 'u',
    })
    expect(store.apply(elsewhere)).toBe(true)
  })

  it('G2 a record is not taken under an ISID that another record has got meanwhile', () => {
    const { store, stored } = created()
    const isid = ISIDS[2] ?? ''
    const taking = takeSession(stored, { ...who, isid, loginToken: 'u' })
    store.apply(
      createSession({ ...who, isid, loginToken: 'v', volume: volumeId(1), initiator: 'iqn.x:i' }),
    )
    expect(store.apply(taking)).toBe(false)
  })

  it('a session that comes back keeps its id and its first login, and nothing of its death', () => {
    const { store, stored } = created()
    store.apply(closeSession(stored))
    const [dead] = read(store)
    expect(dead?.record).toMatchObject({
      state: 'dead',
      gen: 2,
    })
    if (dead === undefined) throw new Error('gone')
    store.apply(
      takeSession(dead, {
        ...who,
        owner: memberId('m2'),
        source: 'b',
        loginToken: 'u',
        at: 'later',
      }),
    )
    const [back] = read(store)
    expect(back?.id).toBe(stored.id)
    expect(back?.record).toEqual({
      ...stored.record,
      owner: memberId('m2'),
      gen: 3,
      source: 'b',
      loginToken: 'u',
    })
  })

  it('a session is not created on a volume that has changed or gone', () => {
    const store = new Keys()
    store.apply({ compare: [], put: [{ key: keys.volume(volumeId(1)), value: '' }], remove: [] })
    const creating = { ...who, volume: volumeId(1), initiator: 'iqn.x:i' }
    expect(store.apply(createSession({ ...creating, volumeRev: revision(2) }))).toBe(false)
    expect(store.apply(createSession({ ...creating, volumeRev: revision(1) }))).toBe(true)
  })

  it('G13 what the initiator was told of its size goes with the session', () => {
    const store = new Keys()
    const creating = { ...who, volume: volumeId(1), initiator: 'iqn.x:i', bytes: 4096 }
    store.apply(createSession(creating))
    const now = () => {
      const [stored] = read(store)
      if (stored === undefined) throw new Error('gone')
      return stored
    }
    store.apply(commitMove(now(), { id: 'x', to: memberId('m2') }, 8192))
    expect(now().record).toMatchObject({ bytes: 8192, move: { open: true } })
    store.apply(takeSession(now(), { ...who, owner: memberId('m2') }))
    expect(now().record).toMatchObject({ bytes: 8192, owner: memberId('m2') })
    store.apply(closeSession(now()))
    expect(now().record).toMatchObject({ bytes: 8192, state: 'dead' })
  })

  it('G29 a barrier is due until it is complete, through takes and closes, and again under another ISID', () => {
    const { store } = created()
    const now = () => {
      const [stored] = read(store)
      if (stored === undefined) throw new Error('gone')
      return stored
    }
    const isDue = () => now().record.barrierDue ?? false
    expect(isDue()).toBe(true)
    store.apply(closeSession(now()))
    store.apply(takeSession(now(), { ...who, loginToken: 'u' }))
    expect(isDue()).toBe(true)
    store.apply(completeBarrier(now()))
    store.apply(takeSession(now(), { ...who, loginToken: 'v' }))
    expect(isDue()).toBe(false)
    store.apply(takeSession(now(), { ...who, isid: ISIDS[1] ?? '', loginToken: 'w' }))
    expect(isDue()).toBe(true)
  })

  it('G35 a pin stays through takes, moves and closes, also under another ISID, until it is taken back', () => {
    const { store } = created()
    const now = () => {
      const [stored] = read(store)
      if (stored === undefined) throw new Error('gone')
      return stored
    }
    const m2 = memberId('m2')
    store.apply(pinSession(now(), m2))
    store.apply(completeBarrier(now()))
    store.apply(noteIntent(now(), { id: 'x', to: m2 }))
    store.apply(commitMove(now(), { id: 'x', to: m2 }, 8192))
    expect(() => pinSession(now(), null)).toThrow(/G10/)
    store.apply(takeSession(now(), { ...who, owner: m2, isid: ISIDS[1] ?? '' }))
    store.apply(closeSession(now()))
    expect(now().record).toMatchObject({ pinned: m2, state: 'dead' })
    store.apply(takeSession(now(), who))
    expect(now().record).toMatchObject({ pinned: m2, state: 'live', owner: memberId('m1') })
    const { gen } = now().record
    store.apply(pinSession(now(), null))
    expect(now().record).not.toHaveProperty('pinned')
    expect(now().record.gen).toBe(gen)
  })

  it('G10 a session in an open move is not moved, and a dead one not closed', () => {
    const { store, stored } = created()
    const move = { id: 'x', to: memberId('m2') }
    store.apply(commitMove(stored, move, 4096))
    const [open] = read(store)
    if (open === undefined) throw new Error('gone')
    expect(open.record).toMatchObject({
      owner: memberId('m2'),
      gen: 2,
      move: { id: 'x', open: true },
    })
    expect(() => commitMove(open, move, 4096)).toThrow(/G10/)
    expect(() => noteIntent(open, move)).toThrow(/G10/)
    expect(() => clearIntent(open)).toThrow(/G10/)
    expect(() => retireSession(open)).toThrow(/only a dead session/)
    store.apply(closeSession(open))
    const [dead] = read(store)
    if (dead === undefined) throw new Error('gone')
    expect(dead.record.move).toBeUndefined()
    expect(() => closeSession(dead)).toThrow(/dies once/)
    store.apply(retireSession(dead))
    expect(store.list('')).toEqual([])
  })
})
