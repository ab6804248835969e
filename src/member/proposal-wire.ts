// A proposal to move a session, as one member tells it another: times become ages, since no two clocks agree.
import type { Proposal } from '../distribution/decide.ts'
import type { Asked } from '../distribution/grant.ts'
import type { MemberId } from '../group/record.ts'
import type { Json } from '../peer/message.ts'

interface Wire extends Omit<Asked, 'session'> {
  readonly load: Asked['session']['load']
  readonly left: readonly (readonly [member: MemberId, agoMs: number])[]
}

export function writeProposal(proposal: Proposal, nowMs: number): Json {
  const { session, source, price, topmost, urgent } = proposal
  const left = session.left.map(({ member, atMs }) => [member, nowMs - atMs] as const)
  const wire: Wire = { load: session.load, left, source, price, topmost, urgent }
  return JSON.parse(JSON.stringify(wire)) as Json
}

/** null: a move by hand, which has no proposal. Members of one group run versions that know each other's frames. */
export function readProposal(json: Json, nowMs: number): Asked | null {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) return null
  const { load, left, source, price, topmost, urgent } = json as unknown as Wire
  const ages = left.map(([member, agoMs]) => ({ member, atMs: nowMs - agoMs }))
  return { session: { load, left: ages }, source, price, topmost, urgent }
}
