// What a member can be in a slice.
import type { Epoch, MemberId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'
import type { Copy } from './copy.ts'
import type { Primary } from './primary.ts'

export type Role =
  /** Another member's, as far as this one knows, and nothing was asked of it. */
  | { readonly kind: 'none' }
  | Activating
  | Primary
  /** `over` settles when nothing is under way any more of what was begun as the primary, or taken as a copy. */
  | { readonly kind: 'leaving'; readonly over: Promise<void> }
  /** In sync, or learning: the record says which. */
  | Copy

export interface Activating {
  readonly kind: 'activating'
  /** Under which it was raised last; 0: not yet. */
  epoch: Epoch
  /** It pauses meanwhile (V11); null: it was none before. */
  readonly primary: Primary | null
  /** Who has a copy as of that epoch. */
  others: readonly MemberId[]
  /** Settles when nothing is under way of what this member took as a copy. */
  readonly drained: Promise<void> | null
}

export const none: Role = { kind: 'none' }

/** It is served here, or for another member that has activated it. */
export function isHeld({ kind }: Role): boolean {
  return kind === 'primary' || kind === 'copy'
}

/** It is to be served otherwise, though by nobody else. A record of before its epoch says nothing of it. */
export function hasChanged({ copies, epoch }: Primary, record: SliceRecord): boolean {
  if (record.epoch < epoch) return false
  return copies === null ? isCopied(record) : copies.min !== record.min || !isCopied(record)
}

/** It has copies, is to have some, or one elsewhere, or needs some. */
export function isCopied({ want, inSync, min }: SliceRecord): boolean {
  return want.length > 1 || inSync.length > 1 || min > 1 || want[0] !== inSync[0]
}
