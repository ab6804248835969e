// What must hold of a simulated group at the end: blocks are linearizable registers, everybody made progress after the
// last fault, and nothing is left over.
import { sliceId } from '../src/base/ids.ts'
import { isRandomIsid } from '../src/base/isid.ts'
import { PAGE_BYTES } from '../src/base/sizes.ts'
import { sliceAt } from '../src/slice/lanes.ts'
import { judge } from './checkers/linearizability.ts'
import type { SimGroup } from './group.ts'
import type { Workload } from './workload.ts'

/** After the last fault each initiator gets an answer to a new command within so long. */
export const PROGRESS_MS = 25_000
/** With copies: since all stores are open, which they are within so long after the last fault. */
export const COPIES_PROGRESS_MS = 15_000
/** Where a page takes up to 3 s to be read, and a copy that writes wait for is made of pages. */
export const SLOW_COPIES_PROGRESS_MS = 40_000
export const OPEN_MS = 30_000
/** Then moves expire (10 s), barriers and sweeps come to rest. */
export const REST_MS = 40_000
/** A session whose connection was lost without a word is given up after a minute (src/target/keep-alive.ts). */
export const SILENT_MS = 70_000

export function judgeHistories(group: SimGroup, workload: Workload): void {
  for (const { lba, kind, detail } of judge(workload.histories)) {
    group.violation(`LBA ${lba} is not linearizable (${kind}): ${detail}`)
  }
}

/** Initiators without an answer to a command that began after `sinceMs`. */
export function stalled(workload: Workload, sinceMs: number): string[] {
  const idle = workload.runners.filter(({ lastGoodBeganMs }) => lastGoodBeganMs < sinceMs)
  return idle.map(({ name, initiator }) => `${name} (${initiator?.phase ?? 'no session yet'})`)
}

/** Members that have not opened their stores. */
export function unopened(group: SimGroup): string[] {
  return group.members.filter(({ member }) => member === null).map(({ id }) => id)
}

/** What is not at rest, as sentences; none: nothing leaked. */
export function leaks(group: SimGroup): string[] {
  const lacking = group.copies.lacking()
  return [
    ...[...unserved(group), ...unrecorded(group)],
    ...[...group.watch.promised(), ...strays(group), ...lacking],
  ]
}

/** Records that say something which no member does. */
function unserved(group: SimGroup): string[] {
  const found: string[] = []
  for (const { id, record } of group.records()) {
    const { owner, state, gen, move, isid } = record
    if (state === 'dead') {
      if (isRandomIsid(isid)) found.push(`session ${id} is dead and not retired`)
      continue
    }
    if (move !== undefined) found.push(`session ${id} is still in a move to ${move.to}`)
    const served = group.member(owner).member?.target.registry.get(id)
    if (served?.gen !== gen) found.push(`session ${id} lives nowhere, its record names ${owner}`)
  }
  return found
}

/** Sessions that members serve and no record names, and portals that they keep from each other. */
function unrecorded(group: SimGroup): string[] {
  const found: string[] = []
  const records = new Map(group.records().map(({ id, record }) => [id, record]))
  for (const { id: member, member: running, balancer } of group.members) {
    if (running === null) found.push(`${member} does not run`)
    for (const one of running?.target.standIns.all ?? [])
      found.push(`${member} answers at the portal of ${one.member}, which is there`)
    const awaited = balancer?.awaited ?? 0
    if (awaited > 0) found.push(`${member} still awaits ${awaited} sessions`)
    for (const session of running?.target.registry.all() ?? []) {
      const record = records.get(session.id)
      if (record?.owner !== member || record.gen !== session.gen || record.state !== 'live') {
        found.push(`${member} serves session ${session.id}.${session.gen} which is not its own`)
      }
      if (session.phase.kind === 'moving') found.push(`${member} still moves session ${session.id}`)
    }
  }
  return found
}

/** Pages in a store that belong to no volume, or to another slice than the one of which they are told. */
function strays(group: SimGroup): string[] {
  const found: string[] = []
  const volumes = new Map(group.volumes.map((volume) => [volume.id, volume]))
  for (const { id: member, member: running } of group.members) {
    if (running === null) continue
    for (let slice = sliceId(0); slice < running.group.slices.length; slice = sliceId(slice + 1)) {
      for (const { volume, page } of running.store.versions(slice)) {
        const of = volumes.get(volume)
        if (of !== undefined && sliceAt(of, page * PAGE_BYTES) === slice) continue
        found.push(`${member} has page ${page} of volume ${volume} on slice ${slice}`)
      }
    }
  }
  return found
}

/** Living sessions after all initiators have logged out, or died. */
export function leftOver(group: SimGroup): string[] {
  return group
    .records()
    .filter(({ record }) => record.state === 'live')
    .map(({ id, record }) => `session ${id} of ${record.initiator} at ${record.owner} outlived it`)
}
