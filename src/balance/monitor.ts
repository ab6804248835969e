// The load monitor of a member: each second it samples the process and the sessions, brings its estimates up to date and
// tells the others.
import type { MemberLoad } from '../api/schema.ts'
import { type Timer, untilBeat } from '../base/clock.ts'
import type { MemberId, SessionId } from '../base/ids.ts'
import type { SystemLook, SystemProbe } from '../base/system-probe.ts'
import { fullest, resourceOf, utilisationOf } from '../distribution/judge.ts'
import type { Reservations } from '../distribution/reservations.ts'
import { type End, withReserved } from '../distribution/view.ts'
import { MemberEstimate } from '../load/estimate.ts'
import { RESOURCES } from '../load/load-table.ts'
import { clampReport, REPORT_FORMAT, type Report } from '../load/report.ts'
import { asTold, encodeReport } from '../load/report-bytes.ts'
import {
  type CopyAmounts,
  type CounterMark,
  counterMark,
  readCounters,
  type SystemSample,
} from '../load/sample.ts'
import type { CommitWork } from '../store/commit-queue.ts'
import type { HeardReports } from './heard.ts'
import type { MemberParts } from './member-parts.ts'

export const EVERY_MS = 1_000
/** Its timer takes that long by itself (io/clock.ts); what is more, the loop was held up. */
const TIMER_MS = 2
/** One event loop, and a little beside it: journal writes and checksums in the thread pool. */
const CAPACITY_CPU = 1

interface DiskSince {
  /** Mean of what became durable together; null: nothing was written. */
  readonly latencyMs: number | null
  readonly queue: number
}

interface PagesSince {
  readonly own: { readonly pieces: number; readonly bytes: number }
  readonly handled: { readonly pieces: number; readonly bytes: number }
  readonly copies: CopyAmounts
}

