// Data folders that are not what the group knows: swapped for an empty one or an older copy while the member is down, or
// without files of segments. The member must refuse the first two, and is then given its own folder again, or what it
// held is given up; of lost segments it must say so, and answer MEDIUM ERROR. With copies a folder stays for some time, and the
// member begins with it once others have gone on without what it lacks; of what nobody else has it refuses it all the same.
//
// Invariants:
//   SF1. A member is given an older copy only if it must refuse it, whatever of its own words is still on the way to the group.
import type { Prng } from '../src/base/prng.ts'
import { parseFolder, parseSlice } from '../src/group/parse.ts'
import { keys } from '../src/group/record.ts'
import { paths } from '../src/store/layout.ts'
import type { SimDisk } from './disk.ts'
import type { SimGroup, SimMember } from './group.ts'
import type { Inode } from './inode.ts'

export type FolderFault = 'empty folder' | 'older folder' | 'lost segments'

/** Long enough to start, and to be refused. */
const REFUSED_WITHIN_MS = 1_500
/** By then what was under way when the copy was made has been written, or the member is gone. */
const COPIED_MS = 50
/** Seeds in which something may be lost for good: MEDIUM ERRORs hide other faults of the same blocks. */
const LOSES = 0.3
const ACCEPTS = 0.5
/** With copies: others go on without it meanwhile, and it begins with the folder that it has. */
const STAYS = 0.5
const STAYS_MS = 12_000
/** Of copies. */
const OF_FILES = 0.3

/** What a member's disk was at a time. */
interface Copy {
  readonly disk: SimDisk
  /** Made file by file: it must never be used, however new it is, since the member was not stopped for it. */
  readonly isOfFiles: boolean
  /** No later than this is in its journal. */
  readonly position: number
  /** The member served with them. */
  readonly epochs: ReadonlyMap<string, number>
}

export class FolderFaults {
  readonly #group: SimGroup
  readonly #prng: Prng
  readonly #later: (delayMs: number, f: () => void) => void
  readonly #copies = new Map<SimMember, Copy>()
  #mayLose: boolean

  constructor(group: SimGroup, prng: Prng, later: (delayMs: number, f: () => void) => void) {
    this.#group = group
    this.#prng = prng
    this.#later = later
    // Nothing is given up where others have copies: the member would count as one that has all.
    this.#mayLose = prng.chance(LOSES) && !group.shape.relocates
  }

  strike(fault: FolderFault): void {
    const prng = this.#prng
    const { members } = this.#group
    if (fault === 'empty folder') this.#swap(prng.pick(members), null)
    else if (fault === 'older folder') this.#older()
    else if (this.#mayLose) this.#loseSegments(prng.pick(members))
  }

  /** Of every member that serves now: a later fault may bring it back. */
  copyAll(): void {
    for (const member of this.#group.members) this.#copy(member)
  }

  #copy(simulated: SimMember): void {
    const { member, disk, hasOwn, clock } = simulated
    if (member === null || !hasOwn || clock.paused || !member.slices.isServing) return
    const isOfFiles = this.#prng.chance(OF_FILES)
    const copy = isOfFiles ? disk.copy() : disk.clone()
    // What was durable, and no more.
    copy.crash(() => 0)
    const epochs = this.#epochsOf(simulated)
    this.#later(COPIED_MS, () => {
      if (simulated.member !== member || clock.paused) return
      this.#copies.set(simulated, {
        disk: copy,
        isOfFiles,
        position: member.store.position,
        epochs,
      })
    })
  }

  #epochsOf({ id }: SimMember): ReadonlyMap<string, number> {
    const epochs = new Map<string, number>()
    for (const { key, value } of this.#group.coordination.inspect(keys.slices)) {
      const slice = parseSlice(value)
      if (typeof slice !== 'string' && slice.primary === id) epochs.set(key, slice.epoch)
    }
    return epochs
  }

  /**
   * SF1. The group has seen it further, or in a later epoch, or knows that it is a copy: of a folder that is open. One that was
   * closed since, without a write, is the same as its copy, also while its member starts and has not opened it (seed 40000118),
   * and while the word that it is closed may yet come (seed 60000375).
   */
  #isOlder(member: SimMember, { isOfFiles, position, epochs }: Copy): boolean {
    const item = this.#group.coordination.inspect(keys.folder(member.id))[0]
    const known = item === undefined ? '' : parseFolder(item.value)
    if (typeof known === 'string') return isOfFiles
    const staysOpen = known.openAs !== null && member.holdsFolder
    if (known.position > position || (isOfFiles && staysOpen)) return true
    return [...this.#epochsOf(member)].some(([key, epoch]) => epoch > (epochs.get(key) ?? 0))
  }

  #older(): void {
    const usable = [...this.#copies].filter(([member, copy]) => this.#isOlder(member, copy))
    this.copyAll()
    if (usable.length === 0) return
    const [member, { disk }] = this.#prng.pick(usable)
    this.#copies.delete(member)
    this.#swap(member, disk.clone())
  }

  /** It dies, and finds another folder when it starts. */
  #swap(member: SimMember, disk: SimDisk | null): void {
    if (!member.isUp || !member.hasOwn) return
    const isOlder = disk !== null
    this.#group.trace.add(member.id, `gets ${isOlder ? 'an older' : 'an empty'} folder`)
    member.crash('process')
    member.mountAnother(disk)
    this.#later(this.#prng.integer(20, 1_000), () => {
      if (!member.isUp) member.start()
      const stays = this.#group.shape.relocates && this.#prng.chance(STAYS)
      const givenMs = this.#prng.integer(200, REFUSED_WITHIN_MS) + (stays ? STAYS_MS : 0)
      this.#later(givenMs, () => this.#putRight(member))
    })
  }

  #putRight(member: SimMember): void {
    if (!member.hasAnother) return
    if (member.isUp) member.crash('process')
    if (this.#mayLose && this.#prng.chance(ACCEPTS)) {
      this.#mayLose = false
      member.acceptLoss()
    } else member.mountRight()
    member.start()
  }

  /** Its segments are taken away while it is stopped, and put back when it is stopped again. */
  #loseSegments(simulated: SimMember): void {
    const { member, clock, hasOwn } = simulated
    if (member === null || clock.paused || !hasOwn || !member.slices.isServing) return
    this.#mayLose = false
    simulated.stop(this.#prng.integer(50, 500), (how) => {
      const { disk } = simulated
      // What the journal has as well is made anew, and nothing is lost (seed 918).
      if (how === 'killed' || member.store.usage().overlayPages > 0) return
      const files = disk.filePaths().filter((path) => path.startsWith(`${paths.segments}/`))
      const away = new Map(files.map((path) => [path, disk.takeAway(path)]))
      const pages = member.store.usage().pages
      this.#group.trace.add(simulated.id, `loses ${files.join(', ')} with ${pages} pages`)
      this.#group.lossy.add(simulated.id)
      simulated.lacksSegments = pages > 0
      if (pages > 0) this.#group.totals.segmentsLost += 1
      this.#later(this.#prng.integer(1_000, 4_000), () => this.#bringBack(simulated, disk, away))
    })
  }

  #bringBack(simulated: SimMember, disk: SimDisk, away: ReadonlyMap<string, Inode>): void {
    if (simulated.disk !== disk) return
    simulated.stop(100, () => {
      for (const [path, inode] of away) disk.putBack(path, inode)
    })
  }
}
