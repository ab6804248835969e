// A proposal, and the load of one end, as they go between two members: times as ages, for their clocks have nothing in
// common, and everything checked on arrival. What is malformed is refused with the reason, never repaired.
import { type MemberId, memberId, type SessionId } from '../base/ids.ts'
import { type Demand, type LoadTable, RESOURCES, type SessionLoad } from '../load/load-table.ts'
import type { End, SessionView } from './view.ts'

/** What a receiver must know to judge a move; a `Proposal` is one. Times are by the clock of whoever holds it. */
export interface Asked {
  readonly session: Pick<SessionView, 'id' | 'load' | 'left'>
  readonly source: End
  readonly price: number
  readonly topmost: boolean
  readonly urgent: boolean
}

export type PackedAsk = {
  readonly session: SessionId
  readonly load: SessionLoad
  readonly left: readonly (readonly [MemberId, agoMs: number])[]
  readonly source: End
  readonly price: number
  readonly topmost: boolean
  readonly urgent: boolean
}

/** What has become of a move, by the member that it went to. */
export type Became = {
  /** As it would be without the session, and without what has come and gone since. */
  readonly end: End
  /** The session's; null: it is not there any more. */
  readonly load: SessionLoad | null
}

type Refused = { readonly refused: string }
type Unknown<T> = Partial<Record<keyof T, unknown>>

export function packAsk(asked: Asked, nowMs: number): PackedAsk {
  const { session, source, price, topmost, urgent } = asked
  return {
    session: session.id,
    load: session.load,
    left: session.left.map((l) => [l.member, Math.max(0, nowMs - l.atMs)]),
    source: packEnd(source),
    price,
    topmost,
    urgent,
  }
}

export function unpackAsk(value: unknown, nowMs: number): Asked | Refused {
  if (!isObject(value)) return { refused: 'not an object' }
  const { session, load, left, source, price, topmost, urgent }: Unknown<PackedAsk> = value
  const end = unpackEnd(source)
  if ('refused' in end) return end
  if (!isId(session)) return { refused: 'session' }
  if (!isSessionLoad(load)) return { refused: 'load' }
  if (!isLeft(left)) return { refused: 'left' }
  if (!isAmount(price)) return { refused: 'price' }
  if (typeof topmost !== 'boolean' || typeof urgent !== 'boolean') return { refused: 'flags' }
  const times = left.map(([member, agoMs]) => ({ member, atMs: nowMs - agoMs }))
  return { session: { id: session, load, left: times }, source: end, price, topmost, urgent }
}

function packEnd({ member, capacity, load, sigma }: End): End {
  return { member, capacity, load, sigma }
}

export function unpackEnd(value: unknown): End | Refused {
  if (!isObject(value)) return { refused: 'end' }
  const { member, capacity, load, sigma }: Unknown<End> = value
  if (typeof member !== 'string' || member === '') return { refused: 'member' }
  if (!isAmounts(capacity) || !isByResource(capacity)) return { refused: 'capacity' }
  if (capacity.some((c) => c <= 0)) return { refused: 'capacity' }
  if (!isTable(load, capacity.length)) return { refused: 'load' }
  if (!isAmounts(sigma, capacity.length)) return { refused: 'sigma' }
  return { member: memberId(member), capacity, load, sigma }
}

export function unpackBecame(value: unknown): Became | Refused {
  if (!isObject(value)) return { refused: 'not an object' }
  const { end: packed, load }: Unknown<Became> = value
  const end = unpackEnd(packed)
  if ('refused' in end) return end
  if (load === null) return { end, load }
  return isSessionLoad(load) ? { end, load } : { refused: 'load' }
}

function isSessionLoad(value: unknown): value is SessionLoad {
  if (!isObject(value)) return false
  const { slow, long, fast, variance, owners, elsewhere }: Unknown<SessionLoad> = value
  if (![slow, long, fast].every(isDemand)) return false
  if (!isAmount(variance) || !isShare(elsewhere)) return false
  const owner = (o: unknown) => Array.isArray(o) && typeof o[0] === 'string' && isShare(o[1])
  return Array.isArray(owners) && owners.length <= 64 && owners.every(owner)
}

function isDemand(value: unknown): value is Demand {
  if (!isObject(value)) return false
  const { remote, local }: Unknown<Demand> = value
  return isAmounts(remote) && isByResource(remote) && isAmounts(local, remote.length)
}

function isTable(value: unknown, resources: number): value is LoadTable {
  if (!isObject(value)) return false
  const { slow, long, fast, variance }: Unknown<LoadTable> = value
  return [slow, long, fast, variance].every((a) => isAmounts(a, resources))
}

function isLeft(value: unknown): value is PackedAsk['left'] {
  const row = (l: unknown) => Array.isArray(l) && typeof l[0] === 'string' && isAmount(l[1])
  return Array.isArray(value) && value.length <= 64 && value.every(row)
}

const isByResource = (list: readonly number[]) =>
  list.length >= 1 && list.length <= RESOURCES.length
const isObject = (x: unknown): x is object => typeof x === 'object' && x !== null
const isId = (x: unknown): x is SessionId => Number.isSafeInteger(x)
const isAmount = (x: unknown): x is number => typeof x === 'number' && x >= 0 && x < 1e12
const isShare = (x: unknown) => isAmount(x) && x <= 1.000001
const isAmounts = (x: unknown, count?: number): x is number[] =>
  Array.isArray(x) && x.every(isAmount) && (count === undefined || x.length === count)
