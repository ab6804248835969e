// What the log of a member says of itself and of what is around it, besides its sessions and moves (log-lines.ts).
//
// Invariants:
//   ML1. A copy of the group record that cannot be written is told when that is seen, not only when somebody waits for it.

import type { Call } from '../api/server.ts'
import { type MemberId, memberId } from '../base/ids.ts'
import type { RecordKeeper } from '../coordination/record-keeper.ts'
import type { LinkTold } from '../peer/link.ts'
import type { HealthChange } from './health-watch.ts'
import type { Log } from './log.ts'
import type { ShownMember } from './shown-member.ts'
import type { SlowAnswer } from './watched-coordinator.ts'

export function tellRecovery({ store }: ShownMember, log: Log): void {
  const { damage, damaged, ...recovered } = store.recovery
  log.info('recovered', 'the data folder is open', { ...recovered, damagedSlices: damaged.size })
  if (damage !== null) log.error('damage', damage)
}

/** Each page once, until it is mended. */
export function tellDamage(member: ShownMember, log: Log, told: Set<string>): void {
  const damaged = new Map(
    member.store
      .damagedPages()
      .filter(({ volume, page }) => member.repairs.judge(volume, page) !== 'unused')
      .map((one) => [`${one.volume}/${one.page}`, one]),
  )
  for (const key of told) if (!damaged.has(key)) told.delete(key)
  for (const [key, { volume, page }] of damaged) {
    if (told.has(key)) continue
    told.add(key)
    const name = member.group.volumes.get(volume)?.name ?? String(volume)
    const fields = { volume: name, page }
    const what = `blocks of page ${page} of volume ${name}`
    if (member.repairs.judge(volume, page) === 'mendable')
      log.warn('damage', `${what} are damaged here, and are taken from another copy`, fields)
    else
      log.error(
        'damage',
        `${what} cannot be read: overwrite them, or restore them from a backup`,
        fields,
      )
  }
}

/** Each record once. */
export function tellSkipped(member: ShownMember, log: Log, told: Set<string>): void {
  for (const [key, why] of member.group.skipped) {
    if (told.has(key)) continue
    told.add(key)
    const sentence = `the record ${key} is skipped, since it cannot be read: ${why} It is only for people: no data depends on it`
    log.error('skipped', sentence, { key })
  }
}

/** ML1: each reason once, and that it is over. */
export function tellCopy(
  { trouble }: Pick<RecordKeeper, 'trouble'>,
  log: Log,
  told: Set<string>,
): void {
  if (trouble !== null && !told.has(trouble)) {
    told.add(trouble)
    log.error('copy', `${trouble} A coordination file that is lost now is rebuilt without it.`)
  }
  if (trouble !== null || told.size === 0) return
  told.clear()
  log.info('copy', 'the copy of the group record is written again')
}

/** What it sees of the others is logged, but not what each of them logs about itself. */
export function tellHealth(log: Log, { id, group }: ShownMember, change: HealthChange): void {
  const { kind, problem } = change
  const { code, severity, subject, since, sentence } = problem
  const isAnothers =
    subject !== id && !code.startsWith('MEMBER_') && group.members.has(memberId(subject))
  if (isAnothers) return
  const fields = { change: kind, code, severity, subject, since }
  if (kind === 'gone') log.info('problem', `over: ${code} ${subject}: ${sentence}`, fields)
  else if (severity === 'warning') log.warn('problem', `${code} ${subject}: ${sentence}`, fields)
  else log.error('problem', `${code} ${subject}: ${sentence}`, fields)
}

export function tellLink(log: Log, to: MemberId, ...[state, why]: Parameters<LinkTold>): void {
  if (state === 'serves') log.info('link', `${to} is reached`, { to, state })
  else if (state === 'lost') log.warn('link', `${to} is lost: ${why}`, { to, state, why })
  else log.error('link', `${to} refuses this member: ${why}`, { to, state, why })
}

export function tellSlow(log: Log, { what, ms }: SlowAnswer): void {
  const sentence = `the coordination file took ${Math.round(ms)} ms for a ${what}`
  log.warn('slow', sentence, { what, ms: Math.round(ms) })
}

/** Who asked for which change, and what came of it. */
export function tellCall(log: Log, { caller, agent, method, url, body, status }: Call): void {
  const what = body === '' ? `${method} ${url}` : `${method} ${url} ${body}`
  const sentence = `${caller} (${agent}) asked ${what}: ${status}`
  log.info('api', sentence, { caller, agent, method, url, body, status })
}

export function tellHistory(log: Log, why: unknown): void {
  const reason = why instanceof Error ? why.message : String(why)
  log.warn('history', `what this member measures of itself is not kept: ${reason}`, { reason })
}
