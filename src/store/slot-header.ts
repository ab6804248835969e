// The header of a slot: whose page it holds, which blocks are present, and a checksum for each. A slot has two copies
// and home writing overwrites the older one, so that a torn header never takes with it the checksums of blocks that are
// not in the journal.
//
// Invariants:
//   SH1. The copy that the index names (by its exact version) is never overwritten before another one is synced.
//   SH2. Versions of one slot only grow. So after a crash the newest whole copy, if it is not older than the checkpoint,
//        is one that home writing made from it, and the journal still has everything that the copy may lack.
import { readU32, writeU32 } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { epoch, type SliceId, type VolumeId } from '../base/ids.ts'
import { readU64, writeU64 } from './fields.ts'
import {
  BASE_LAYER,
  BLOCKS_PER_PAGE,
  HEADER,
  HEADER_CHECKSUM,
  HEADER_COPY_BYTES,
  MAP_WORDS,
  SLOT_MAGIC,
} from './layout.ts'
import type { Stamp } from './stamp.ts'

export interface PageIdentity {
  readonly volume: VolumeId
  readonly page: number
  readonly slice: SliceId
}

/** How new a page is: `version` in this folder, the stamp of its last change in the order of its slice. */
export interface PageAge extends Stamp {
  readonly version: number
}

/** The maps and checksums of a header, wherever they are kept. */
export interface HeaderContent {
  readonly present: Uint32Array
  readonly damaged: Uint32Array
  readonly checksums: Uint32Array
}

export function encodeHeader(
  into: Uint8Array,
  identity: PageIdentity,
  age: PageAge,
  content: HeaderContent,
  seed: number,
): void {
  into.fill(0, 0, HEADER_COPY_BYTES)
  writeU32(into, HEADER.magic, SLOT_MAGIC)
  writeU32(into, HEADER.slice, identity.slice)
  writeU64(into, HEADER.volume, identity.volume)
  writeU32(into, HEADER.layer, BASE_LAYER)
  writeU64(into, HEADER.page, identity.page)
  writeU64(into, HEADER.version, age.version)
  writeU64(into, HEADER.epoch, age.epoch)
  writeU64(into, HEADER.seq, age.seq)
  putWords(into, HEADER.present, content.present)
  putWords(into, HEADER.damaged, content.damaged)
  putWords(into, HEADER.checksums, content.checksums)
  writeU32(into, HEADER_CHECKSUM, crc32c(into.subarray(0, HEADER_CHECKSUM), seed))
}

export interface ChosenCopy extends PageAge {
  readonly copy: 0 | 1
}

/** Of the two copies in `bytes`: the one with exactly this version (`exact`), or the newest that is not older. Null if there is none: the header is lost. */
export function chooseCopy(
  bytes: Uint8Array,
  identity: PageIdentity,
  want: { readonly version: number; readonly exact: boolean },
  seed: number,
): ChosenCopy | null {
  let chosen: ChosenCopy | null = null
  for (const copy of [0, 1] as const) {
    const age = ageOfCopy(bytes, copy, identity, seed)
    if (age === null) continue
    const { version } = age
    const fits = want.exact ? version === want.version : version >= want.version
    if (fits && (chosen === null || version > chosen.version)) chosen = { copy, ...age }
  }
  return chosen
}

/** The copy's maps and checksums into arrays of the caller; `first` is the index of the page's in each, in pages. */
export function readContent(
  bytes: Uint8Array,
  copy: 0 | 1,
  into: HeaderContent,
  first: number,
): void {
  const at = copy * HEADER_COPY_BYTES
  takeWords(bytes, at + HEADER.present, into.present, first * MAP_WORDS, MAP_WORDS)
  takeWords(bytes, at + HEADER.damaged, into.damaged, first * MAP_WORDS, MAP_WORDS)
  const sums = first * BLOCKS_PER_PAGE
  takeWords(bytes, at + HEADER.checksums, into.checksums, sums, BLOCKS_PER_PAGE)
}

function ageOfCopy(
  bytes: Uint8Array,
  copy: 0 | 1,
  identity: PageIdentity,
  seed: number,
): PageAge | null {
  const at = copy * HEADER_COPY_BYTES
  const header = bytes.subarray(at, at + HEADER_COPY_BYTES)
  if (readU32(header, HEADER.magic) !== SLOT_MAGIC) return null
  if (crc32c(header.subarray(0, HEADER_CHECKSUM), seed) !== readU32(header, HEADER_CHECKSUM)) {
    return null
  }
  if (readU64(header, HEADER.volume) !== identity.volume) return null
  if (readU32(header, HEADER.layer) !== BASE_LAYER) return null
  if (readU64(header, HEADER.page) !== identity.page) return null
  return {
    version: readU64(header, HEADER.version),
    epoch: epoch(readU64(header, HEADER.epoch)),
    seq: readU64(header, HEADER.seq),
  }
}

function putWords(into: Uint8Array, at: number, words: Uint32Array): void {
  for (let i = 0; i < words.length; i += 1) writeU32(into, at + i * 4, words[i] ?? 0)
}

function takeWords(
  bytes: Uint8Array,
  at: number,
  into: Uint32Array,
  first: number,
  count: number,
): void {
  for (let i = 0; i < count; i += 1) into[first + i] = readU32(bytes, at + i * 4)
}
