// What this member has done for copies since its start, counted where it is done and read by the load monitor: what it has sent as a
// primary, to copies in sync and to those that are made again, and what it has kept as a copy. A piece is a mutation or a page.
export interface CopyWork {
  copiedPieces: number
  copiedBytes: number
  keptPieces: number
  /** An unmap has none, whatever it names (W6 of volume/gateway.ts). */
  keptBytes: number
  /** Writes that are not answered now, of all slices that this member serves with copies, and with as many in sync as are needed. */
  waiting: number
}

export function countCopied(work: CopyWork, data: Uint8Array | null, copies = 1): void {
  work.copiedPieces += copies
  work.copiedBytes += copies * (data?.length ?? 0)
}

export function countKept(work: CopyWork, data: Uint8Array | null): void {
  work.keptPieces += 1
  work.keptBytes += data?.length ?? 0
}

export function noCopyWork(): CopyWork {
  return { copiedPieces: 0, copiedBytes: 0, keptPieces: 0, keptBytes: 0, waiting: 0 }
}
