// What one decision round of one member costs in a large group: reports of all members, a hundred sessions here, a hundred
// thousand in the group. Its drivers are the real ones; the group record, the registry and the clock are made up.
//
//   sh scripts/node.sh bench/balance-round.ts [--members 1000] [--sessions 100] [--rounds 400]
import { parseArgs } from 'node:util'
import { Account } from '../src/balance/account.ts'
import { Arrivals } from '../src/balance/arrivals.ts'
import { Decider } from '../src/balance/decider.ts'
import { HeardReports } from '../src/balance/heard.ts'
import type { MemberParts } from '../src/balance/member-parts.ts'
import { OwnSessions } from '../src/balance/own-sessions.ts'
import type { Shared } from '../src/balance/shared-parts.ts'
import {
  generation,
  type MemberId,
  memberId,
  revision,
  type SessionId,
  type SliceId,
  sessionId,
  sliceId,
  volumeId,
} from '../src/base/ids.ts'
import { SessionIndex } from '../src/coordination/session-index.ts'
import { BadPaths } from '../src/distribution/bounds.ts'
import { DEFAULT_POLICY } from '../src/distribution/policy.ts'
import { Reservations } from '../src/distribution/reservations.ts'
import { withReserved } from '../src/distribution/view.ts'
import type { SessionRecord } from '../src/group/record.ts'
import type { StoredSession } from '../src/group/sessions.ts'
import { MemberEstimate } from '../src/load/estimate.ts'
import { clampReport, REPORT_FORMAT, type Report } from '../src/load/report.ts'
import { decodeReport, encodeReport } from '../src/load/report-bytes.ts'
import type { SessionSample } from '../src/load/sample.ts'

const { values: options } = parseArgs({
  options: {
    members: { type: 'string', default: '1000' },
    sessions: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '400' },
  },
})
const MEMBERS = Number(options.members)
const SESSIONS = Number(options.sessions)
const ROUNDS = Number(options.rounds)
const LANES = 64
const SELF = memberId('m0000')
const names = Array.from({ length: MEMBERS }, (_, i) => memberId(`m${String(i).padStart(4, '0')}`))

let nowMs = 1_000
const clock = {
  nowMs: () => nowMs,
  wallMs: () => 1_700_000_000_000 + nowMs,
  after: () => ({ cancel: () => {} }),
  soon: () => {},
}

function recordOf(i: number): SessionRecord {
  return {
    volume: volumeId(1 + (i % 10_000)),
    initiator: `iqn.2026-11.org.example:host-${i}`,
    isid: `00023d${String(i % 1_000_000).padStart(6, '0')}`,
    source: '10.0.0.1',
    owner: names[Math.floor(i / SESSIONS)] ?? SELF,
    gen: generation(1),
    loginToken: '',
    state: 'live',
    since: '2026-11-30T00:00:00.000Z',
  }
}

const index = new SessionIndex()
const sessions = new Map<SessionId, StoredSession>()
for (let i = 0; i < MEMBERS * SESSIONS; i++) {
  const stored = {
    id: sessionId(i + 1),
    key: `session ${i}`,
    rev: revision(1),
    record: recordOf(i),
  }
  sessions.set(stored.id, stored)
  index.set(stored, undefined)
}
const slices = Array.from({ length: 512 }, (_, i) => ({ primary: names[i % MEMBERS] ?? SELF }))
const volumes = new Map(
  Array.from({ length: 10_000 }, (_, v) => [
    volumeId(v + 1),
    { lanes: Array.from({ length: LANES }, (_, l): SliceId => sliceId((v * 7 + l) % 512)) },
  ]),
)
const registered = new Map<SessionId, unknown>()
const here = Array.from({ length: SESSIONS }, (_, i) => ({
  id: sessionId(i + 1),
  record: recordOf(i),
  phase: { kind: 'live', carrier: {} },
}))
for (const one of here) registered.set(one.id, one)
const parts = {
  id: SELF,
  bootId: 'boot',
  ports: { clock, newId: () => 'move' },
  group: {
    members: new Map(names.map((id) => [id, { id, draining: false }])),
    sessions,
    sessionsOf: (volume: SessionRecord['volume'], initiator: string) => index.of(volume, initiator),
    slices,
    volumes,
    moves: new Map(),
  },
  target: {
    registry: { all: () => here, get: (id: SessionId) => registered.get(id) },
    holdsState: () => false,
    takesSessions: true,
    move: async () => ({ kind: 'denied', reason: 'DEST_CAP' }),
  },
  peers: { ask: async () => null },
} as unknown as MemberParts

const estimate = new MemberEstimate({ self: SELF, network: 'not counted' })