export class Monitor {
  readonly estimate: MemberEstimate
  readonly #member: MemberParts
  readonly #probe: SystemProbe
  readonly #reservations: Reservations
  readonly #others: HeardReports
  readonly #marks = new Map<SessionId, CounterMark>()
  #sequence = 0
  #handled = { pieces: 0, bytes: 0 }
  #copied: CopyAmounts = { copiedPieces: 0, copiedBytes: 0, keptPieces: 0, keptBytes: 0 }
  #look: SystemLook | null = null
  #lookedMs = 0
  #work: Omit<CommitWork, 'durations'> = { commits: 0, commitMs: 0, waitedMs: 0 }
  #disk: DiskSince = { latencyMs: null, queue: 0 }
  /** When the next tick is due, and by how much the loop had let the last one wait. */
  #dueMs = 0
  #lateMs = 0
  #timer: Timer
  /** Work of the last second, for people. */
  #lately = {
    commands: 0,
    bytes: 0,
    pieces: 0,
    forwarded: 0,
    handled: 0,
    latencySumMs: 0,
    answered: 0,
  }

  constructor(
    member: MemberParts,
    probe: SystemProbe,
    reservations: Reservations,
    others: HeardReports,
  ) {
    this.#member = member
    this.#probe = probe
    this.#reservations = reservations
    this.#others = others
    // Members reach each other by Unix sockets: what they forward takes nothing of what initiators reach them by.
    this.estimate = new MemberEstimate({ self: member.id, network: 'initiators alone' })
    probe.look()
    this.#timer = this.#tickLater()
  }

  stop(): void {
    this.#timer.cancel()
  }

  /** This member as others would see it, fresh, with what it has promised. */
  end(): End {
    const { estimate } = this
    const reserved = this.#reservations.sum(RESOURCES.length, this.#member.ports.clock.nowMs())
    return {
      member: this.#member.id,
      capacity: estimate.capacity.length > 0 ? estimate.capacity : [CAPACITY_CPU],
      load: withReserved(estimate.now, reserved),
      sigma: estimate.sigma,
    }
  }

  /** Mean of the journal's commits in the last second; null: nothing was written. */
  get diskLatencyMs(): number | null {
    return this.#disk.latencyMs
  }

  /** `margin`: of load that swings, in deviations. */
  memberLoad(margin: number): MemberLoad | null {
    const look = this.#look
    if (look === null) return null
    const end = this.end()
    const top = fullest(end, margin)
    const lately = this.#lately
    return {
      reportAgeMs: this.#member.ports.clock.nowMs() - this.#lookedMs,
      utilisation: utilisationOf(end, top, margin),
      resource: resourceOf(top),
      cpu: look.cpuSeconds / look.seconds,
      hostCpu: look.hostCpu,
      eventLoop: look.loopUtilisation,
      eventLoopDelayMs: this.#lateMs,
      memoryBytes: look.rssBytes,
      diskLatencyMs: this.#disk.latencyMs,
      diskQueue: this.#disk.queue,
      networkBytesPerSecond: look.networkBytes / look.seconds,
      networkBitsPerSecond: look.interfaceBytes > 0 ? 8 * look.interfaceBytes : null,
      iops: lately.commands / look.seconds,
      bytesPerSecond: lately.bytes / look.seconds,
      latencyMs: lately.answered > 0 ? lately.latencySumMs / lately.answered : null,
      forwardedShare: lately.pieces > 0 ? lately.forwarded / lately.pieces : 0,
      handledIops: lately.handled / look.seconds,
    }
  }

  #tickLater(): Timer {
    const { clock } = this.#member.ports
    const waitMs = untilBeat(clock, EVERY_MS)
    this.#dueMs = clock.nowMs() + waitMs
    return clock.after(waitMs, () => this.#tick())
  }

  #tick(): void {
    this.#lateMs = Math.max(0, this.#member.ports.clock.nowMs() - this.#dueMs - TIMER_MS)
    this.#others.tick()
    this.#sample()
    this.#tell()
    this.#timer = this.#tickLater()
  }

  #sample(): void {
    const look = this.#probe.look()
    if (!(look.seconds > 0)) return
    this.#look = look
    this.#lookedMs = this.#member.ports.clock.nowMs()
    this.#disk = this.#diskSince(look.seconds)
    const { target, gateway, group, id } = this.#member
    const primaries: (MemberId | undefined)[] = []
    for (const member of group.members.keys()) primaries[gateway.primaryIndex(member)] = member
    const living = new Set<SessionId>()
    const lately = {
      commands: 0,
      bytes: 0,
      pieces: 0,
      forwarded: 0,
      handled: 0,
      latencySumMs: 0,
      answered: 0,
    }
    let own = { pieces: 0, bytes: 0 }
    const samples = [...target.registry.all()].map((session) => {
      living.add(session.id)
      const mark = this.#marks.get(session.id) ?? counterMark()
      this.#marks.set(session.id, mark)
      const sample = readCounters(session.id, session.counters, mark, primaries, look.seconds)
      const [reads = 0, writes = 0, others = 0, readBytes = 0, writtenBytes = 0, pieces = 0] =
        sample.work
      const mine = sample.byPrimary.find(({ member }) => member === id) ?? { pieces: 0, bytes: 0 }
      own = { pieces: own.pieces + mine.pieces, bytes: own.bytes + mine.bytes }
      lately.commands += reads + writes + others
      lately.bytes += readBytes + writtenBytes
      lately.pieces += pieces
      lately.forwarded += pieces - mine.pieces
      lately.latencySumMs += sample.latencySumMs
      lately.answered += sample.latencyCount
      return sample
    })
    const handled = this.#handledSince()
    lately.handled = handled.pieces
    this.#lately = lately
    for (const session of this.#marks.keys()) {
      if (living.has(session)) continue
      this.#marks.delete(session)
      this.estimate.leave(session)
    }
    const pages = { own, handled, copies: this.#copiedSince() }
    this.estimate.observe(systemSample(look, pages, this.#disk), samples)
    const fits = this.#others.fits()
    fits.push([id, asTold(this.estimate.evidence())])
    fits.sort(([a], [b]) => (a < b ? -1 : 1))
    this.estimate.learn(
      fits.map(([, fit]) => fit),
      group.members.size,
    )
  }

  #diskSince(seconds: number): DiskSince {
    const now = { ...this.#member.store.commitWork }
    const { commits, commitMs, waitedMs } = this.#work
    this.#work = now
    const done = now.commits - commits
    return {
      latencyMs: done > 0 ? (now.commitMs - commitMs) / done : null,
      queue: (now.waitedMs - waitedMs) / (1_000 * seconds),
    }
  }

  #handledSince(): { pieces: number; bytes: number } {
    const now = this.#member.handled
    const since = {
      pieces: now.pieces - this.#handled.pieces,
      bytes: now.bytes - this.#handled.bytes,
    }
    this.#handled = { ...now }
    return since
  }

  #copiedSince(): CopyAmounts {
    const { copiedPieces, copiedBytes, keptPieces, keptBytes } = this.#copied
    const now = { ...this.#member.slices.copyWork }
    this.#copied = now
    return {
      copiedPieces: now.copiedPieces - copiedPieces,
      copiedBytes: now.copiedBytes - copiedBytes,
      keptPieces: now.keptPieces - keptPieces,
      keptBytes: now.keptBytes - keptBytes,
    }
  }

  #tell(): void {
    const { id, bootId, ports, group, peers, target } = this.#member
    const { estimate } = this
    if (estimate.capacity.length === 0) return
    this.#sequence += 1
    const report: Report = clampReport({
      format: REPORT_FORMAT,
      member: id,
      incarnation: bootId,
      sequence: this.#sequence,
      atMs: ports.clock.nowMs(),
      state: target.takesSessions ? 'up' : 'draining',
      capacity: estimate.capacity,
      load: estimate.now,
      sigma: estimate.sigma,
      reserved: this.#reservations
        .sum(RESOURCES.length, ports.clock.nowMs())
        .slice(0, estimate.capacity.length),
      sessions: target.registry.size,
      loopUtilisation: this.#look?.loopUtilisation ?? 0,
      fit: estimate.evidence(),
    })
    const bytes = encodeReport(report)
    for (const member of group.members.keys()) {
      if (member !== id) peers.tell(member, 'report', bytes)
    }
  }
}

function systemSample(
  look: SystemLook,
  { own, handled, copies }: PagesSince,
  disk: DiskSince,
): SystemSample {
  return {
    seconds: look.seconds,
    cpuSeconds: look.cpuSeconds,
    capacityCpu: CAPACITY_CPU,
    hostCpu: look.hostCpu,
    loopUtilisation: look.loopUtilisation,
    rssBytes: look.rssBytes,
    receivedBytes: look.receivedBytes,
    sentBytes: look.sentBytes,
    interfaceBytes: look.interfaceBytes,
    diskLatencyMs: disk.latencyMs,
    diskQueue: disk.queue,
    storedPieces: own.pieces + handled.pieces,
    storedBytes: own.bytes + handled.bytes,
    handledPieces: handled.pieces,
    handledBytes: handled.bytes,
    ...copies,
  }
}
