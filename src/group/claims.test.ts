import { describe, expect, it } from 'vitest'
import { generation, memberId, revision, sessionId, volumeId } from '../base/ids.ts'
import { claimIn, claimReads, otherHosts, withClaim } from './claims.ts'
import { Keys } from './keys.fixture.ts'
import { keys, type SessionRecord } from './record.ts'
import { createSession, type StoredSession } from './sessions.ts'

const host = { initiator: 'iqn.x:a', source: '10.0.0.1' }

function stored(id: number, who: Partial<SessionRecord>): StoredSession {
  const record: SessionRecord = {
    ...{
      volume: volumeId(1),
      isid: '00023d000001',
      owner: memberId('m1'),
      gen: generation(1),
      loginToken: 't',
      since: '',
    },
    ...{ ...host, state: 'live', ...who },
  }
  return { id: sessionId(id), key: `k${id}`, rev: revision(id), record }
}

describe('the claim of a volume that is not shared', () => {
  it('G11 is compared and written by each take: of two that read the same one is lost', () => {
    const store = new Keys()
    const take = (token: string) =>
      withClaim(
        createSession({
          ...{ ...host, owner: memberId('m1'), isid: `00023d00000${token}`, loginToken: token },
          ...{ volume: volumeId(1), at: '' },
        }),
        claimIn(volumeId(1), store.list(keys.claim(volumeId(1)))),
        token,
      )
    const [first, second] = [take('1'), take('2')]
    expect(store.apply(first)).toBe(true)
    expect(store.apply(second)).toBe(false)
    const [third, fourth] = [take('3'), take('4')]
    expect(store.apply(fourth)).toBe(true)
    expect(store.apply(third)).toBe(false)
  })

  it('G11 is that very volume of the keys that begin alike', () => {
    const items = [
      { key: keys.claim(volumeId(10)), rev: revision(7) },
      { key: keys.claim(volumeId(1)), rev: revision(5) },
    ]
    expect(claimIn(volumeId(1), items)).toEqual({ volume: volumeId(1), rev: 5 })
    expect(claimIn(volumeId(2), items)).toEqual({ volume: volumeId(2), rev: 0 })
    expect(claimReads(volumeId(1))).toEqual(['claim/1', 'session/1/'])
  })

  it('of a shared volume is none', () => {
    const change = createSession({
      ...{
        ...host,
        owner: memberId('m1'),
        isid: '00023d000001',
        loginToken: 't',
        volume: volumeId(1),
        at: '',
      },
    })
    expect(withClaim(change, null, 't')).toEqual(change)
  })
})

it('G20 whoever has another name or another address stands in the way, unless it is dead or is what the login takes', () => {
  const sessions = [
    stored(1, {}),
    stored(2, { initiator: 'iqn.x:b' }),
    stored(3, { source: '10.0.0.2' }),
    stored(4, { source: '10.0.0.2', state: 'dead' }),
    stored(5, { initiator: 'iqn.x:b', move: { id: 'm', to: memberId('m2'), open: true } }),
  ]
  const ids = (taken: number | null) =>
    otherHosts(sessions, host, taken === null ? null : sessionId(taken)).map(({ id }) => id)
  expect(ids(null)).toEqual([2, 3, 5])
  expect(ids(3)).toEqual([2, 5])
  expect(
    otherHosts(sessions, { ...host, source: '10.0.0.2' }, sessionId(3)).map(({ id }) => id),
  ).toEqual([1, 2, 5])
})
