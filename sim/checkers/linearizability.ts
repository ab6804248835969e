// Judges histories of blocks as registers with unique values: the zone test of Gibbons and Korach ("Testing Shared
// Memories", SIAM J. Comp. 26, 1997), O(n log n). Operations that may or may not have taken effect are allowed.
//
// The operations on one value (its write and the reads that saw it) form a cluster. Its zone lies between f, the earliest
// return, and s, the latest invocation, of its operations: if f < s the value must have been there from f to s
// (a forward zone); else there is a moment in [s, f] in which all of it can have happened (a backward zone).
// A history is linearizable if and only if no read returned before its write was invoked, no two forward zones overlap,
// and no backward zone lies inside a forward one. Blocks that were compared or unmapped are judged by search (search.ts).
//
// Verified: every value read was written, the order of operations on each block. Not verified: that a command over
// several blocks is atomic (SBC does not promise it), that a value that nobody read survives.
import type { Fault, History, Operation } from '../../src/initiator/history.ts'
import { needsSearch, search } from './search.ts'

export interface Violation {
  readonly lba: number
  readonly kind:
    | 'damaged'
    | 'never written'
    | 'from the future'
    | 'overlapping'
    | 'enclosed'
    | 'not linearizable'
    | 'undecided'
  readonly detail: string
}

/** Of all blocks that these initiators used; empty: linearizable. At most one violation a block is told. */
export function judge(histories: readonly Pick<History, 'operations' | 'faults'>[]): Violation[] {
  const violations: Violation[] = []
  const blocks = new Map<number, Operation[]>()
  for (const history of histories) {
    for (const fault of history.faults) violations.push(damaged(fault))
    for (const operation of history.operations) {
      const known = blocks.get(operation.lba)
      if (known === undefined) blocks.set(operation.lba, [operation])
      else known.push(operation)
    }
  }
  for (const [lba, operations] of blocks) {
    const violation = judgeBlock(operations)
    if (violation !== null) violations.push({ ...violation, lba })
  }
  return violations
}

function damaged({ lba, atMs, reason }: Fault): Violation {
  return { lba, kind: 'damaged', detail: `${reason}, read at ${atMs} ms` }
}

interface Cluster {
  readonly value: number
  write: Operation | null
  reads: number
  earliestReturnMs: number
  latestInvocationMs: number
}

interface Zone {
  readonly fromMs: number
  readonly toMs: number
  readonly value: number
}

type Found = Omit<Violation, 'lba'>

/** One register that held 0 before anything began. */
export function judgeBlock(operations: readonly Operation[]): Found | null {
  if (!needsSearch(operations)) return judgeZones(operations)
  const verdict = search(operations)
  return verdict === 'linearizable'
    ? null
    : { kind: verdict, detail: `${operations.length} operations` }
}

function judgeZones(operations: readonly Operation[]): Found | null {
  const clusters = new Map<number, Cluster>()
  clusters.set(0, {
    value: 0,
    write: null,
    reads: 1,
    earliestReturnMs: Number.NEGATIVE_INFINITY,
    latestInvocationMs: Number.NEGATIVE_INFINITY,
  })
  for (const operation of operations) if (operation.kind === 'write') addWrite(clusters, operation)
  for (const operation of operations) {
    const found = operation.kind === 'read' ? addRead(clusters, operation) : null
    if (found !== null) return found
  }
  const forward: Zone[] = []
  const backward: Zone[] = []
  for (const cluster of clusters.values()) {
    // A write that may not have happened and that nobody saw did not happen.
    if (cluster.write !== null && !cluster.write.certain && cluster.reads === 0) continue
    const { value, earliestReturnMs, latestInvocationMs } = cluster
    if (earliestReturnMs < latestInvocationMs) {
      forward.push({ fromMs: earliestReturnMs, toMs: latestInvocationMs, value })
    } else {
      backward.push({ fromMs: latestInvocationMs, toMs: earliestReturnMs, value })
    }
  }
  forward.sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs)
  return overlapping(forward) ?? contained(backward, forward)
}

function addWrite(clusters: Map<number, Cluster>, write: Operation): void {
  if (clusters.has(write.value)) throw new Error(`the value ${write.value} was written twice`)
  clusters.set(write.value, {
    value: write.value,
    write,
    reads: 0,
    earliestReturnMs: write.returnedMs,
    latestInvocationMs: write.invokedMs,
  })
}

function addRead(clusters: Map<number, Cluster>, read: Operation): Found | null {
  const cluster = clusters.get(read.value)
  if (cluster === undefined) {
    return {
      kind: 'never written',
      detail: `${show(read.value)} was read at ${read.returnedMs} ms`,
    }
  }
  if (cluster.write !== null && read.returnedMs < cluster.write.invokedMs) {
    const detail = `${show(read.value)} was read by ${read.returnedMs} ms, written from ${cluster.write.invokedMs} ms`
    return { kind: 'from the future', detail }
  }
  cluster.reads += 1
  cluster.earliestReturnMs = Math.min(cluster.earliestReturnMs, read.returnedMs)
  cluster.latestInvocationMs = Math.max(cluster.latestInvocationMs, read.invokedMs)
  return null
}

/** Two values that both must have been there at one time: a stale read, or one that went back and forth. */
function overlapping(forward: readonly Zone[]): Found | null {
  for (const [i, zone] of forward.entries()) {
    const before = forward[i - 1]
    if (before === undefined || zone.fromMs >= before.toMs) continue
    return { kind: 'overlapping', detail: `${describe(before)} and ${describe(zone)}` }
  }
  return null
}

/** A value that must have come and gone while another one was there all the time: a lost write. */
function contained(backward: readonly Zone[], forward: readonly Zone[]): Found | null {
  for (const zone of backward) {
    let low = 0
    let high = forward.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((forward[middle]?.fromMs ?? 0) < zone.fromMs) low = middle + 1
      else high = middle
    }
    const around = forward[low - 1]
    if (around === undefined || around.toMs <= zone.toMs) continue
    return { kind: 'enclosed', detail: `${describe(zone)} inside ${describe(around)}` }
  }
  return null
}

function describe({ value, fromMs, toMs }: Zone): string {
  return `${show(value)} [${fromMs}, ${toMs}]`
}

const twoTo32 = 0x1_0000_0000

/** Values as `history.valueOf` makes them. */
function show(value: number): string {
  return value === 0 ? 'nothing' : `write ${Math.floor(value / twoTo32)}.${value % twoTo32}`
}
