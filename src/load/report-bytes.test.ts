import { expect, test } from 'vitest'
import { memberId } from '../base/ids.ts'
import { COST_KINDS } from './cost-model.ts'
import { REPORT_FORMAT, type Report } from './report.ts'
import { asTold, decodeReport, encodeReport } from './report-bytes.ts'

const REPORT: Report = {
  format: REPORT_FORMAT,
  member: memberId('m1'),
  incarnation: 'boot',
  sequence: 123_456,
  atMs: 1e9 + 0.5,
  state: 'draining',
  capacity: [1, 8],
  load: { slow: [0.123456, 3], long: [0.4, 2], fast: [0.6, 1], variance: [0.0123, 0.5] },
  sigma: [0.02, 0.03],
  reserved: [0, 0.25],
  sessions: 1_000,
  loopUtilisation: 0.5,
  fit: {
    factors: COST_KINDS.map((_, i) => 0.2 + i / 3),
    evidence: COST_KINDS.map((_, i) => (i === 0 ? 0 : 10 ** (i - 4))),
    sums: { seconds: 60, cpu: 0.5, priced: 0.4, square: 0.2, product: 0.25, scale: 1.2, own: 1.5 },
  },
}
const ONE: Report = {
  ...REPORT,
  ...{ capacity: [1], sigma: [0.02], reserved: [0] },
  load: { slow: [0.5], long: [0.4], fast: [0.6], variance: [0.01] },
}

function read(report: Report): Report {
  const decoded = decodeReport(encodeReport(report), report.member)
  if ('refused' in decoded) throw new Error(decoded.refused)
  return decoded
}

test('RB1 a report takes 136 bytes, and 150 with a network', () => {
  expect(encodeReport(ONE)).toHaveLength(136)
  expect(encodeReport(REPORT)).toHaveLength(150)
})

test('RB2 what is read is what was written; a start anew is told from it', () => {
  for (const report of [ONE, REPORT]) {
    const { fit, sigma, incarnation, loopUtilisation, ...rest } = read(report)
    const { fit: told, sigma: noise, incarnation: boot, loopUtilisation: loop, ...written } = report
    expect(rest).toEqual(nearly(written))
    expect(loopUtilisation).toBeCloseTo(loop, 4)
    expect(fit.sums).toEqual(nearly(told.sums))
    for (const [read, exact] of [
      ...[[sigma, noise] as const, [fit.factors, told.factors] as const],
      [fit.evidence, told.evidence] as const,
    ])
      read.forEach((x, i) => {
        expect(Math.abs(x - (exact[i] ?? 0))).toBeLessThanOrEqual(5e-4 * (exact[i] ?? 0))
      })
    expect(read({ ...report, incarnation: boot }).incarnation).toBe(incarnation)
    expect(read({ ...report, incarnation: 'another' }).incarnation).not.toBe(incarnation)
  }
})

/** Numbers to 24 bits; of the second resource to half a thousandth. */
function nearly(value: unknown): unknown {
  if (typeof value === 'number') return expect.closeTo(value, 6)
  if (Array.isArray(value)) {
    return value.map((x, r) =>
      r === 1 ? expect.toSatisfy((y: number) => Math.abs(y - x) <= 5e-4 * x) : nearly(x),
    )
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, x]) => [key, nearly(x)]))
}

test('RB2 a member takes its own fit as the others hear it', () => {
  expect(asTold(REPORT.fit)).toEqual(read(REPORT).fit)
})

test('RB3 what is wild is clamped, and what is no report is refused with the reason', () => {
  expect(read({ ...ONE, load: { ...ONE.load, fast: [1e30] } }).load.fast).toEqual([2])
  const refused = (change: (bytes: DataView) => void, bytes = encodeReport(ONE)) => {
    change(new DataView(bytes.buffer))
    const decoded = decodeReport(bytes, ONE.member)
    return 'refused' in decoded ? decoded.refused : null
  }
  expect(refused(() => {})).toBeNull()
  expect(refused((view) => view.setUint8(0, 1))).toBe('format 1')
  expect(refused((view) => view.setUint8(1, 3))).toBe('state')
  expect(refused((view) => view.setUint8(1, 4))).toBe('136 bytes')
  expect(refused((view) => view.setFloat32(24, 0, true))).toBe('capacity')
  expect(refused((view) => view.setFloat32(28, Number.NaN, true))).toBe('load')
  expect(refused((view) => view.setFloat32(44, -1, true))).toBe('sigma, reserved or atMs')
  expect(refused((view) => view.setFloat32(128, Number.POSITIVE_INFINITY, true))).toBe('fit')
  expect(refused(() => {}, new Uint8Array(0))).toBe('0 bytes')
  expect(refused(() => {}, encodeReport(ONE).slice(0, 100))).toBe('100 bytes')
})
