import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { generation, memberId, revision, sessionId, volumeId } from '../base/ids.ts'
import { matchLogin } from './login.ts'
import type { SessionRecord } from './record.ts'
import type { StoredSession } from './sessions.ts'

const stableIsid = (n: number): string => `00023d${String(n).padStart(6, '0')}`
const randomIsid = (n: number): string => `80${String(n).padStart(10, '0')}`

function stored(id: number, some: Partial<SessionRecord>, rev = id): StoredSession {
  const record: SessionRecord = {
    volume: volumeId(1),
    initiator: 'iqn.x:i',
    isid: stableIsid(id),
    source: '10.0.0.1',
    owner: memberId('m1'),
    gen: generation(1),
    loginToken: `t${id}`,
    state: 'live',
    since: '',
    ...some,
  }
  return { id: sessionId(id), key: `session/1/i/t${id}`, rev: revision(rev), record }
}

const open = (id: string, to = memberId('m2')) => ({ id, to, open: true })
const none = (): boolean => false

describe('matchLogin', () => {
  const source = '10.0.0.1'

  it('the same ISID comes first: living, dead or moved', () => {
    for (const some of [{}, { state: 'dead' as const }, { move: open('x') }]) {
      for (const isid of [stableIsid(7), randomIsid(7)]) {
        const same = stored(5, { isid, source: 'elsewhere', ...some })
        const moved = stored(1, { isid: randomIsid(1), move: open('y') })
        expect(matchLogin([moved, same], { isid, source }, none)).toEqual(same)
      }
    }
  })

  it('G4 a stable ISID is matched by nothing else', () => {
    const moves = [stored(1, { isid: randomIsid(1), move: open('x') })]
    expect(matchLogin(moves, { isid: stableIsid(9), source }, none)).toBeNull()
    const stableMove = [stored(1, { move: open('x') })]
    expect(matchLogin(stableMove, { isid: randomIsid(9), source }, none)).toBeNull()
  })

  it('only an open move is matched by address, and only from the same one', () => {
    const isid = randomIsid(1)
    const login = { isid: randomIsid(9), source }
    for (const some of [
      {},
      { state: 'dead' as const },
      { move: { ...open('x'), open: false } },
      { move: open('x'), source: '10.0.0.2' },
    ]) {
      expect(matchLogin([stored(1, { isid, ...some })], login, none)).toBeNull()
    }
    const moved = stored(1, { isid, move: open('x') })
    expect(matchLogin([moved], login, none)).toEqual(moved)
  })

  it('G5 the oldest commit first, then the next when this member has redirected it', () => {
    const moves = [
      stored(1, { isid: randomIsid(1), move: open('late') }, 30),
      stored(2, { isid: randomIsid(2), move: open('first') }, 10),
      stored(3, { isid: randomIsid(3), move: open('second') }, 20),
    ]
    const login = { isid: randomIsid(9), source }
    const matched = (...redirected: string[]) =>
      matchLogin(moves, login, (id) => redirected.includes(id))?.record.move?.id
    expect(matched()).toBe('first')
    expect(matched('first')).toBe('second')
    expect(matched('first', 'second')).toBe('late')
    expect(matched('first', 'second', 'late')).toBe('first')
  })

  it('agrees with the model of the moves on any records', () => {
    const record = fc.record({
      n: fc.integer({ min: 1, max: 6 }),
      random: fc.boolean(),
      source: fc.constantFrom('h1', 'h2'),
      state: fc.constantFrom('live' as const, 'dead' as const),
      move: fc.constantFrom('none', 'intent', 'open'),
      redirected: fc.boolean(),
      rev: fc.integer({ min: 1, max: 1000 }),
    })
    const records = fc.uniqueArray(record, {
      selector: ({ n, random }) => `${n}${random}`,
      maxLength: 8,
    })
    const login = fc.record({
      n: fc.integer({ min: 1, max: 7 }),
      random: fc.boolean(),
      source: fc.constantFrom('h1', 'h2'),
    })
    const isidOf = ({ n, random }: { n: number; random: boolean }) =>
      random ? randomIsid(n) : stableIsid(n)
    let matches = 0
    fc.assert(
      fc.property(records, login, (drawn, arriving) => {
        const all = drawn.map((one, at) => {
          const isMoved = one.state === 'live' && one.move !== 'none'
          const move = { ...open(`v${at}`), open: one.move === 'open' }
          const { source: from, state } = one
          const some = { isid: isidOf(one), source: from, state, ...(isMoved ? { move } : {}) }
          return stored(at + 1, some, one.rev * 10 + at)
        })
        const redirected = (id: string) => drawn[Number(id.slice(1))]?.redirected ?? false
        const found = matchLogin(
          all,
          { isid: isidOf(arriving), source: arriving.source },
          redirected,
        )
        const wanted = asTheModel(all, { ...arriving, isid: isidOf(arriving) }, redirected)
        expect(found?.id).toBe(wanted?.id)
        if (found !== null && found.record.isid !== isidOf(arriving)) matches += 1
      }),
      { numRuns: 2_000 },
    )
    expect(matches).toBeGreaterThan(50)
  })
})

/** The same rules, written once more and otherwise. */
function asTheModel(
  records: readonly StoredSession[],
  login: { readonly isid: string; readonly random: boolean; readonly source: string },
  redirected: (id: string) => boolean,
): StoredSession | undefined {
  const same = records.find(({ record }) => record.isid === login.isid)
  if (same !== undefined) return same
  let best: StoredSession | undefined
  for (const one of records) {
    const { move, source, isid } = one.record
    if (move?.open !== true || source !== login.source || !login.random) continue
    if (!isid.startsWith('8')) continue
    const rank = (session: StoredSession) =>
      (redirected(session.record.move?.id ?? '') ? 1e9 : 0) + session.rev
    if (best === undefined || rank(one) < rank(best)) best = one
  }
  return best
}
