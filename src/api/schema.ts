// The API's words, once: from these schemas come the checks of requests and answers, the OpenAPI document and the types
// of the CLI. Field names carry their units; times are ISO 8601; ids of sessions and volumes are decimal strings,
// members are m1, m2 … Every answer is one object with `schema`; lists are under `items`.
import { z } from 'zod'
import { BLOCK_BYTES, LOGICAL_BLOCKS, VOLUME_BYTES_MAX, VOLUME_BYTES_MIN } from '../base/sizes.ts'
import { VOLUME_NAME, VOLUME_NAME_RULE } from '../group/volumes.ts'
import { errorCodes, SCHEMA } from './errors.ts'
import { fullness } from './fullness-schema.ts'
import { healthProblem, healthState } from './health-schema.ts'
import { drainState } from './keeping-schema.ts'
import { lane, sliceCounts } from './layout-schema.ts'
import { count, rate, share } from './number-schema.ts'
import { policyChange, policySettings } from './policy-schema.ts'

const schema = z.literal(SCHEMA)

/** Any of the schemas below as a whole answer. */
export function answer<S extends z.ZodRawShape>(object: z.ZodObject<S>) {
  return object.extend({ schema })
}

/** An answer that is a list. */
export function list<S extends z.ZodType>(item: S) {
  return z.object({ schema, items: z.array(item) })
}

/** An answer that is a part of a list. */
export function page<S extends z.ZodType>(item: S) {
  const next = z.string().nullable().describe('`after` of the next page; null: that was all.')
  return z.object({ schema, items: z.array(item), next })
}

