// Where a change stands in the order of its slice. Members compare it; the version of a page is of its own folder alone.
import { type Epoch, epoch } from '../base/ids.ts'

export interface Stamp {
  readonly epoch: Epoch
  /** Counts the changes of the slice in that epoch. */
  readonly seq: number
}

export function isAfter(a: Stamp, b: Stamp): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq)
}

export function isSame(a: Stamp, b: Stamp): boolean {
  return a.epoch === b.epoch && a.seq === b.seq
}

/** The newest change of several, whatever order they come in: changes of different blocks may become durable in another one than theirs. */
export class Newest implements Stamp {
  epoch: Epoch = epoch(0)
  seq = 0

  raise(stamp: Stamp): void {
    if (!isAfter(stamp, this)) return
    this.epoch = stamp.epoch
    this.seq = stamp.seq
  }

  clear(): void {
    this.epoch = epoch(0)
    this.seq = 0
  }
}
