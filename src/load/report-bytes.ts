// A report as it goes over the wire: each second from each member to each other one, so it is short and cheap to read. Who sent it
// is known by the stream that brings it.
//
// RB1. Of one resource it takes 136 bytes, of two 150: 160 at most.
// RB2. What is read is what was written, to 24 bits; of the network, and of what a fit makes of the costs, to half a thousandth.
// RB3. Bytes that are no report are refused, with the reason.
//
// Little-endian.
//
// ```
//   0  1  format            4
//   1  1  bits 0, 1: up, joining, draining; bit 2: its network is its own
//   2  4  incarnation       a hash of the boot id
//   6  4  sequence
//  10  8  atMs              float
//  18  4  sessions
//  22  2  loopUtilisation   of 65535
//  24 28  of its CPU: capacity, slow, long, fast, variance, sigma, reserved; floats
//     14  of its network, if that is its own, the same; two bytes each (see `packed`)
//     28  factors of the fit, two bytes each
//     28  evidence of the fit, two bytes each
//     28  sums of the fit: seconds, cpu, priced, square, product, scale, own; floats
// ```
import type { MemberId } from '../base/ids.ts'
import { seedOf } from '../base/prng.ts'
import { COST_KINDS, type CostEvidence } from './cost-model.ts'
import {
  clampFit,
  type MemberState,
  MOST_UTILISED,
  REPORT_FORMAT,
  type Report,
  refusedReport,
} from './report.ts'

const STATES: readonly MemberState[] = ['up', 'joining', 'draining']
const HAS_NETWORK = 4
const HEAD_BYTES = 24
const CPU_BYTES = 28
const NETWORK_BYTES = 14
const KINDS = COST_KINDS.length
const FIT_BYTES = 4 * KINDS + 28

export function encodeReport(report: Report): Uint8Array<ArrayBuffer> {
  const hasNetwork = report.capacity.length === 2
  const bytes = new Uint8Array(bytesOf(hasNetwork))
  const view = new DataView(bytes.buffer)
  view.setUint8(0, report.format)
  view.setUint8(1, STATES.indexOf(report.state) | (hasNetwork ? HAS_NETWORK : 0))
  view.setUint32(2, seedOf(report.incarnation), true)
  view.setUint32(6, report.sequence, true)
  view.setFloat64(10, report.atMs, true)
  view.setUint32(18, report.sessions, true)
  view.setUint16(22, Math.round(65_535 * Math.min(1, report.loopUtilisation)), true)
  let at = HEAD_BYTES
  const float = (x: number) => {
    view.setFloat32(at, x, true)
    at += 4
  }
  const short = (x: number) => {
    view.setUint16(at, packed(x), true)
    at += 2
  }
  const { capacity, load, sigma, reserved } = report
  const lists = [capacity, load.slow, load.long, load.fast, load.variance, sigma, reserved]
  for (const list of lists) float(list[0] ?? 0)
  if (hasNetwork) for (const list of lists) short(list[1] ?? 0)
  const { factors, evidence, sums } = report.fit
  for (const list of [factors, evidence]) for (let i = 0; i < KINDS; i++) short(list[i] ?? 0)
  const { seconds, cpu, priced, square, product, scale, own } = sums
  for (const x of [seconds, cpu, priced, square, product, scale, own]) float(x)
  return bytes
}

const bytesOf = (hasNetwork: boolean) =>
  HEAD_BYTES + CPU_BYTES + (hasNetwork ? NETWORK_BYTES : 0) + FIT_BYTES

export function decodeReport(
  bytes: Uint8Array,
  from: MemberId,
): Report | { readonly refused: string } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < HEAD_BYTES) return { refused: `${bytes.length} bytes` }
  const format = view.getUint8(0)
  if (format !== REPORT_FORMAT) return { refused: `format ${format}` }
  const flags = view.getUint8(1)
  const state = STATES[flags & 3]
  if (state === undefined || flags >= 2 * HAS_NETWORK) return { refused: 'state' }
  const hasNetwork = (flags & HAS_NETWORK) !== 0
  if (bytes.length !== bytesOf(hasNetwork)) return { refused: `${bytes.length} bytes` }
  let at = HEAD_BYTES
  const float = () => {
    at += 4
    return view.getFloat32(at - 4, true)
  }
  const short = () => {
    at += 2
    return unpacked(view.getUint16(at - 2, true))
  }
  const capacity: number[] = []
  const slow: number[] = []
  const long: number[] = []
  const fast: number[] = []
  const variance: number[] = []
  const sigma: number[] = []
  const reserved: number[] = []
  const lists = [capacity, slow, long, fast, variance, sigma, reserved]
  for (const list of lists) list.push(float())
  if (hasNetwork) for (const list of lists) list.push(short())
  const factors: number[] = []
  const evidence: number[] = []
  for (const list of [factors, evidence]) for (let i = 0; i < KINDS; i++) list.push(short())
  const sums = {
    ...{ seconds: float(), cpu: float(), priced: float() },
    ...{ square: float(), product: float(), scale: float(), own: float() },
  }
  const report: Report = {
    format,
    member: from,
    incarnation: String(view.getUint32(2, true)),
    sequence: view.getUint32(6, true),
    atMs: view.getFloat64(10, true),
    state,
    capacity,
    load: { slow, long, fast, variance },
    sigma,
    reserved,
    sessions: view.getUint32(18, true),
    loopUtilisation: view.getUint16(22, true) / 65_535,
    fit: { factors, evidence, sums },
  }
  const refused = refusedReport(report)
  if (refused !== null) return { refused }
  for (const list of [slow, long, fast, reserved]) bound(list, capacity)
  return report
}

/** A wild one makes a member look no hotter than any can be. */
function bound(list: number[], capacity: readonly number[]): void {
  for (let r = 0; r < list.length; r++) {
    list[r] = Math.min(list[r] ?? 0, MOST_UTILISED * (capacity[r] ?? 1))
  }
}

/** A fit as others hear it: who prices by the fits of all takes its own in the same way (C3, S1). */
export function asTold(fit: CostEvidence): CostEvidence {
  const { factors, evidence, sums } = clampFit(fit)
  const told = (list: readonly number[]) => list.map((x) => unpacked(packed(x)))
  const { seconds, cpu, priced, square, product, scale, own } = sums
  return {
    factors: told(factors),
    evidence: told(evidence),
    sums: {
      ...{ seconds: Math.fround(seconds), cpu: Math.fround(cpu), priced: Math.fround(priced) },
      ...{ square: Math.fround(square), product: Math.fround(product) },
      ...{ scale: Math.fround(scale), own: Math.fround(own) },
    },
  }
}

// Amounts whose size matters more than their digits: their logarithm, from 1e-6 to 1e10; 0 is 0.
const LEAST = 1e-6
const STEPS = 65_534 / Math.log(1e16)

function packed(x: number): number {
  if (!(x >= LEAST / 2)) return 0
  return 1 + Math.min(65_534, Math.max(0, Math.round(STEPS * Math.log(x / LEAST))))
}

function unpacked(code: number): number {
  return code === 0 ? 0 : LEAST * Math.exp((code - 1) / STEPS)
}
