// From a folder to a store that may serve: the newest checkpoint, the journal replayed over it, everything written
// home, a new checkpoint, and a start beyond every position that a stale record could claim.
//
// Invariants:
//   RC1. Nothing that is still needed is overwritten before the last step, so a cut at any point of it leads to the same
//        state again.
//   RC2. After it no record that is in the ring can be taken for one of the next log: the head skips a whole ring.
//   RC3. Acknowledged bytes that are missing are never passed over in silence: the folder is refused, or `damage` says
//        so.

import { FolderRefused } from './failure.ts'
import type { Folder } from './folder.ts'
import type { HomeWriter } from './home-writer.ts'
import { Journal } from './journal.ts'
import { type LogEnd, type Replayed, replay, survey } from './journal-scan.ts'
import { recordKind } from './layout.ts'
import type { Overlay } from './overlay.ts'
import { type Pages, pagesIn } from './pages.ts'

export interface RecoveryReport {
  /** Operations of the journal that were replayed. */
  readonly replayed: number
  readonly pages: number
  /** A sentence if acknowledged bytes are lost: the member is no longer a good copy. */
  readonly damage: string | null
}

export interface Recovered {
  readonly journal: Journal
  readonly report: RecoveryReport
}

export async function recover(
  folder: Folder,
  pages: Pages,
  home: HomeWriter,
  acceptDamage: boolean,
): Promise<Recovered> {
  const { homes, operations } = pages
  const { table, segments } = homes
  const loaded = await folder.checkpoints.load()
  const { tail } = loaded.head
  await segments.open()
  operations.decode(loaded.operations)
  for (const page of loaded.pages) {
    await segments.markUsed(page.slot)
    const entry = table.entryFor(page.volume, page.page, page.slice)
    table.settle(entry, page.slot, page.version, page.present)
  }
  const from = { tail, syncedUpTo: loaded.head.syncedUpTo, checkpoint: loaded.head.sequence }
  const found = await survey(folder.journal, folder.ring, folder.seed, from)
  if (found.checkpoint > loaded.head.sequence) {
    throw new FolderRefused(
      `The newest checkpoint of the index (${found.checkpoint}) is damaged, and the older one ` +
        `(${loaded.head.sequence}) no longer fits the journal. Put a backup of the folder back. ` +
        'Nothing was touched.',
    )
  }
  // Beyond the end of any log that starts at this tail, whatever its length, and beyond every stale record.
  const beyond = tail + 2 * folder.ring
  let replayed = 0
  const end = await replay(folder.journal, folder.ring, tail, found, async (records) => {
    if (!hasRoom(pages.overlay, records)) await bringHome(home, beyond)
    apply(pages, records)
    replayed += 1
  })
  const damage = damageOf(end)
  if (end.gaps.length > 0 && !acceptDamage) {
    throw new FolderRefused(
      `${damage} Put a backup of the folder back, or accept the loss: 'evenkeel up ` +
        `--accept-damage ${folder.superblock.memberId}', or acceptDamage in the member's configuration.`,
    )
  }
  await bringHome(home, beyond)
  homes.recovering = false
  const head = Math.max(beyond, home.version) + 1
  const limbo = segments.takeLimbo()
  const newest = { tail: head, syncedUpTo: head }
  const written = await folder.checkpoints.write(newest, table, operations.encode())
  if (written === 'full') throw noRoom()
  segments.free(limbo)
  const checkpoint = folder.checkpoints.sequence
  const journal = new Journal(folder.journal, folder.ring, folder.seed, { head, checkpoint })
  return { journal, report: { replayed, pages: table.homePages, damage } }
}

/** OV2 */
function hasRoom(overlay: Overlay, records: readonly Replayed[]): boolean {
  let blocks = 0
  let barePages = 0
  for (const { header, bad } of records) {
    blocks += header.blocks
    const marks = header.kind === recordKind.unmap || bad.length > 0
    if (marks) barePages += pagesIn(header.offset, header.bytes)
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

function apply(pages: Pages, records: readonly Replayed[]): void {
  for (const { header, payload, bad } of records) {
    if (header.kind === recordKind.dropVolume) {
      pages.drop(header.volume)
      continue
    }
    if (header.kind === recordKind.unmap) pages.unmap(header, header.bytes)
    else {
      const sums = new Uint32Array(header.blocks)
      for (let block = 0; block < header.blocks; block += 1) sums[block] = header.checksum(block)
      pages.write(header, payload, sums, 0, bad)
    }
    if (header.operation > 0) {
      pages.operations.remember(header.sessionId, header.gen, header.slice, header.operation)
    }
  }
}

function damageOf(end: LogEnd): string | null {
  if (end.gaps.length > 0) {
    return `The journal is damaged at position ${end.gaps.join(', ')}: acknowledged writes are lost.`
  }
  if (end.badBlocks === 0) return null
  return `The journal is damaged: ${end.badBlocks} acknowledged blocks are lost and read as damaged.`
}