export const problemAnswer = z
  .object({
    schema: schema.describe('Of this API.'),
    type: z.string().describe('A name of this kind of problem.'),
    title: z.string().describe('What is wrong, in general.'),
    status: z.number().int().describe('The HTTP status.'),
    detail: z.string().describe('What is wrong in this very case.'),
    code: z.enum(errorCodes).describe('The name that programs go by; it does not change.'),
    action: z.string().describe('What to do next.'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457; `action` says what to do next.' })

export const volumeName = z.string().regex(VOLUME_NAME, `a volume name has ${VOLUME_NAME_RULE}`)

const volumeBytes = z
  .number()
  .int()
  .min(VOLUME_BYTES_MIN, 'a volume has at least 1 MiB')
  .max(VOLUME_BYTES_MAX, 'a volume has at most 256 TiB')
  .multipleOf(BLOCK_BYTES, `the size of a volume is a multiple of ${BLOCK_BYTES} bytes`)

export const volumeRequest = z
  .strictObject({
    name: volumeName.describe('By which people call it; one of the group.'),
    bytes: volumeBytes.describe('Its size: thin, so it takes only what is written.'),
    blockBytes: z
      .literal(LOGICAL_BLOCKS)
      .default(512)
      .describe('Of a logical block; never changes.'),
    shared: z.boolean().default(false).describe('Sessions of several initiator names are welcome.'),
  })
  .meta({ id: 'VolumeRequest' })

export const volumeChange = z
  .strictObject({
    name: volumeName.optional().describe('The new one.'),
    bytes: volumeBytes.optional().describe('Not less than it has: a volume only grows.'),
  })
  .meta({ id: 'VolumeChange', description: 'What is not named stays as it is.' })

export const volume = z
  .object({
    id: z.string().describe('Decimal; never given twice.'),
    name: z.string().describe('May be changed.'),
    iqn: z.string().describe('Its target name; never changes.'),
    url: z.string().describe('At the portal of the member that answers; any member serves it.'),
    bytes: count.describe('What initiators see as its size.'),
    blockBytes: z.literal(LOGICAL_BLOCKS).describe('Of a logical block.'),
    shared: z.boolean().describe('Sessions of several initiator names are welcome.'),
    sessions: count.describe('That are live now.'),
    createdAt: z.string().describe('ISO 8601, UTC.'),
    usage: z
      .object({
        bytes: count.describe('Of the blocks that were written, at all members that answered.'),
        takenBytes: count.describe('What they take of the disks there.'),
        silent: z.array(z.string()).describe('Members that did not answer: their part is missing.'),
      })
      .optional()
      .describe('In a list that was asked for it.'),
  })
  .meta({ id: 'Volume' })

export const volumeDetail = volume
  .extend({
    physicalBlockBytes: count,
    lanes: z.array(lane),
    byMember: z
      .array(
        z.object({
          member: z.string(),
          pages: count.nullable().describe('null: the member did not answer'),
          bytes: count
            .nullable()
            .describe(
              'Of the blocks that were written; those that were unmapped count for a second or so.',
            ),
          takenBytes: count
            .nullable()
            .describe(
              'What they take of the disk: with headers, and with blocks that were unmapped in pages that live on.',
            ),
        }),
      )
      .describe('What is there: a volume is thin, and may promise more than the disks have.'),
  })
  .meta({ id: 'VolumeDetail' })

export const sessionState = z.enum(['login', 'live', 'moving'])

export const session = z
  .object({
    id: z.string().describe('Decimal; never given twice, and kept when it moves.'),
    initiator: z.string().describe('Its iSCSI name.'),
    isid: z.string().describe('Of its login, in hexadecimal.'),
    source: z.string().describe("The initiator's address as the portal saw it."),
    volume: z.string().describe('Its name.'),
    member: z.string().describe('The one that serves it.'),
    state: sessionState.describe('moving: it is on its way to another member.'),
    pinned: z
      .string()
      .nullable()
      .describe('The member that it stays at until it is unpinned; null: it is not pinned.'),
    since: z.string().describe('When it first logged in: ISO 8601, UTC.'),
    iops: rate.describe('Commands answered in a second, lately.'),
    bytesPerSecond: rate.describe('Read and written, lately.'),
    forwardedShare: share.describe('Share of its pieces that another member holds, 0 … 1.'),
  })
  .meta({ id: 'Session' })

export const moveOutcome = z.enum(['returned', 'abandoned', 'reclaimed', 'expired', 'lost'])

const ends = z.object({ before: z.number(), after: z.number() })
export const prediction = z
  .object({
    gain: z.number().describe('Waiting requests saved.'),
    price: z.number().describe('What the move costs, in request-seconds.'),
    from: ends.describe('Utilisation of the member that it leaves.'),
    to: ends.describe('The same of its destination.'),
  })
  .meta({ id: 'Prediction' })

export const move = z
  .object({
    id: z.string().describe('By which moves/ID/why is asked for.'),
    session: z.string().describe('The id of the session.'),
    volume: z.string().describe('Its name.'),
    initiator: z.string().describe('Its iSCSI name.'),
    from: z.string().describe('The member that it leaves.'),
    to: z.string().describe('Its destination.'),
    by: z
      .enum(['balance', 'operator', 'drain'])
      .describe('Who wanted it: the load, a person, or the emptying of a member.'),
    code: z.string().describe('The rule by which it was moved.'),
    reason: z.string().describe('The same as a sentence.'),
    predicted: prediction.nullable().describe('null for a move by hand'),
    observed: z.number().nullable().describe('Gain by the same formula once it has settled.'),
    drainMs: z
      .number()
      .nullable()
      .describe('From the freeze to nothing outstanding; null: not known yet.'),
    pauseMs: z
      .number()
      .nullable()
      .describe(
        'From the last response there (the freeze, if it was idle) to the first here, without time in which it was logged in here and asked for nothing.',
      ),
    resent: count
      .nullable()
      .describe('On the wire at the break: sent again, never executed twice.'),
    outcome: moveOutcome.nullable().describe('null: under way'),
    cause: z
      .string()
      .nullable()
      .describe('Why it was abandoned or lost, as the end of a sentence; null: it was neither.'),
    at: z.string().describe('When it began: ISO 8601, UTC.'),
  })
  .meta({ id: 'Move' })

export const sessionDetail = session
  .extend({
    generation: count,
    queueDepth: rate,
    latencyMs: z
      .number()
      .nullable()
      .describe('Mean of the last seconds; null: nothing was answered'),
    load: z.number().nullable().describe('CPU attributed to it, in cores; null: not known yet'),
    why: z.string().describe('A sentence: why it is where it is.'),
    decided: z
      .object({ at: z.string(), code: z.string(), sentence: z.string() })
      .nullable()
      .describe('What was last decided about it; null: nothing yet'),
    moves: z.array(move).describe('Its last moves, the newest first.'),
  })
  .meta({ id: 'SessionDetail' })

export const moveRequest = z
  .strictObject({
    to: z.string().min(1).describe('The member, as m2.'),
    wait: z.boolean().default(true).describe('Answer when the outcome is known.'),
  })
  .meta({ id: 'MoveRequest' })

export const movePlan = z
  .object({
    session: z.string(),
    from: z.string(),
    to: z.string(),
    predicted: prediction.nullable().describe('null: too little is known yet'),
    sentence: z.string().describe('What the move would bring.'),
  })
  .meta({ id: 'MovePlan', description: 'What a move would do. Nothing has moved.' })

export const pinRequest = z
  .strictObject({
    member: z
      .string()
      .min(1)
      .optional()
      .describe('Where it is to stay, as m2: it is moved there first. Not named: where it is.'),
  })
  .meta({ id: 'PinRequest' })

export const pin = z
  .object({
    session: z.string().describe('The id of the session.'),
    member: z.string().nullable().describe('Where it stays; null: it is not pinned.'),
    predicted: prediction
      .nullable()
      .describe(
        'Of the move there, if it was asked what a pin would do; null: none, or not known.',
      ),
    sentence: z.string().describe('What this means, or would mean.'),
  })
  .meta({ id: 'Pin' })

export const balanceMode = z.enum(['on', 'off', 'advise'])
export const placementMode = z.enum(['on', 'off'])
export const balanceRequest = z
  .strictObject({
    mode: balanceMode.optional().describe('Stays as it is if it is not named.'),
    placement: placementMode
      .optional()
      .describe('Whether new sessions are sent to where the load is lower.'),
    policy: policyChange.default({}),
  })
  .meta({ id: 'BalanceRequest', description: 'A move under way is let finish.' })

export const decision = z
  .object({
    at: z.string().describe('When: ISO 8601, UTC.'),
    member: z.string().describe('The one that decided.'),
    session: z.string().nullable().describe('What it decided about; null: none in particular.'),
    to: z.string().nullable().describe('The member that was considered; null: none.'),
    code: z.string().describe('The rule that decided.'),
    sentence: z.string().describe('The same for people.'),
  })
  .meta({ id: 'Decision' })

export const balance = z
  .object({
    mode: balanceMode,
    placement: placementMode,
    imbalance: z
      .number()
      .nullable()
      .describe('Highest utilisation over the mean; null: not all have reported'),
    members: z.array(
      z.object({ member: z.string(), utilisation: z.number().nullable(), sessions: count }),
    ),
    underWay: z.array(move),
    decisions: z.array(decision).describe('The last ones, the newest first.'),
    policy: policySettings,
  })
  .meta({ id: 'Balance' })

export const memberState = z.enum(['up', 'silent'])

/** Of the blocks that a member keeps in memory. */
export const cacheFigures = z.object({
  bytes: count.describe('Of blocks that are in memory now.'),
  mostBytes: count.describe('Of blocks that may be in memory; 0: the cache is off.'),
  hits: count.describe('Blocks of reads that came from memory, since the member was started.'),
  misses: count.describe('Blocks of reads that came from the disk, since then.'),
})

/** Of what a member lists of pages that were unmapped (tombstones, in the docs). */
export const tombstoneFigures = z.object({
  runs: count.describe('Runs of 16 pages that hold nothing else.'),
  atMost: count.describe(
    'Of these; beyond it the oldest are forgotten one by one, and only the newest change in them is kept of each slice.',
  ),
})

export const member = z
  .object({
    id: z.string().describe('m1, m2 …'),
    state: memberState.describe('silent: it does not answer the one that was asked.'),
    portal: z.string().describe('Where initiators reach it: address and port.'),
    standIn: z
      .object({ member: z.string(), since: z.string().describe('ISO 8601, UTC.') })
      .nullable()
      .describe('Which member answers at its portal while it is away; null: none.'),
    api: z.string().describe('Where its API is.'),
    draining: z.boolean().describe('It is being emptied: it takes no new sessions.'),
    drain: drainState
      .nullable()
      .describe('How far that is; null: it is not being emptied, or is silent.'),
    sessions: count.describe('That it serves.'),
    slices: count.describe('Slices that it is the primary of.'),
    copies: count.describe('Slices that it has a copy of, in sync.'),
    pid: z.number().int().nullable().describe('null: silent'),
    version: z.string().nullable().describe('null: silent'),
    usedBytes: count.nullable().describe('Of its disk, by what its store keeps; null: silent.'),
    freeBytes: count.nullable().describe('Of its disk; null: silent.'),
    load: z.object(fullness).nullable().describe('null: silent, or not measured yet'),
    cache: cacheFigures.nullable().describe('null: silent'),
    tombstones: tombstoneFigures
      .nullable()
      .describe('Stamps of pages that were unmapped, kept so that copies can be compared.'),
  })
  .meta({ id: 'Member' })

/** What a load monitor publishes; a silent member has none, never zeros. */
export const memberLoad = z
  .object({
    reportAgeMs: z.number().describe('How old these figures are.'),
    ...fullness,
    cpu: share.describe('Cores in use by the process.'),
    hostCpu: share.describe('Of all cores of its machine, in use by anybody.'),
    eventLoop: share.describe('Event-loop utilisation: only signals saturation.'),
    eventLoopDelayMs: z.number().describe('By how much its timers come late, on average.'),
    memoryBytes: count.describe('Resident, of the process.'),
    diskLatencyMs: z
      .number()
      .nullable()
      .describe("Mean of the journal's commits; null: nothing was written in the last second"),
    diskQueue: z.number().describe('Changes that waited for the journal, on average.'),
    networkBytesPerSecond: rate.describe('On all its sockets: initiators and members.'),
    iops: rate.describe('Commands answered in a second.'),
    bytesPerSecond: rate.describe('Read and written.'),
    latencyMs: z.number().nullable().describe('Mean of its commands; null: none was answered'),
    forwardedShare: share.describe('Share of its pieces that other members hold, 0 … 1.'),
    handledIops: rate.describe('Pieces per second done here for sessions of other members.'),
  })
  .meta({ id: 'MemberLoad' })

export const top = z
  .object({
    at: z.string(),
    members: z.array(
      z.object({
        id: z.string(),
        state: memberState,
        sessions: count,
        load: memberLoad.nullable().describe('null: no report'),
      }),
    ),
    sessions: z.array(
      session.extend({
        queueDepth: rate,
        latencyMs: z.number().nullable(),
        load: z.number().nullable(),
      }),
    ),
  })
  .meta({ id: 'Top' })

export const status = z
  .object({
    group: z.string(),
    member: z.string().describe('The one that answers.'),
    version: z.string(),
    health: healthState.describe('That of the worst problem.'),
    problems: z.array(healthProblem).describe('The worst first; empty if ok.'),
    coordination: z.enum(['up', 'down']),
    balance: balanceMode,
    placement: placementMode,
    members: z.array(member),
    slices: sliceCounts,
    volumes: z.object({ count, bytes: count, allocatedBytes: count }),
    sessions: count,
    moves: z.object({ underWay: count, done: count }),
  })
  .meta({ id: 'Status' })

export const health = z
  .object({
    ok: z.boolean().describe('It serves: the status is 200, whatever else is wrong.'),
    health: healthState,
    member: z.string(),
    version: z.string(),
    uptimeSeconds: z.number(),
    problems: z.array(healthProblem).describe('Of this member, the worst first.'),
    sessions: count,
    load: memberLoad.nullable(),
  })
  .meta({ id: 'Health' })

export type VolumeRequest = z.infer<typeof volumeRequest>
export type VolumeChange = z.infer<typeof volumeChange>
export type Volume = z.infer<typeof volume>
export type VolumeDetail = z.infer<typeof volumeDetail>
export type Session = z.infer<typeof session>
export type SessionDetail = z.infer<typeof sessionDetail>
export type Move = z.infer<typeof move>
export type MoveRequest = z.infer<typeof moveRequest>
export type Pin = z.infer<typeof pin>
export type PinRequest = z.infer<typeof pinRequest>
export type MovePlan = z.infer<typeof movePlan>
export type Balance = z.infer<typeof balance>
export type BalanceRequest = z.infer<typeof balanceRequest>
export type BalanceMode = z.infer<typeof balanceMode>
export type PlacementMode = z.infer<typeof placementMode>
export type Member = z.infer<typeof member>
export type MemberLoad = z.infer<typeof memberLoad>
export type Top = z.infer<typeof top>
export type Status = z.infer<typeof status>
export type Health = z.infer<typeof health>
