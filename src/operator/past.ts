// The past of all members, asked from each when a person looks back (history.ts keeps it).
import { POINTS_MAX } from '../api/history.ts'
import type { HistorySpan } from '../api/operator.ts'
import { type History as Answer, pastFigures } from '../api/schema.ts'
import type { MemberId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { Body } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'
import type { History, Span } from './history.ts'
import type { ShownMember } from './shown-member.ts'

/** It reads its disk. */
const ASK_MS = 2_000
const SILENT_ASK_MS = 400

export function readSpan(json: Json): Span {
  const body = new Body(json)
  const span = {
    fromMs: body.whole('fromMs'),
    stepMs: body.whole('stepMs'),
    count: body.whole('count'),
  }
  if (span.stepMs === 0 || span.count > POINTS_MAX) {
    throw new ProtocolError('no span of time', 'peer/DESIGN.md')
  }
  return span
}

export async function pastOfAll(
  member: ShownMember,
  own: History,
  isHeard: (id: MemberId) => boolean,
  { fromMs, stepSeconds, count }: HistorySpan,
): Promise<Answer> {
  const span = { fromMs, stepMs: stepSeconds * 1_000, count }
  const ids = [...member.group.members.keys()].sort()
  const members = await Promise.all(
    ids.map(async (id) => {
      if (id === member.id) return { id, past: await own.read(span) }
      const patienceMs = isHeard(id) ? ASK_MS : SILENT_ASK_MS
      const told = await member.peers.ask(id, 'history', span, patienceMs)
      return { id, past: pastFigures.safeParse(told).data ?? null }
    }),
  )
  return { from: new Date(fromMs).toISOString(), stepSeconds, count, members }
}
