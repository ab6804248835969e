// What can be wrong with the copies of slices, and in which words it is told: a part of the table of findings.ts. Pure. With
// one copy of each slice nothing of it is found but that slices move.
import { formatAge } from '../base/figures.ts'
import { type MemberId, type SliceId, sliceId, type VolumeId } from '../base/ids.ts'
import { capital, countOf } from '../base/words.ts'
import type { SliceRecord } from '../group/record.ts'
import { missing } from '../group/slices.ts'
import { abandoned, stateOf, tooFew } from './copies.ts'
import type { Finding } from './findings.ts'
import type { GroupFacts } from './health-facts.ts'

/** What is found of the slices of one member, in the words of `tell`. */
interface Told {
  readonly severity: Finding['severity']
  readonly sentence: string
  readonly action: string
}

interface Slice {
  readonly id: SliceId
  readonly record: SliceRecord
}

export function unavailable(facts: GroupFacts): readonly Finding[] {
  const isDown = downIn(facts)
  return bySubject(
    facts,
    ({ record }) => (stateOf(record, isDown) === 'unavailable' ? [record.primary] : []),
    (primary, slices) => {
      const gone = slices.filter(({ record }) => abandoned(record, isDown))
      const few = slices.filter(({ record }) => !abandoned(record, isDown) && tooFew(record))
      const parts = [
        ...(gone.length > 0
          ? [
              `I/O to ${countOf(gone.length, 'slice')} waits: ${primary} does not answer, and nobody else has all that was written there`,
            ]
          : []),
        ...(few.length > 0
          ? [
              `writes to ${countOf(few.length, 'slice')} of ${primary} wait, as fewer copies are in sync than they need; reads of other blocks go on`,
            ]
          : []),
      ]
      return {
        severity: 'error',
        sentence: `${capital(parts.join('; '))}.`,
        action: `Bring back ${listOf(missingIn(slices, isDown))}: it goes on by itself then. See 'evenkeel status' and 'evenkeel log'.`,
      }
    },
  )
}

export function lastCopy(facts: GroupFacts): readonly Finding[] {
  const isDown = downIn(facts)
  return bySubject(
    facts,
    ({ record }) => (stateOf(record, isDown) === 'lastCopy' ? record.inSync : []),
    (holder, slices) => ({
      severity: 'warning',
      sentence: `${holder} has the only copy that is in sync of ${countOf(slices.length, 'slice')}: should its disk fail now, what was written there is lost.`,
      action: bringBack(slices, isDown),
    }),
  )
}

export function degraded(facts: GroupFacts): readonly Finding[] {
  const isDown = downIn(facts)
  return bySubject(
    facts,
    ({ record }) => (stateOf(record, isDown) === 'degraded' ? missing(record) : []),
    (lacking, slices) => ({
      severity: 'warning',
      sentence: `${lacking} lacks its copies of ${countOf(slices.length, 'slice')}; others are in sync, fewer than wanted.`,
      action: bringBack(slices, isDown),
    }),
  )
}

export function resync(facts: GroupFacts): readonly Finding[] {
  const isDown = downIn(facts)
  const wanted = (id: MemberId) => facts.slices.filter(({ want }) => want.includes(id)).length
  return bySubject(
    facts,
    ({ record }) => (isDown(record.primary) ? [] : missing(record).filter((id) => !isDown(id))),
    (id, slices) => ({
      severity: 'warning',
      sentence: `${id} has ${wanted(id) - slices.length} of its ${wanted(id)} copies of slices in sync; the others are to be copied to it${timeLeft(facts, id)}.`,
      action: `Nothing: its volumes are served meanwhile. 'evenkeel layout show' tells how many are left.`,
    }),
  )
}

/** The end of a sentence. */
function timeLeft({ members }: GroupFacts, id: MemberId): string {
  const ms = members.find((member) => member.id === id)?.resyncMs ?? null
  return ms === null ? '' : `, in about ${formatAge(ms)} at the pace of now`
}

/** One finding for each member that `of` names, with the volumes that have lanes in its slices. */
function bySubject(
  { slices, volumes }: GroupFacts,
  of: (slice: Slice) => readonly MemberId[],
  tell: (subject: MemberId, slices: readonly Slice[]) => Told,
): readonly Finding[] {
  const found = new Map<MemberId, Slice[]>()
  for (const [index, record] of slices.entries()) {
    const { want, inSync } = record
    if (want.length === 1 && inSync.length === 1 && want[0] === inSync[0]) continue
    const slice = { id: sliceId(index), record }
    for (const subject of of(slice)) {
      const so = found.get(subject)
      if (so === undefined) found.set(subject, [slice])
      else so.push(slice)
    }
  }
  return [...found].sort().map(([subject, some]) => {
    const ids = new Set(some.map(({ id }) => id))
    const concerned = volumes.filter(({ lanes }) => lanes.some((lane) => ids.has(lane)))
    const volumeIds: ReadonlySet<VolumeId> = new Set(concerned.map(({ id }) => id))
    return { ...tell(subject, some), subject, volumes: volumeIds }
  })
}

function downIn({ members }: GroupFacts): (id: MemberId) => boolean {
  const there = new Set(members.flatMap(({ id, state }) => (state === 'down' ? [] : [id])))
  return (id) => !there.has(id)
}

/** Those that are wanted and not in sync, or in sync and down. */
function missingIn(
  slices: readonly Slice[],
  isDown: (id: MemberId) => boolean,
): readonly MemberId[] {
  const ids = slices.flatMap(({ record }) => [...missing(record), ...record.inSync.filter(isDown)])
  return [...new Set(ids)].sort()
}

function bringBack(slices: readonly Slice[], isDown: (id: MemberId) => boolean): string {
  const away = missingIn(slices, isDown)
  const down = away.filter(isDown)
  return down.length === 0
    ? `Nothing, if RESYNC tells of ${listOf(away)}: its copies are made again.`
    : `Bring back ${listOf(down)}: see 'evenkeel log ${down[0]}'. Its copies are made again then.`
}

function listOf(ids: readonly MemberId[]): string {
  const last = ids.at(-1) ?? 'its members'
  return ids.length < 2 ? last : `${ids.slice(0, -1).join(', ')} and ${last}`
}
