// From a folder to a store that may serve: the newest checkpoint, the journal replayed over it, everything written
// home, a new checkpoint, and a start beyond every position that a stale record could claim.
//
// Invariants:
//   RC1. Nothing that is still needed is overwritten before the last step, so a cut at any point of it leads to the same
//        state again.
//   RC2. After it no record that is in the ring can be taken for one of the next log: the head skips a whole ring.
//   RC3. Acknowledged bytes that are missing are never passed over in silence: the folder is refused, or `damage` says
//        so.
//   RC5. Nothing is changed before the group's record has been judged by what the store knows of it.
//   RC4. What was durable when the group saw it (the mark of its record) is proven, whatever the journal itself can tell.
import type { SliceId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { FolderRefused } from './failure.ts'
import type { Folder } from './folder.ts'
import type { HomeWriter } from './home-writer.ts'
import { judgeHistory, judgeLayer, olderCopy, refuse } from './identity.ts'
import { Journal } from './journal.ts'
import {
  badBlocks,
  type LogEnd,
  type Replayed,
  replay,
  type Survey,
  survey,
} from './journal-scan.ts'
import { BLOCKS_PER_PAGE, recordKind, SLOT_HEADER_BYTES, TOMBSTONE_SLOT } from './layout.ts'
import { knowledgeOf } from './look.ts'
import { type Pages, pagesIn, pagesInPart } from './pages.ts'
import { decodeEpochs } from './promises.ts'
import { payloadBlocks, type RecordHeader } from './record.ts'
import { decodeSegments, type LostSegment } from './segment-foot.ts'
import type { Segments } from './segments.ts'
import type { StoreSettings } from './settings.ts'

export interface RecoveryReport {
  /** Operations of the journal that were replayed. */
  readonly replayed: number
  readonly pages: number
  /** Sentences if acknowledged bytes are lost: the member is no longer a good copy … */
  readonly damage: string | null
  /** … of these. */
  readonly damaged: ReadonlySet<SliceId>
}

type Judged = Pick<StoreSettings, 'memberId' | 'known' | 'accept' | 'judge'>

export interface Recovered {
  readonly journal: Journal
  readonly report: RecoveryReport
}

export async function recover(
  folder: Folder,
  pages: Pages,
  home: HomeWriter,
  settings: Judged,
): Promise<Recovered> {
  const { homes, operations, promises } = pages
  const { table, segments, lost } = homes
  const { memberId, known, accept } = settings
  const loaded = await folder.checkpoints.load(memberId)
  const { tail } = loaded.head
  await segments.open(decodeSegments(loaded.segments), loaded.segmentsMade)
  operations.decode(loaded.operations)
  promises.add(decodeEpochs(loaded.promises))
  lost.decode(loaded.lost)
  table.slices.decode(loaded.slices)
  const damaged = new Set<SliceId>()
  for (const page of loaded.pages) {
    const entry = table.entryFor(page.volume, page.page, page.slice)
    if (page.slot === TOMBSTONE_SLOT) {
      table.bury(entry, page)
      continue
    }
    segments.markUsed(page.slot)
    const blocks = page.present
    table.settle(entry, page.slot, page, { blocks, added: blocks })
    if (!segments.isLost(page.slot)) continue
    table.headerLost[entry] = 1
    damaged.add(page.slice)
  }
  const from = { tail, syncedUpTo: loaded.head.syncedUpTo, checkpoint: loaded.head.sequence }
  const found = await survey(folder.journal, folder.ring, folder.seed, from)
  if (found.checkpoint > loaded.head.sequence) {
    throw refuse(
      memberId,
      `The newest checkpoint of the index (${found.checkpoint}) is damaged, and the older one ` +
        `(${loaded.head.sequence}) no longer fits the journal.`,
      'loss',
    )
  }
  // ID6: all of them first, since replay writes home what the overlay does not take.
  for (const { layer, volume } of found.records.values()) judgeLayer(layer, volume)
  const groupId = folder.superblock.groupId
  const volumes = table.volumes()
  const { slices } = table
  const checkpointed = { groupId, sessions: operations.sessions(), volumes, slices }
  settings.judge(await knowledgeOf({ ...checkpointed, promises }, folder, found)) // RC5
  const named = await adoptDirect(segments, found)
  // Beyond the end of any log that starts at this tail, whatever its length, and beyond every stale record.
  const beyond = tail + 2 * folder.ring
  let replayed = 0
  let gone = 0
  const proven = { ...found, syncedUpTo: Math.max(found.syncedUpTo, known?.position ?? 0) } // RC4
  const isThere = (header: RecordHeader) => areThere(segments, named, header)
  const end = await replay(folder, { tail, found: proven, isThere }, async (records) => {
    if (!hasRoom(pages, records)) await bringHome(home, beyond)
    apply(pages, records, named)
    replayed += 1
    gone += blocksGone(records, named)
    for (const { header, bad } of records)
      if (bad.length > 0 || isGone(header, named)) damaged.add(header.slice)
  })
  judgeHistory(promises, settings)
  if (end.gaps.length > 0 && accept !== 'damage') refuseGaps(memberId, end, found)
  await bringHome(home, beyond)
  homes.recovering = false
  for (const slot of named) homes.release(slot, BLOCKS_PER_PAGE, true)
  const head = Math.max(beyond, home.version) + 1
  const limbo = segments.takeLimbo()
  const newest = { tail: head, syncedUpTo: head }
  const written = await folder.checkpoints.write(newest, table, pages.checkpointParts())
  if (written === 'full') throw noRoom()
  segments.free(limbo)
  const checkpoint = folder.checkpoints.sequence
  const journal = new Journal(folder.journal, folder.ring, folder.seed, { head, checkpoint })
  const lostBlocks = { ...end, badBlocks: end.badBlocks + gone + home.blocksLost }
  const damage = [...journalDamage(lostBlocks), ...segments.lost().map(tellSegment)].join(' ')
  for (const slice of home.slicesLost) damaged.add(slice)
  const report = { replayed, pages: table.homePages, damage: damage || null, damaged }
  return { journal, report }
}

function refuseGaps(memberId: string, end: LogEnd, found: Survey): never {
  const [first = 0] = end.gaps
  // The journal itself proves nothing beyond it: only the mark does.
  if (first >= found.syncedUpTo) {
    throw olderCopy(
      memberId,
      `its journal ends at position ${first}, and the group saw it at ${end.position}`,
    )
  }
  throw refuse(
    memberId,
    `The data folder of ${memberId} is damaged: ${journalDamage(end)[0]}`,
    'damage',
  )
}

function tellSegment({ path, reason, pages }: LostSegment): string {
  return (
    `Segment '${path}' is ${reason}: its ${pages} pages are MEDIUM ERRORs until they are overwritten; ` +
    'stop the member and put it back if it still exists.'
  )
}

/** DW6: the slots that any record tells of, so that nobody takes them for something else. */
async function adoptDirect(segments: Segments, { records }: Survey): Promise<ReadonlySet<number>> {
  const named = new Set<number>()
  for (const header of records.values()) {
    if (header.kind !== recordKind.direct || named.has(header.slot)) continue
    if (await segments.adopt(header)) named.add(header.slot)
  }
  return named
}

/** DW1: the bytes that a direct record tells of. */
async function areThere(
  segments: Segments,
  named: ReadonlySet<number>,
  header: RecordHeader,
): Promise<boolean> {
  const { slot, offset, blocks } = header
  if (!named.has(slot)) return false
  const bytes = new Uint8Array(blocks * BLOCK_BYTES)
  const at = segments.offsetOf(slot) + SLOT_HEADER_BYTES + (offset % PAGE_BYTES)
  await segments.fileOf(slot).read(bytes, at)
  return badBlocks(bytes, header).length === 0
}

/** OV2 DW4 */
function hasRoom({ homes, overlay }: Pages, records: readonly Replayed[]): boolean {
  let blocks = 0
  let barePages = 0
  for (const { header, bad } of records) {
    blocks += payloadBlocks(header)
    if (header.kind === recordKind.direct) {
      barePages += 1
      const entry = homes.table.find(header.volume, Math.floor(header.offset / PAGE_BYTES))
      const { direct = -1 } = overlay.dirty(entry) ?? {}
      if (direct >= 0 && direct !== header.slot) return false
    } else if (header.kind === recordKind.unmap)
      barePages += pagesInPart(header.offset, header.bytes)
    else if (bad.length > 0) barePages += pagesIn(header.offset, header.bytes)
  }
  return blocks <= overlay.freeCells && barePages <= overlay.freeBarePages
}

/** Until all of it is home the journal is needed as it is. */
async function bringHome(home: HomeWriter, position: number): Promise<void> {
  if ((await home.round(position)) > 0) throw noRoom()
}

function noRoom(): FolderRefused {
  return new FolderRefused(
    'The disk has no room for what is in the journal. Nothing is lost: make room and start again.',
  )
}

function apply(pages: Pages, records: readonly Replayed[], named: ReadonlySet<number>): void {
  for (const { header, payload, bad } of records) {
    if (applyWhole(pages, header, payload)) continue
    if (header.kind === recordKind.install) pages.clear(header)
    else if (header.kind === recordKind.unmap) pages.unmap(header, header.bytes)
    else applyWrite(pages, { header, payload, bad }, named)
    pages.operations.applied(header)
  }
  pages.foldTombstones()
}

/** False: it is of some pages. */
function applyWhole(pages: Pages, header: RecordHeader, payload: Uint8Array): boolean {
  switch (header.kind) {
    case recordKind.dropVolume:
      pages.drop(header.volume)
      while (pages.dropMore());
      return true
    case recordKind.dropSlice:
      pages.dropSlice(header.slice, header.epoch)
      while (pages.dropMore());
      return true
    case recordKind.promise:
      pages.take({ kind: 'promise', encoded: payload, bytes: header.bytes })
      return true
    case recordKind.adopt:
      pages.take({ kind: 'adopt', encoded: payload, bytes: header.bytes })
      return true
    default:
      return false
  }
}

function applyWrite(
  pages: Pages,
  { header, payload, bad }: Replayed,
  named: ReadonlySet<number>,
): void {
  const sums = new Uint32Array(header.blocks)
  for (let block = 0; block < header.blocks; block += 1) sums[block] = header.checksum(block)
  if (header.kind !== recordKind.direct) pages.write(header, payload, sums, 0, bad)
  else if (named.has(header.slot)) pages.writeDirect(header, header, sums, 0)
  else pages.damage(header, header.blocks)
}

/** RC3: blocks that went straight into a segment that is gone. */
function blocksGone(records: readonly Replayed[], named: ReadonlySet<number>): number {
  let blocks = 0
  for (const { header } of records) {
    if (isGone(header, named)) blocks += header.blocks
  }
  return blocks
}

function isGone({ kind, slot }: RecordHeader, named: ReadonlySet<number>): boolean {
  return kind === recordKind.direct && !named.has(slot)
}

function journalDamage(end: LogEnd): string[] {
  if (end.gaps.length > 0) {
    return [
      `The journal is damaged at position ${end.gaps.join(', ')}: acknowledged writes are lost.`,
    ]
  }
  if (end.badBlocks === 0) return []
  return [
    `The journal is damaged: ${end.badBlocks} acknowledged blocks are lost and read as damaged.`,
  ]
}
