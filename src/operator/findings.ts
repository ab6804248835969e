// What can be wrong with a group, in one table: for each code, whether the facts show it, and in which words it is told. Pure.

import type { HealthCode, Severity } from '../api/health-schema.ts'
import { formatAmount, formatPercent } from '../base/figures.ts'
import type { MemberId, VolumeId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import { capital, countOf } from '../base/words.ts'
import type { Condition } from './condition.ts'
import { degraded, lastCopy, resync, unavailable } from './copy-findings.ts'
import { drainSentence } from './drain-words.ts'
import type { GroupFacts, MemberFacts } from './health-facts.ts'
import type { Launched } from './launcher-record.ts'
import { standInOf } from './stand-in.ts'

const NEAR_FULL_WARNING = 0.8
const NEAR_FULL_ERROR = 0.9
const SLOW_COMMIT_MS = 200
const SLOW_DISK_AFTER_MS = 10_000
/** The busiest member has more than half of its capacity in use, and a quarter more than the idlest. */
const IMBALANCED_HIGHEST = 0.5
const IMBALANCED_DIFFERENCE = 0.25
const IMBALANCED_AFTER_MS = 300_000

export interface Finding {
  readonly subject: string
  readonly severity: Severity
  readonly sentence: string
  readonly action: string
  /** In ms since 1970, if it is known; else it is when it was first found. */
  readonly sinceMs?: number
  /** How long it must last. */
  readonly afterMs?: number
  readonly volumes?: ReadonlySet<VolumeId>
  /** Members whose sessions are concerned, besides the sessions of `volumes`. */
  readonly sessionsOf?: MemberId
}

type Find = (facts: GroupFacts) => readonly Finding[]

const MEMBER_LOG = (id: MemberId) => `'evenkeel log ${id}'`

export const findings: Readonly<Record<HealthCode, Find>> = {
  STORE_FAILED: eachCondition((member, { storeFailure }) =>
    storeFailure === null
      ? null
      : {
          ...concerns(member),
          severity: 'error',
          sentence: `The data folder of ${member.id} cannot be used any more: ${storeFailure}`,
          action: `See to its disk; 'evenkeel up' starts ${member.id} again, and it recovers what it had answered.`,
        },
  ),
  OLD_FOLDER: eachMember((member) => {
    const { id, launched } = member
    if (launched === null || !refusesFolder(launched)) return null
    return {
      ...concerns(member),
      severity: 'error',
      sinceMs: Date.parse(launched.firstAt),
      sentence: `${id} does not start with the data folder that it finds: ${launched.lastError}`,
      action: `Put the right folder back: 'evenkeel up' goes on trying. The sentence names the words that accept a loss.`,
    }
  }),
  MEMBER_RESTARTING: eachMember((member, facts) => {
    const { id, launched } = member
    if (launched === null || refusesFolder(launched)) return null
    const { serves, endings, firstAt, lastAt, lastError } = launched
    const times = endings === 1 ? 'once' : `${endings} times`
    const now = serves ? 'and serves again' : 'and does not serve now'
    return {
      ...concerns(member),
      severity: serves ? 'warning' : 'error',
      sinceMs: Date.parse(firstAt),
      sentence: `${id} has ended ${times} ${now}. Last, at ${lastAt}: ${lastError}${standInSentence(member, facts)}`,
      action: serves
        ? `Look why it ended: ${MEMBER_LOG(id)}.`
        : `'evenkeel up' goes on starting it; mend what it says, and see ${MEMBER_LOG(id)}.`,
    }
  }),
  MEMBER_DOWN: eachMember((member, facts) => {
    const { id, state, heardMs, launched, link } = member
    if (state !== 'down' || launched?.serves === false) return null
    return {
      ...concerns(member),
      severity: 'error',
      ...(heardMs === null ? {} : { sinceMs: heardMs }),
      sentence: `${id} does not answer${link === null ? '' : ` (${link})`}: ${whatWaits(member)}its sessions ${answererFor(member, facts) === null ? 'stand still' : 'come back at other members'}.${standInSentence(member, facts)}`,
      action: `'evenkeel up' starts a member that has ended; one that hangs must be killed. See ${MEMBER_LOG(id)}${mayWait(member)}.`,
    }
  }),
  MEMBER_SLOW: eachMember((member) => {
    const { id, state, launched } = member
    if (state !== 'slow' || launched?.serves === false) return null
    return {
      ...concerns(member),
      severity: 'warning',
      sentence: `${id} did not answer just now, but reported its load a moment ago.`,
      action: `Ask again in a few seconds; if it lasts, see 'evenkeel top' and ${MEMBER_LOG(id)}.`,
    }
  }),
  UNAVAILABLE: unavailable,
  LAST_COPY: lastCopy,
  DEGRADED: degraded,
  RESYNC: resync,
  DAMAGED: eachCondition((member, { damaged, lostSegments, lostVolumes }, { slices }) => {
    const { id } = member
    const mendable = damaged.reduce((sum, one) => sum + one.mendable, 0)
    const pages = damaged.reduce((sum, one) => sum + one.pages, 0) - mendable
    const mending = `blocks of ${countOf(mendable, 'page')} are damaged at ${id}, and are taken from another copy`
    const parts = [
      ...(pages > 0 ? [`${id} cannot read blocks of ${countOf(pages, 'page')}`] : []),
      ...(lostSegments.files > 0
        ? [
            `${countOf(lostSegments.files, 'segment file')} of ${id} with ${countOf(lostSegments.pages, 'page')} cannot be used`,
          ]
        : []),
      ...(lostVolumes.length > 0
        ? [
            `the folder that ${id} had before was given up, with pages of ${countOf(lostVolumes.length, 'volume')}`,
          ]
        : []),
    ]
    if (parts.length === 0 && mendable > 0)
      return {
        subject: id,
        severity: 'warning',
        volumes: new Set(damaged.map(({ volume }) => volume)),
        sentence: `${capital(mending)}: reads are answered with what that has.`,
        action: `Nothing now. If it comes again, see whether the disk of ${id} is failing (dmesg, smartctl), and replace it; ${MEMBER_LOG(id)} names each page.`,
      }
    if (parts.length === 0) return null
    const isAnywhere = lostSegments.files > 0
    const hasCopies = slices.some(({ want }) => want.length > 1)
    const what = hasCopies ? 'what no copy in sync has' : 'what was there'
    return {
      subject: id,
      severity: 'error',
      everything: isAnywhere,
      volumes: new Set([...damaged.map(({ volume }) => volume), ...lostVolumes]),
      sentence: `${parts.join('; ')}: whoever reads ${what} gets MEDIUM ERROR, until it is overwritten.${mendable > 0 ? ` ${capital(mending)}.` : ''}`,
      action: `${hasCopies ? 'If reads fail, overwrite' : 'Overwrite'} these blocks, or restore the volumes from a backup; ${MEMBER_LOG(member.id)} names the pages that were found.`,
    }
  }),
  FULL: eachCondition((member, { freeBytes }) =>
    freeBytes >= PAGE_BYTES // a new page may need as much
      ? null
      : {
          ...concerns(member),
          severity: 'error',
          sentence: `${member.id} is full: writes of new blocks there are refused (DATA PROTECT 7/27/07); reads and overwrites go on.`,
          action: `Delete volumes or discard what is not needed (fstrim), or give the disk or --budget more room.`,
        },
  ),
  NEAR_FULL: eachCondition((member, { usedBytes, freeBytes }) => {
    const share = usedBytes / (usedBytes + freeBytes)
    if (freeBytes < PAGE_BYTES || share < NEAR_FULL_WARNING) return null
    return {
      ...concerns(member),
      severity: share < NEAR_FULL_ERROR ? 'warning' : 'error',
      sentence: `${member.id} has ${Math.floor(100 * share)} % of its room in use; once it is full, writes of new blocks are refused.`,
      action: `Delete volumes or discard what is not needed (fstrim), or give the disk or --budget more room.`,
    }
  }),
  RECORD_LOST: ({ members }) => {
    const told = members.flatMap(({ id, condition }) =>
      condition === null || condition.recordLost === null ? [] : [[id, condition.recordLost]],
    )
    if (told.length === 0) return []
    return [
      {
        subject: 'coordination',
        severity: 'error',
        sentence: `${told.map(([id]) => id).join(', ')} cannot use the coordination file any more: ${told[0]?.[1]}`,
        action: `Put the file back that the group was using; if it is gone, 'evenkeel recover' rebuilds it from the members' folders (docs/OPERATING.md).`,
      },
    ]
  },
  COORDINATOR_DOWN: ({ members }) => {
    const cut = members.flatMap(({ id, condition }) =>
      condition === null || condition.coordinator === null || condition.recordLost !== null
        ? []
        : [[id, condition.coordinator]],
    )
    if (cut.length === 0) return []
    const who = cut.map(([id]) => id).join(', ')
    return [
      {
        subject: 'coordination',
        severity: 'error',
        sentence: `The coordination file does not answer ${who}: ${cut[0]?.[1]}. I/O goes on; logins, moves and changes of volumes wait.`,
        action:
          'Look at the disk that holds coordination.sqlite, and at what else has the file open.',
      },
    ]
  },
  SLOW_DISK: eachCondition((member, { commitMs }) =>
    commitMs === null || commitMs < SLOW_COMMIT_MS
      ? null
      : {
          ...concerns(member),
          severity: 'warning',
          afterMs: SLOW_DISK_AFTER_MS,
          sentence: `The disk of ${member.id} needs ${Math.round(commitMs)} ms to make a write durable, for ${SLOW_DISK_AFTER_MS / 1_000} s and longer.`,
          action: `See what else uses this disk, and whether it is failing (dmesg, smartctl).`,
        },
  ),
  IMBALANCED: ({ members, balance }) => {
    const taking = members.filter(({ draining }) => !draining)
    const known = taking.flatMap(({ id, utilisation }) =>
      utilisation === null ? [] : [{ id, utilisation }],
    )
    if (known.length < taking.length || known.length < 2) return []
    const sorted = known.sort((a, b) => b.utilisation - a.utilisation)
    const [highest, lowest] = [sorted[0], sorted.at(-1)]
    if (highest === undefined || lowest === undefined) return []
    const difference = highest.utilisation - lowest.utilisation
    if (highest.utilisation < IMBALANCED_HIGHEST || difference < IMBALANCED_DIFFERENCE) return []
    return [
      {
        subject: 'group',
        severity: 'warning',
        afterMs: IMBALANCED_AFTER_MS,
        sessionsOf: highest.id,
        sentence: `${highest.id} works at ${formatPercent(highest.utilisation)} and ${lowest.id} at ${formatPercent(lowest.utilisation)}, for ${IMBALANCED_AFTER_MS / 60_000} minutes and longer.`,
        action:
          balance === 'on'
            ? `'evenkeel balance status' says why no session is moved.`
            : `Let sessions be moved: 'evenkeel balance on'.`,
      },
    ]
  },
  MEMBER_EMPTY: eachMember(({ id, state, draining }, { slices, members }) => {
    const isEmpty = !slices.some(({ want, inSync }) => want.includes(id) || inSync.includes(id))
    const total = slices.reduce((sum, { want }) => sum + want.length, 0)
    if (!isEmpty || state === 'down' || draining || total < members.length) return null
    return {
      subject: id,
      severity: 'warning',
      sentence: `${id} has no slices: sessions are served there, and its disk is not used.`,
      action: `'evenkeel layout plan' tells what would move to it, 'evenkeel layout apply' moves it, while all volumes are served.`,
    }
  }),
  MISPREDICTING: ({ balance, trust: { moves, brought, caution } }) =>
    balance !== 'on' || caution === 1
      ? []
      : [
          {
            subject: 'group',
            severity: 'warning',
            sentence: `Of the last ${moves} moves of sessions the middle one brought ${timesOf(brought)} what was predicted; until that is better, a move must be worth ${Math.round(caution)} times as much.`,
            action: `Sessions are moved less meanwhile, and nothing else is wrong. 'evenkeel move show' says of each move what it was to bring and what it brought. Load that changes within a minute of a move makes this; 'evenkeel balance advise' stops moves until it is found.`,
          },
        ],
  DRAINING: eachMember(({ id, draining, condition }) => {
    if (!draining) return null
    const state = condition?.drain ?? null
    const [first] = state?.reasons ?? []
    const over = `'evenkeel member drain ${id} --undo' lets it take sessions again.`
    const stuck =
      first === undefined ? '' : ` Session ${first.session} stays: ${first.why}. ${first.action}`
    const isEmpty = state?.left === 0
    return {
      subject: id,
      severity: 'warning',
      ...(state === null ? {} : { sinceMs: Date.parse(state.since) }),
      sentence: drainSentence(id, 'is', state),
      action: isEmpty ? `Stop it, or do what it was drained for. ${over}` : `Wait.${stuck} ${over}`,
    }
  }),
}

/** The beginning of a sentence about a member that is down. */
function whatWaits({ slices, alone }: MemberFacts): string {
  if (slices === 0) return ''
  if (alone === 0) return `others take over its ${slices} slices; `
  return `I/O to ${alone === slices ? 'its' : `${alone} of its`} ${slices} slices waits, and `
}

function answererFor({ id }: MemberFacts, { members }: GroupFacts): MemberId | null {
  const conditions = members.map((one) => [one.id, one.condition] as const)
  return standInOf(id, conditions)?.member ?? null
}

/** What follows a full stop, or nothing. */
function standInSentence(member: MemberFacts, facts: GroupFacts): string {
  const by = answererFor(member, facts)
  return by === null ? '' : ` Meanwhile ${by} answers at its portal.`
}

/** It has copies elsewhere: without them nobody waits for others (DF7). */
function mayWait({ slices, alone }: MemberFacts): string {
  return slices > 0 && alone === slices
    ? ''
    : ', which says so if it waits for the others to go on without it, as its folder is empty, older or damaged'
}

function refusesFolder({ serves, code }: Launched): boolean {
  return !serves && code === 'OLD_FOLDER'
}

function eachMember(
  find: (member: MemberFacts, facts: GroupFacts) => FindingOfMember | null,
): Find {
  return (facts) =>
    facts.members.flatMap((member) => {
      const found = find(member, facts)
      if (found === null) return []
      const { everything, ...finding } = found
      if (everything !== true) return [finding]
      const held = facts.volumes.filter(({ members }) => members.has(member.id))
      return [{ ...finding, volumes: new Set(held.map(({ id }) => id)) }]
    })
}

interface FindingOfMember extends Finding {
  /** Every volume that has slices there is concerned. */
  readonly everything?: boolean
}

function eachCondition(
  find: (member: MemberFacts, condition: Condition, facts: GroupFacts) => FindingOfMember | null,
): Find {
  return eachMember((member, facts) =>
    member.condition === null ? null : find(member, member.condition, facts),
  )
}

function concerns({ id }: MemberFacts) {
  return { subject: id, everything: true, sessionsOf: id } as const
}

function timesOf(ratio: number): string {
  if (ratio <= 0) return 'less than nothing of'
  return ratio < 0.1 ? 'less than a tenth of' : `${formatAmount(ratio)} times`
}