/** A second in which each session here asked for so many reads. */
function measure(reads: number): void {
  const samples = here.map(({ id }, i): SessionSample => {
    const asked = reads * (1 + (i % 7) / 7)
    return {
      ...{ session: id, seconds: 1, work: [asked, 0, 0, asked * 4096, 0, asked, asked * 4096] },
      ...{ outstanding: 4, deepest: 8, latencySumMs: 1, latencyCount: 1 },
      byPrimary: Array.from({ length: LANES }, (_, l) => {
        const member = names[(i * 7 + l) % Math.min(512, MEMBERS)] ?? SELF
        return { member, pieces: asked / LANES, bytes: (asked / LANES) * 4096 }
      }),
    }
  })
  estimate.observe(
    {
      ...{ seconds: 1, cpuSeconds: 0.5, capacityCpu: 1, hostCpu: 0.5, loopUtilisation: 0.5 },
      ...{
        rssBytes: 1e8,
        ...{ receivedBytes: 0, sentBytes: 0, interfaceBytes: 0 },
        diskLatencyMs: 1,
        diskQueue: 0,
      },
      ...{ storedPieces: 1e3, storedBytes: 4e6, handledPieces: 1e3, handledBytes: 4e6 },
      ...{ copiedPieces: 1e3, copiedBytes: 4e6, keptPieces: 1e3, keptBytes: 4e6 },
    },
    samples,
  )
}

const reservations = new Reservations()
const end = () => ({
  member: SELF,
  capacity: estimate.capacity,
  load: withReserved(estimate.now, reservations.sum(1, nowMs)),
  sigma: estimate.sigma,
})
const others = new HeardReports(parts, () => DEFAULT_POLICY, clock, 2_000)
const badPaths = new BadPaths()
const settings = { mode: 'on', placement: true, policy: DEFAULT_POLICY }
const shared = {
  ...{ member: parts, policy: { settings }, monitor: { estimate, end }, others, reservations },
  ...{ badPaths, sessions: new OwnSessions(parts, estimate, badPaths), arrivals: new Arrivals() },
} as unknown as Shared
const account: Account = new Account(shared, () => decider)
const decider: Decider = new Decider(shared, account)

function reportOf(member: MemberId, load: number, sequence: number): Report {
  const table = { slow: [load], long: [load], fast: [load], variance: [1e-4] }
  return clampReport({
    ...{ format: REPORT_FORMAT, member, incarnation: 'boot', sequence, atMs: nowMs, state: 'up' },
    ...{ capacity: [1], load: table, sigma: [0.01], reserved: [0], sessions: SESSIONS },
    ...{ loopUtilisation: load, fit: estimate.evidence() },
  })
}

/** All members report this load, and the clock goes on by a second. */
function hearAll(load: number, sequence: number): void {
  nowMs += 1_000
  others.tick()
  names.forEach((id, i) => {
    if (id !== SELF) others.hear(reportOf(id, load * (1 + 0.1 * Math.sin(i)), sequence))
  })
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

async function rounds(label: string, load: number): Promise<void> {
  hearAll(load, nowMs)
  for (let i = 0; i < 50; i++) await decider.round(i)
  const before = cpuMs()
  for (let i = 0; i < ROUNDS; i++) {
    nowMs += 1
    await decider.round(i)
  }
  console.log(`${label.padEnd(44)} ${((cpuMs() - before) / ROUNDS).toFixed(3)} ms`)
}

async function each(label: string, times: number, work: () => void): Promise<void> {
  for (let i = 0; i < times / 4; i++) work()
  const before = cpuMs()
  for (let i = 0; i < times; i++) work()
  console.log(`${label.padEnd(44)} ${((cpuMs() - before) / times).toFixed(4)} ms`)
}

for (let i = 0; i < 120; i++) measure(300)
console.log(
  `${MEMBERS} members, ${SESSIONS} sessions here, ${MEMBERS * SESSIONS} in the group; CPU:`,
)
const own = () => end().load.slow[0] ?? 0
await rounds('a round, all level: nothing is moved', own())
await rounds('a round, the others fuller', own() * 1.2)
await rounds('a round, the others emptier, each move denied', own() * 0.3)
const report = reportOf(names[1] ?? SELF, 0.3, 1e9)
const bytes = encodeReport(report)
await each('a report read', 4_000, () => {
  const heard = decodeReport(bytes, report.member)
  if (!('refused' in heard)) others.hear(heard)
})
await each('a second measured', 40, () => measure(300))
const fits = names.map(() => estimate.evidence())
await each('costs learnt from all members', 40, () => estimate.learn(fits, MEMBERS))
console.log(`${'a report on the wire'.padEnd(44)} ${bytes.length} bytes`)
