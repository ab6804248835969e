// Counts of this member since its start, for the metrics: plain fields, raised where an event is told.
import type { DurationCounts, MoveCount, Readings, VolumeReadings } from '../api/readings.ts'
import type { VolumeId } from '../base/ids.ts'
import type { MoveRecord } from '../group/record.ts'
import type { TargetEvent } from '../target/target-event.ts'
import type { ShownMember } from './shown-member.ts'

const BUCKETS = 24

class Durations implements DurationCounts {
  readonly buckets = new Float64Array(BUCKETS)
  sumMs = 0
  count = 0

  add(ms: number): void {
    const bucket = ms <= 0 ? 0 : Math.max(0, Math.ceil(Math.log2(ms * 64)))
    const index = Math.min(BUCKETS - 1, bucket)
    this.buckets[index] = (this.buckets[index] ?? 0) + 1
    this.sumMs += ms
    this.count += 1
  }
}

type Counted = Pick<
  Readings,
  | 'moves'
  | 'drain'
  | 'pause'
  | 'loginRedirects'
  | 'logins'
  | 'barriers'
  | 'latency'
  | 'forwarded'
  | 'volumes'
>

interface Sums {
  reads: number
  writes: number
  others: number
  readBytes: number
  writtenBytes: number
  noSpace: number
  mediumErrors: number
  otherErrors: number
}

export class Tally {
  #logins = 0
  #redirects = 0
  #barriers = 0
  /** What sessions that have ended had counted, by volume; the living ones are added at each scrape. */
  readonly #ended = new Map<VolumeId, Sums>()
  readonly #endedPieces: number[] = []
  readonly #latency = new Durations()

  tell(event: TargetEvent): void {
    if (event.kind === 'login') this.#logins += 1
    else if (event.kind === 'redirect') this.#redirects += 1
    else if (event.kind === 'barrier') this.#barriers += 1
    else if (event.kind === 'end') this.#keep(event)
  }

  readings(member: ShownMember): Counted {
    const volumes = new Map([...this.#ended].map(([id, sums]) => [id, { ...sums }]))
    const latency = new Durations()
    addDurations(latency, this.#latency)
    const pieces = [...this.#endedPieces]
    for (const { record, counters } of member.target.registry.all()) {
      volumes.set(record.volume, plus(volumes.get(record.volume), counters))
      addLatency(latency, counters)
      counters.piecesByPrimary.forEach((count, i) => {
        pieces[i] = (pieces[i] ?? 0) + count
      })
    }
    const { moves, drain, pause } = countMoves(member)
    const usageOf = member.store.volumeUsages()
    const forwarded = [...member.group.members.keys()]
      .filter((id) => id !== member.id)
      .map((to) => ({ to, pieces: pieces[member.gateway.primaryIndex(to)] ?? 0 }))
    return {
      moves,
      drain,
      pause,
      loginRedirects: this.#redirects,
      logins: this.#logins,
      barriers: this.#barriers,
      latency,
      forwarded,
      volumes: [...member.group.volumes.values()].map(({ id, name, bytes }): VolumeReadings => {
        const { bytes: heldBytes, takenBytes } = usageOf(id)
        const { noSpace, mediumErrors, otherErrors, ...sums } = volumes.get(id) ?? none
        const errors = { noSpace, medium: mediumErrors, other: otherErrors }
        return { name, sizeBytes: bytes, heldBytes, takenBytes, ...sums, errors }
      }),
    }
  }

  #keep(event: TargetEvent & { readonly kind: 'end' }): void {
    const { volume, counters } = event
    this.#ended.set(volume, plus(this.#ended.get(volume), counters))
    addLatency(this.#latency, counters)
    counters.piecesByPrimary.forEach((count, i) => {
      this.#endedPieces[i] = (this.#endedPieces[i] ?? 0) + count
    })
  }
}

const none: Sums = {
  reads: 0,
  writes: 0,
  others: 0,
  readBytes: 0,
  writtenBytes: 0,
  noSpace: 0,
  mediumErrors: 0,
  otherErrors: 0,
}

function plus(sums: Sums = none, more: Sums): Sums {
  return {
    reads: sums.reads + more.reads,
    writes: sums.writes + more.writes,
    others: sums.others + more.others,
    readBytes: sums.readBytes + more.readBytes,
    writtenBytes: sums.writtenBytes + more.writtenBytes,
    noSpace: sums.noSpace + more.noSpace,
    mediumErrors: sums.mediumErrors + more.mediumErrors,
    otherErrors: sums.otherErrors + more.otherErrors,
  }
}

function addDurations(into: Durations, more: DurationCounts): void {
  for (let i = 0; i < BUCKETS; i += 1)
    into.buckets[i] = (into.buckets[i] ?? 0) + (more.buckets[i] ?? 0)
  into.sumMs += more.sumMs
  into.count += more.count
}

function addLatency(
  into: Durations,
  counters: {
    readonly latencyBuckets: ArrayLike<number>
    readonly latencySumMs: number
    readonly latencyCount: number
  },
): void {
  const { latencyBuckets: buckets, latencySumMs: sumMs, latencyCount: count } = counters
  addDurations(into, { buckets, sumMs, count })
}

/** From the records of the moves: those that left this member. */
function countMoves(member: ShownMember): {
  moves: MoveCount[]
  drain: Durations
  pause: Durations
} {
  const counts = new Map<string, { move: MoveRecord; count: number }>()
  const drain = new Durations()
  const pause = new Durations()
  for (const move of member.group.moves.values()) {
    if (move.from !== member.id || move.outcome === undefined) continue
    const key = `${move.to}|${move.by}|${move.outcome}`
    const counted = counts.get(key)
    if (counted === undefined) counts.set(key, { move, count: 1 })
    else counted.count += 1
    if (move.drainMs !== undefined) drain.add(move.drainMs)
    if (move.pauseMs !== undefined) pause.add(move.pauseMs)
  }
  const moves = [...counts.values()].map(({ move, count }) => ({
    from: move.from,
    to: move.to,
    by: move.by,
    outcome: move.outcome ?? 'lost',
    count,
  }))
  return { moves, drain, pause }
}
