// Counts of this member since its start, for the metrics: plain fields, raised where an event is told.
import type { Readings } from '../api/readings.ts'
import type { VolumeRecord } from '../group/record.ts'
import type { TargetEvent } from '../target/target-event.ts'
import { MoveTally } from './move-tally.ts'
import type { ShownMember } from './shown-member.ts'
import { type VolumeRoom, VolumeTally } from './volume-tally.ts'

type Counted = Pick<
  Readings,
  'moves' | 'drain' | 'pause' | 'loginRedirects' | 'logins' | 'barriers' | 'forwarded' | 'volumes'
>

export class Tally {
  #logins = 0
  #redirects = 0
  #barriers = 0
  readonly #volumes = new VolumeTally()
  readonly #endedPieces: number[] = []
  readonly #startedMs: number
  /** Made when the member is known. */
  #moves: MoveTally | null = null

  /** In ms since 1970. */
  constructor(startedMs: number) {
    this.#startedMs = startedMs
  }

  tell(event: TargetEvent): void {
    if (event.kind === 'login') this.#logins += 1
    else if (event.kind === 'redirect') this.#redirects += 1
    else if (event.kind === 'barrier') this.#barriers += 1
    else if (event.kind === 'end') this.#keep(event)
  }

  /** The last thousand moves of the group are on record, so that a scrape misses none. */
  #look({ id, group, ports }: ShownMember): MoveTally {
    this.#moves ??= new MoveTally(id, this.#startedMs)
    this.#moves.look(group.moves.values(), ports.clock.wallMs())
    return this.#moves
  }

  readings(member: ShownMember): Counted {
    const { group, target, gateway } = member
    const { moves, drain, pause } = this.#look(member)
    const sessions = [...target.registry.all()]
    const pieces = [...this.#endedPieces]
    for (const { counters } of sessions) addPieces(pieces, counters.piecesByPrimary)
    const others = [...group.members.keys()].filter((id) => id !== member.id)
    return {
      ...{ moves, drain, pause },
      loginRedirects: this.#redirects,
      logins: this.#logins,
      barriers: this.#barriers,
      forwarded: others.map((to) => ({ to, pieces: pieces[gateway.primaryIndex(to)] ?? 0 })),
      volumes: this.#volumes.readings(
        group.volumes,
        sessions.map(({ record: { volume }, counters }) => ({ volume, counters })),
        roomAt(member),
      ),
    }
  }

  #keep({ volume, counters }: TargetEvent & { readonly kind: 'end' }): void {
    this.#volumes.keep(volume, counters)
    addPieces(this.#endedPieces, counters.piecesByPrimary)
  }
}

/** The size of a volume is told by one member, so that a sum of sizes is right: the primary of its first lane. */
function roomAt({ id: self, group, store }: ShownMember) {
  const usageOf = store.volumeUsages()
  return ({ id, bytes, lanes: [first] }: VolumeRecord): VolumeRoom => {
    const { bytes: heldBytes, takenBytes } = usageOf(id)
    const isTold = first !== undefined && group.slices[first]?.primary === self
    return { sizeBytes: isTold ? bytes : null, heldBytes, takenBytes }
  }
}

function addPieces(into: number[], more: Float64Array): void {
  more.forEach((count, i) => {
    into[i] = (into[i] ?? 0) + count
  })
}
