// What a primary asks its copies besides mutations and pages, and what they answer: bodies as they travel.
//
//   activate    promise this epoch, end what was taken before, and say what you have
//   versions    the pages of the slice, some at a time
//   operations  what you remember of sessions, some at a time
//   aligned     remember these operations, too; with the last of them: what was pushed is all, mutations may come
//   mend        asked by a copy: a page is damaged here, send it (MD3 of mending.ts)
//   beacon      between two members, for all slices (lease.ts)
//   leaves      the sender is about to be gone: go on without its copies (leaving.ts); no body
import {
  type Epoch,
  epoch,
  generation,
  type Revision,
  revision,
  type SliceId,
  sessionId,
  sliceId,
  type VolumeId,
  volumeId,
} from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { Body } from '../peer/controls.ts'
import { isList, type Json } from '../peer/message.ts'
import type { OperationWindow } from '../store/operations.ts'
import type { PageVersion } from '../store/pages.ts'
import type { SliceDigest } from '../store/slice-digest.ts'
import type { Stamp } from '../store/stamp.ts'

export interface CopyQuestion {
  readonly slice: SliceId
  readonly epoch: Epoch
}

export interface ActivateQuestion extends CopyQuestion {
  /** It is not in sync: what it has counts for nothing (R8). */
  readonly isLearner: boolean
}

export interface PageQuestion extends CopyQuestion {
  readonly volume: VolumeId
  readonly page: number
}

/** Of a page that was damaged: it is whole now; not now, ask again; no copy in sync has what is lost. */
export type Mended = 'good' | 'later' | 'none'

export interface PagedQuestion extends CopyQuestion {
  /** How many have been told before. */
  readonly from: number
}

export interface AlignedQuestion extends CopyQuestion {
  readonly operations: readonly OperationWindow[]
  /** Of these operations: all that is known besides is forgotten first. */
  readonly isInstead: boolean
  readonly isLast: boolean
}

export function encodeActivate({ slice, epoch, isLearner }: ActivateQuestion): Json {
  return { slice, epoch, isLearner }
}

export function readActivate(json: Json): ActivateQuestion {
  const body = new Body(json)
  return { ...questionIn(body), isLearner: body.flag('isLearner') }
}

export function encodePage({ slice, epoch, volume, page }: PageQuestion): Json {
  return { slice, epoch, volume, page }
}

export function readPage(json: Json): PageQuestion {
  const body = new Body(json)
  return {
    ...questionIn(body),
    volume: volumeId(body.whole('volume')),
    page: body.whole('page'),
  }
}

/** Anything else than the two: nobody has tried. */
export function readMended(json: Json): Mended {
  return json === 'good' || json === 'none' ? json : 'later'
}

export function encodePaged({ slice, epoch, from }: PagedQuestion): Json {
  return { slice, epoch, from }
}

export function readPaged(json: Json): PagedQuestion {
  const body = new Body(json)
  return { ...questionIn(body), from: body.whole('from') }
}

export function encodeAligned(asked: AlignedQuestion): Json {
  const { slice, epoch, operations, isInstead, isLast } = asked
  return { slice, epoch, operations: operations.map(encodeOperations), isInstead, isLast }
}

export function readAligned(json: Json): AlignedQuestion {
  const body = new Body(json)
  return {
    ...questionIn(body),
    operations: body.list('operations').map(readOperations),
    isInstead: body.flag('isInstead'),
    isLast: body.flag('isLast'),
  }
}

export type Activation =
  | { readonly kind: 'active'; readonly boot: string; readonly has: SliceDigest }
  /** It has promised a higher epoch, or cannot promise this one. */
  | { readonly kind: 'refused'; readonly promised: Epoch }

export function encodeActivation(answer: Activation): Json {
  if (answer.kind === 'refused') return { promised: answer.promised }
  return { boot: answer.boot, ...answer.has }
}

/** Throws a ProtocolError, as all readers here do. */
export function readActivation(json: Json): Activation {
  const body = new Body(json)
  if (body.json('boot') === null)
    return { kind: 'refused', promised: epoch(body.whole('promised')) }
  const has = {
    all: body.text('all'),
    held: body.text('held'),
    operations: body.text('operations'),
  }
  return { kind: 'active', boot: body.text('boot'), has }
}

export interface VersionsPage {
  readonly pages: readonly PageVersion[]
  readonly folded: Stamp | null
  readonly isLast: boolean
}

export function encodeVersions({ pages, folded, isLast }: VersionsPage): Json {
  return {
    pages: pages.map(({ volume, page, stamp, isTombstone }) => [
      volume,
      page,
      stamp.epoch,
      stamp.seq,
      Number(isTombstone),
    ]),
    folded: folded === null ? null : [folded.epoch, folded.seq],
    isLast,
  }
}

export function readVersions(json: Json): VersionsPage {
  const body = new Body(json)
  const folded = body.json('folded')
  return {
    pages: body.list('pages').map(readVersion),
    folded: folded === null ? null : stampOf(wholes(folded, 2)),
    isLast: body.flag('isLast'),
  }
}

export interface OperationsPage {
  readonly operations: readonly OperationWindow[]
  readonly isLast: boolean
}

export function encodeOperationsPage({ operations, isLast }: OperationsPage): Json {
  return { operations: operations.map(encodeOperations), isLast }
}

export function readOperationsPage(json: Json): OperationsPage {
  const body = new Body(json)
  return { operations: body.list('operations').map(readOperations), isLast: body.flag('isLast') }
}

export interface Beacon {
  /** Of its sender. */
  readonly boot: string
  /** Up to where its sender has followed the record. */
  readonly seen: Revision
}

export function encodeBeacon({ boot, seen }: Beacon): Json {
  return { boot, seen }
}

export function readBeacon(json: Json): Beacon {
  const body = new Body(json)
  return { boot: body.text('boot'), seen: revision(body.whole('seen')) }
}

function questionIn(body: Body): CopyQuestion {
  return { slice: sliceId(body.whole('slice')), epoch: epoch(body.whole('epoch')) }
}

function readVersion(json: Json): PageVersion {
  const [volume = 0, page = 0, ...rest] = wholes(json, 5)
  return {
    volume: volumeId(volume),
    page,
    stamp: stampOf(rest),
    isTombstone: rest[2] === 1,
  }
}

function stampOf([of = 0, seq = 0]: readonly number[]): Stamp {
  return { epoch: epoch(of), seq }
}

function encodeOperations({ session, gen, upTo, numbers }: OperationWindow): Json {
  return [session, gen, upTo, ...numbers]
}

function readOperations(json: Json): OperationWindow {
  const [session = 0, gen = 0, upTo = 0, ...numbers] = wholes(json, 3)
  return { session: sessionId(session), gen: generation(gen), upTo, numbers }
}

/** At least so many. */
function wholes(json: Json, count: number): readonly number[] {
  if (!isList(json) || json.length < count) throw malformed()
  return json.map((value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
    throw malformed()
  })
}

function malformed(): ProtocolError {
  return new ProtocolError('no list of whole numbers', 'slice/copy-messages.ts')
}
