// The commands that change or compare blocks, as operations on the volume: the plan and its data go in, the outcome comes
// out. Nothing here knows the session.
//
// Invariants:
//   J1. What a command holds beside its own data is at most `PIECE_BYTES`.
//   J2. A comparison ends at the first byte that differs, and says where in the Data-Out that was.
import type {
  CompareAndWritePlan,
  UnmapPlan,
  VerifyPlan,
  WriteAndVerifyPlan,
  WritePlan,
  WriteSamePlan,
} from '../scsi/plan.ts'
import type { CompareOutcome, Outcome } from '../slice/outcome.ts'
import type { VolumeAccess } from '../volume/access.ts'

const PIECE_BYTES = 1024 * 1024

export type WorkPlan =
  | WritePlan
  | WriteAndVerifyPlan
  | VerifyPlan
  | WriteSamePlan
  | CompareAndWritePlan
  | UnmapPlan

/** `data` is what came, at most what the CDB asks for, and stays as it is until the outcome. */
export function perform(
  access: VolumeAccess,
  plan: WorkPlan,
  data: Uint8Array,
): CompareOutcome | Promise<CompareOutcome> {
  switch (plan.kind) {
    case 'write':
      return access.write(plan.offset, data)
    case 'writeAndVerify':
      return writeAndVerify(access, plan, data)
    case 'verify':
      return verify(access, plan, data)
    case 'writeSame':
      return writeSame(access, plan, data)
    case 'compareAndWrite':
      return access.compareAndWrite(
        plan.offset,
        data.subarray(0, plan.bytes),
        data.subarray(plan.bytes),
      )
    case 'unmap':
      return unmapAll(access, plan)
  }
}

async function writeAndVerify(
  access: VolumeAccess,
  { offset, compare }: WriteAndVerifyPlan,
  data: Uint8Array,
): Promise<CompareOutcome> {
  const written = await access.write(offset, data)
  return written === 'done' ? readBack(access, offset, data.length, compare ? data : null) : written
}

function verify(
  access: VolumeAccess,
  { offset, bytes, compare }: VerifyPlan,
  data: Uint8Array,
): Promise<CompareOutcome> {
  switch (compare) {
    case 'nothing':
      return readBack(access, offset, bytes, null)
    case 'data':
      return readBack(access, offset, data.length, data)
    case 'block':
      return readBack(access, offset, bytes, data)
  }
}

/** Reads the extent and compares it with `expected`, over and over if that is shorter. */
async function readBack(
  access: VolumeAccess,
  offset: number,
  bytes: number,
  expected: Uint8Array | null,
): Promise<CompareOutcome> {
  const buffer = new Uint8Array(Math.min(bytes, PIECE_BYTES))
  for (let at = 0; at < bytes; at += PIECE_BYTES) {
    const piece = buffer.subarray(0, Math.min(PIECE_BYTES, bytes - at))
    const outcome = await access.read(offset + at, piece)
    if (outcome !== 'done') return outcome
    const differs = expected === null ? -1 : firstDifference(piece, expected, at)
    if (differs >= 0) return { kind: 'miscompare', offset: differs }
  }
  return 'done'
}

/** The offset in `expected`, or -1. `at` is how much of the extent came before `piece`. */
function firstDifference(piece: Uint8Array, expected: Uint8Array, at: number): number {
  let inExpected = at % expected.length
  for (let i = 0; i < piece.length; i += 1) {
    if (piece[i] !== expected[inExpected]) return inExpected
    inExpected += 1
    if (inExpected === expected.length) inExpected = 0
  }
  return -1
}

/** Zeros that may be unmapped are; all else is written, piece after piece. */
async function writeSame(
  access: VolumeAccess,
  { offset, bytes, fill, unmap }: WriteSamePlan,
  block: Uint8Array,
): Promise<Outcome> {
  const isZero = fill === 'zeros' || block.every((value) => value === 0)
  if (isZero && unmap) return access.unmap(offset, bytes)
  const pattern = new Uint8Array(Math.min(bytes, PIECE_BYTES))
  if (!isZero) repeat(pattern, block)
  for (let at = 0; at < bytes; at += pattern.length) {
    const outcome = await access.write(offset + at, pattern.subarray(0, bytes - at))
    if (outcome !== 'done') return outcome
  }
  return 'done'
}

function repeat(pattern: Uint8Array, block: Uint8Array): void {
  for (let at = 0; at < pattern.length; at += block.length) pattern.set(block, at)
}

/** All ranges are under way at once (VPD page B0h bounds them); whatever is not done is told, a refusal before all else. */
async function unmapAll(access: VolumeAccess, { ranges }: UnmapPlan): Promise<Outcome> {
  const outcomes = await Promise.all(ranges.map(({ offset, bytes }) => access.unmap(offset, bytes)))
  if (outcomes.includes('refused')) return 'refused'
  return outcomes.find((outcome) => outcome !== 'done') ?? 'done'
}
