// What the sessions of this member have done, by volume, for the metrics. Volumes are told by name up to a number; what is
// done on the others is told as one.
//
// Invariants:
//   VT1. The oldest volumes have names: all members choose the same ones, and a volume that has a name keeps it.
//   VT2. What is counted only grows, also of the rest: a volume that leaves the rest, as older ones were deleted, leaves
//        there what was counted there, and begins at nothing under its own name.
//   VT3. What is kept of deleted volumes is forgotten.
import type { VolumeReadings } from '../api/readings.ts'
import { DURATION_BUCKETS, Durations } from '../base/durations.ts'
import type { VolumeId } from '../base/ids.ts'
import type { VolumeRecord } from '../group/record.ts'
import { type FailureKind, OPS, type SessionCounters } from '../load/counters.ts'

export const VOLUMES_NAMED = 100

export class VolumeSums {
  reads = 0
  writes = 0
  others = 0
  readBytes = 0
  writtenBytes = 0
  readonly failures = new Map<FailureKind, number>()
  /** Those of OPS, in their order. */
  readonly durations = OPS.map(() => new Durations())

  addSession(counters: SessionCounters): void {
    this.#addCounts(counters, 1)
    OPS.forEach((_, op) => {
      const buckets = counters.opBuckets.subarray(
        op * DURATION_BUCKETS,
        (op + 1) * DURATION_BUCKETS,
      )
      const count = buckets.reduce((sum, one) => sum + one, 0)
      this.durations[op]?.addAll({ buckets, count, sumMs: counters.opSumMs[op] ?? 0 })
    })
  }

  /** With `times` -1 it is taken out. */
  add(sums: VolumeSums, times: 1 | -1 = 1): void {
    this.#addCounts(sums, times)
    this.durations.forEach((durations, op) => {
      durations.addAll(sums.durations[op] ?? new Durations(), times)
    })
  }

  #addCounts(counts: VolumeSums | SessionCounters, times: 1 | -1): void {
    this.reads += times * counts.reads
    this.writes += times * counts.writes
    this.others += times * counts.others
    this.readBytes += times * counts.readBytes
    this.writtenBytes += times * counts.writtenBytes
    for (const [kind, count] of counts.failures ?? []) {
      this.failures.set(kind, (this.failures.get(kind) ?? 0) + times * count)
    }
  }
}

/** A volume's bytes at this member; `sizeBytes` is null if another member tells the size. */
export interface VolumeRoom {
  readonly sizeBytes: number | null
  readonly heldBytes: number
  readonly takenBytes: number
}

export class VolumeTally {
  /** What sessions that have ended had counted. */
  readonly #ended = new Map<VolumeId, VolumeSums>()
  readonly #rest = new VolumeSums()
  /** What of a volume is in the rest. */
  readonly #inRest = new Map<VolumeId, VolumeSums>()

  keep(volume: VolumeId, counters: SessionCounters): void {
    sumsIn(this.#ended, volume).addSession(counters)
  }

  readings(
    volumes: ReadonlyMap<VolumeId, VolumeRecord>,
    sessions: Iterable<{ readonly volume: VolumeId; readonly counters: SessionCounters }>,
    roomOf: (volume: VolumeRecord) => VolumeRoom,
  ): readonly VolumeReadings[] {
    for (const kept of [this.#ended, this.#inRest]) {
      for (const id of kept.keys()) if (!volumes.has(id)) kept.delete(id) // VT3
    }
    const sums = new Map<VolumeId, VolumeSums>()
    for (const [id, ended] of this.#ended) sumsIn(sums, id).add(ended)
    for (const { volume, counters } of sessions) {
      if (volumes.has(volume)) sumsIn(sums, volume).addSession(counters)
    }
    // VT1: ids only grow.
    const byAge = [...volumes.values()].sort((a, b) => a.id - b.id)
    const named = byAge.slice(0, VOLUMES_NAMED).map((volume) => {
      const own = sums.get(volume.id) ?? new VolumeSums()
      const elsewhere = this.#inRest.get(volume.id)
      if (elsewhere !== undefined) own.add(elsewhere, -1) // VT2
      return readingsOf(volume.name, own, roomOf(volume))
    })
    const others = byAge.slice(VOLUMES_NAMED)
    if (others.length === 0 && this.#rest.durations.every(({ count }) => count === 0)) return named
    for (const { id } of others) this.#addToRest(id, sums.get(id) ?? new VolumeSums())
    return [...named, readingsOf(null, this.#rest, together(others.map(roomOf)))]
  }

  /** VT2. */
  #addToRest(id: VolumeId, now: VolumeSums): void {
    const before = this.#inRest.get(id)
    this.#rest.add(now)
    if (before !== undefined) this.#rest.add(before, -1)
    this.#inRest.set(id, now)
  }
}

function sumsIn(sums: Map<VolumeId, VolumeSums>, volume: VolumeId): VolumeSums {
  const known = sums.get(volume) ?? new VolumeSums()
  sums.set(volume, known)
  return known
}

function readingsOf(name: string | null, sums: VolumeSums, room: VolumeRoom): VolumeReadings {
  const { reads, writes, others, readBytes, writtenBytes, durations } = sums
  return {
    ...{ name, ...room, reads, writes, others, readBytes, writtenBytes },
    failures: [...sums.failures].map(([kind, count]) => ({ ...kind, count })),
    durations: OPS.map((op, i) => ({ op, durations: durations[i] ?? new Durations() })),
  }
}

function together(rooms: readonly VolumeRoom[]): VolumeRoom {
  const sizes = rooms.flatMap(({ sizeBytes }) => sizeBytes ?? [])
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)
  return {
    sizeBytes: sizes.length === 0 ? null : sum(sizes),
    heldBytes: sum(rooms.map(({ heldBytes }) => heldBytes)),
    takenBytes: sum(rooms.map(({ takenBytes }) => takenBytes)),
  }
}
