// What one member tells another that was asked by a person: its sessions, its store, its load. Asked for when it is
// needed, so that it costs nothing otherwise; a member that does not answer in time is silent, never zero.
import { z } from 'zod'
import { cacheFigures, memberLoad, tombstoneFigures } from '../api/schema.ts'
import { type MemberId, sessionId, volumeId } from '../base/ids.ts'
import type { Json } from '../peer/message.ts'
import { condition } from './condition.ts'
import type { ShownMember } from './shown-member.ts'

const ASK_MS = 800
/** For one that has reported nothing lately: whoever asks need not wait long for what it will hardly answer. */
const SILENT_ASK_MS = 400
/** Members of one group run versions that know each other's frames; the format tells a summary of another form. */
export const SUMMARY_FORMAT = 6

const sessionSummary = z.object({
  id: z.number().transform(sessionId),
  state: z.enum(['login', 'live', 'moving']),
  /** CPU attributed to it, in cores; null: not known yet. */
  load: z.number().nullable(),
  /** Placement sent its login here. */
  placed: z.boolean(),
  decided: z.object({ at: z.string(), code: z.string(), sentence: z.string() }).nullable(),
  iops: z.number(),
  bytesPerSecond: z.number(),
  forwardedShare: z.number(),
  queueDepth: z.number(),
  latencyMs: z.number().nullable(),
})

const summary = z.object({
  format: z.literal(SUMMARY_FORMAT),
  member: z.string(),
  pid: z.number(),
  version: z.string(),
  usedBytes: z.number(),
  freeBytes: z.number(),
  cache: cacheFigures,
  tombstones: tombstoneFigures,
  volumes: z.array(
    z.object({
      id: z.number().transform(volumeId),
      pages: z.number(),
      bytes: z.number(),
      takenBytes: z.number(),
    }),
  ),
  sessions: z.array(sessionSummary),
  load: memberLoad.nullable(),
  condition,
})

export type SessionSummary = z.infer<typeof sessionSummary>
export type Summary = z.infer<typeof summary>

/** Of every member of the group, this one included; a silent one is missing. */
export async function askAll(
  member: ShownMember,
  own: () => Summary,
  isHeard: (id: MemberId) => boolean,
): Promise<Map<MemberId, Summary>> {
  const all = new Map<MemberId, Summary>([[member.id, own()]])
  const others = [...member.group.members.keys()].filter((id) => id !== member.id)
  const replies = await Promise.all(
    others.map((id) => member.peers.ask(id, 'summary', null, isHeard(id) ? ASK_MS : SILENT_ASK_MS)),
  )
  for (const [at, id] of others.entries()) {
    const told = parseSummary(replies[at] ?? null, id)
    if (told !== null) all.set(id, told)
  }
  return all
}

/** null: nothing that can be used, or of another member than `from` (P10 of peer/controls.ts). */
export function parseSummary(reply: Json, from: MemberId): Summary | null {
  const told = summary.safeParse(reply).data
  return told?.member === from ? told : null
}
