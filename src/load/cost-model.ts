// What work costs in CPU seconds: fitted to the CPU of the process, additive over sessions, the same for the whole group.
//
//   CPU of a member a second = Σ over kinds of cost × amount a second, over what its sessions asked as a gateway, what it stored as a
//   primary, what it handled for other gateways, what it sent to copies, what it kept as a copy, and one for being alive.
//
// C1. Right at once: a cost begins at `PRIOR_COSTS` and leaves it only as far as samples that contain the kind say so.
// C2. Non-negative and bounded: a cost of work stays within 1/`MOST_OFF` … `MOST_OFF` of its prior times the scale,
//     whatever the machine does.
// C3. Equal work is equal load at every member: members weigh the fits of all by what each has seen (`groupCosts`), and
//     price with the result. A member's own noise (a shared core, a neighbour) ends in its base, never in one session
//     rather than another.
// C5. What copies cost is nobody's who asks: a primary's part follows its slices and a copy's part the primaries that it
//     copies, so neither is in a session's weight, and neither leaves with a session that moves. The gateway does the same
//     for a write however many copies it has. Bytes on their way to a copy cost what others on a link cost, and are counted with them.
// C4. The fits tell what kinds of work cost beside each other; what all of it costs is the group's scale (cost-scale.ts).
import { NO_SUMS, type ScaleSums } from './cost-scale.ts'
import { type CopyAmounts, WORK, WORK_KINDS } from './sample.ts'

export const COST_KINDS = [
  'read',
  'write',
  'other',
  'readByte',
  'writtenByte',
  'sentPiece',
  'sentByte',
  'handledPiece',
  'handledByte',
  'storedPiece',
  'storedByte',
  'copiedPiece',
  'keptPiece',
  'alive',
] as const
export type CostKind = (typeof COST_KINDS)[number]
export type Costs = Readonly<Record<CostKind, number>>

/**
 * Measured on prototypes, for a mix of shallow and deep queues: CPU seconds each. Where the fit begins. What copies cost is an estimate, by
 * what a forwarded write takes at its two ends: each further copy three tenths of a write more at the primary, and nine tenths where it
 * is kept (`npm run bench -- --only 'two copies'` has what it is).
 */
export const PRIOR_COSTS: Costs = {
  read: 9e-6,
  write: 10e-6,
  other: 6e-6,
  readByte: 0.35e-9,
  writtenByte: 0.45e-9,
  sentPiece: 5e-6,
  sentByte: 0.3e-9,
  handledPiece: 4e-6,
  handledByte: 0.25e-9,
  storedPiece: 4e-6,
  storedByte: 0.35e-9,
  copiedPiece: 4e-6,
  keptPiece: 13e-6,
  alive: 0.01,
}

const KINDS = COST_KINDS.length
const MOST_OFF = 5
/** What a process costs beside its work is anybody's guess: it takes in what is not ours, so that no session is charged for it. */
const ALIVE_MOST_OFF = 100
/** The prior counts like one sample that knows each kind to ± 50 %, but hardly for `alive`. */
const PRIOR_WEIGHT = 4
const ALIVE_PRIOR_WEIGHT = 1e-4
const MEMORY_SECONDS = 900
/** Successive seconds are not independent: a busy neighbour stays for many of them. */
const SAMPLE_WEIGHT = 0.02
/** Most evidence that one member's fit brings into the group's: nobody drowns the others by age. */
const MOST_EVIDENCE = 2000

/** What a member publishes of its fit: factors on the prior, and how much of each kind it has seen. */
export type CostEvidence = {
  readonly factors: readonly number[]
  readonly evidence: readonly number[]
  readonly sums: ScaleSums
}

/** What a member does for pages, whoever asks. */
interface PageAmounts extends CopyAmounts {
  readonly storedPieces: number
  readonly storedBytes: number
  readonly handledPieces: number
  readonly handledBytes: number
}

/** Recursive least squares in information form, on factors of the prior so that all kinds are of one size. */
export class CostFit {
  /** Σ weight · z zᵀ and Σ weight · z · cpu, fading. */
  readonly #information = new Float64Array(KINDS * KINDS)
  readonly #vector = new Float64Array(KINDS)
  readonly #prior: Costs

  constructor(prior: Costs = PRIOR_COSTS) {
    this.#prior = prior
  }

  /** One sample: `rates` by `COST_KINDS`, see `workRates`. */
  observe(seconds: number, cpuSeconds: number, rates: readonly number[]): void {
    if (!(seconds > 0) || !(cpuSeconds >= 0)) return
    const z = COST_KINDS.map((kind, i) => (rates[i] ?? 0) * this.#prior[kind])
    const cpu = cpuSeconds / seconds
    const deviation = 0.03 + 0.2 * cpu
    const weight = (SAMPLE_WEIGHT * seconds) / (deviation * deviation)
    const fade = Math.exp(-seconds / MEMORY_SECONDS)
    for (let i = 0; i < KINDS; i++) {
      const zi = z[i] ?? 0
      this.#vector[i] = (this.#vector[i] ?? 0) * fade + weight * zi * cpu
      for (let j = 0; j < KINDS; j++) {
        const k = i * KINDS + j
        this.#information[k] = (this.#information[k] ?? 0) * fade + weight * zi * (z[j] ?? 0)
      }
    }
  }

  /** It leans on the prior times the group's scale. */
  fitted(sums: ScaleSums = NO_SUMS): CostEvidence {
    const { scale } = sums
    const matrix = this.#information.slice()
    const vector = this.#vector.slice()
    COST_KINDS.forEach((kind, i) => {
      const weight = priorWeight(kind)
      matrix[i * KINDS + i] = (matrix[i * KINDS + i] ?? 0) + weight
      vector[i] = (vector[i] ?? 0) + weight * scaleOf(kind, scale)
    })
    const solved = solve(matrix, vector)
    const factors = COST_KINDS.map((kind, i) => bounded(kind, solved[i] ?? 1, scale))
    const evidence = factors.map((_, i) =>
      Math.min(MOST_EVIDENCE, this.#information[i * KINDS + i] ?? 0),
    )
    return { factors, evidence, sums }
  }
}

/**
 * Amounts a second by `COST_KINDS`. `asked` is Σ over sessions of their `WORK`; `sent` is what of its pieces this member did not
 * hold itself.
 */
export function workRates(
  seconds: number,
  asked: readonly number[],
  sent: { readonly pieces: number; readonly bytes: number },
  pages: PageAmounts,
): number[] {
  const amounts = [
    asked[WORK.read] ?? 0,
    asked[WORK.write] ?? 0,
    asked[WORK.other] ?? 0,
    asked[WORK.readByte] ?? 0,
    asked[WORK.writtenByte] ?? 0,
    sent.pieces,
    sent.bytes + pages.copiedBytes,
    pages.handledPieces,
    pages.handledBytes + pages.keptBytes,
    pages.storedPieces,
    pages.storedBytes + pages.keptBytes,
    pages.copiedPieces,
    pages.keptPieces,
    seconds,
  ]
  return amounts.map((amount) => amount / seconds)
}

/** Adds what a session's own weight is made of, where a share of its pages is held: amounts as those of `workRates`. Being alive is nobody's. */
export function addOwnWork(amounts: number[], work: readonly number[], share: number): void {
  const pieces = work[WORK.piece] ?? 0
  const bytes = work[WORK.pieceByte] ?? 0
  const add = (i: number, amount: number) => {
    amounts[i] = (amounts[i] ?? 0) + amount
  }
  add(0, work[WORK.read] ?? 0)
  add(1, work[WORK.write] ?? 0)
  add(2, work[WORK.other] ?? 0)
  add(3, work[WORK.readByte] ?? 0)
  add(4, work[WORK.writtenByte] ?? 0)
  add(5, pieces * (1 - share))
  add(6, bytes * (1 - share))
  add(7, -pieces * share)
  add(8, -bytes * share)
}

/** CPU seconds a second that this work should cost. */
export function expectedCpu(rates: readonly number[], costs: Costs): number {
  let sum = 0
  for (let i = 0; i < KINDS; i++) sum += (rates[i] ?? 0) * costs[kindOf(i)]
  return sum
}

const kindOf = (i: number): CostKind => COST_KINDS[i] ?? 'alive'

/** As `expectedCpu`, without being alive. */
export function workCpu(rates: readonly number[], costs: Costs): number {
  return expectedCpu(rates, { ...costs, alive: 0 })
}

/** The group's costs from the fits of its members. Give them in the same order everywhere (by member id). */
export function groupCosts(
  fits: readonly CostEvidence[],
  prior: Costs = PRIOR_COSTS,
  scale = 1,
): Costs {
  const off = scale / scaleFitted(fits, scale)
  const costs: Partial<Record<CostKind, number>> = {}
  COST_KINDS.forEach((kind, i) => {
    // The fits lean on the prior already: it only decides where nobody has seen the kind.
    let weight = priorWeight(kind) / 10
    let sum = weight * scaleOf(kind, scale)
    for (const fit of fits) {
      const evidence = fit.evidence[i] ?? 0
      sum += evidence * (fit.factors[i] ?? 1) * (kind === 'alive' ? 1 : off)
      weight += evidence
    }
    costs[kind] = prior[kind] * bounded(kind, sum / weight, scale)
  })
  return { ...prior, ...costs }
}

/** C4. What the fits make of all work that the group has seen, as a multiple of the prior. */
function scaleFitted(fits: readonly CostEvidence[], scale: number): number {
  let fitted = 0
  let priced = 0
  for (const { factors, evidence } of fits) {
    COST_KINDS.forEach((kind, i) => {
      // Evidence goes with the square of what the kind takes of the CPU.
      const share = kind === 'alive' ? 0 : Math.sqrt(evidence[i] ?? 0)
      fitted += share * (factors[i] ?? 1)
      priced += share
    })
  }
  return fitted > 0 ? fitted / priced : scale
}

/** CPU of one session at its gateway: everything forwarded, and what is saved at both ends together when nothing is. */
export function gatewayCpu(
  work: ArrayLike<number>,
  costs: Costs,
): { readonly remote: number; readonly local: number } {
  const pieces = work[WORK.piece] ?? 0
  const bytes = work[WORK.pieceByte] ?? 0
  const front =
    (work[WORK.read] ?? 0) * costs.read +
    (work[WORK.write] ?? 0) * costs.write +
    (work[WORK.other] ?? 0) * costs.other +
    (work[WORK.readByte] ?? 0) * costs.readByte +
    (work[WORK.writtenByte] ?? 0) * costs.writtenByte
  const sent = pieces * costs.sentPiece + bytes * costs.sentByte
  const handled = pieces * costs.handledPiece + bytes * costs.handledByte
  return { remote: front + sent, local: sent + handled }
}

/** Bytes at the gateway's network: to and from the initiator, and to and from the primaries (`forwards`: by that network). */
export function gatewayBytes(
  work: ArrayLike<number>,
  forwards: boolean,
): {
  readonly remote: number
  readonly local: number
} {
  const forwarded = forwards ? (work[WORK.pieceByte] ?? 0) : 0
  const front = (work[WORK.readByte] ?? 0) + (work[WORK.writtenByte] ?? 0)
  return { remote: front + forwarded, local: 2 * forwarded }
}

/** Cost of forwarding, by which shares of primaries are weighed. */
export function forwardCost(pieces: number, bytes: number, costs: Costs): number {
  return (
    pieces * (costs.sentPiece + costs.handledPiece) + bytes * (costs.sentByte + costs.handledByte)
  )
}

/** All work `times` as dear; being alive is no work. */
export function scaled(costs: Costs, times: number): Costs {
  const scaledCosts: Partial<Record<CostKind, number>> = {}
  for (const kind of COST_KINDS)
    scaledCosts[kind] = kind === 'alive' ? costs[kind] : costs[kind] * times
  return { ...costs, ...scaledCosts }
}

export function emptyWork(): number[] {
  return new Array<number>(WORK_KINDS).fill(0)
}

const priorWeight = (kind: CostKind) => (kind === 'alive' ? ALIVE_PRIOR_WEIGHT : PRIOR_WEIGHT)

/** What a factor on the prior is by the scale: being alive is no work. */
const scaleOf = (kind: CostKind, scale: number) => (kind === 'alive' ? 1 : scale)

function bounded(kind: CostKind, factor: number, scale: number): number {
  const most = kind === 'alive' ? ALIVE_MOST_OFF : MOST_OFF
  const middle = scaleOf(kind, scale)
  return Math.min(most * middle, Math.max(middle / most, factor))
}

/** Solves a symmetric positive definite system by Cholesky, in place. */
function solve(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length
  const at = (i: number, j: number) => a[i * n + j] ?? 0
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = at(i, j)
      for (let k = 0; k < j; k++) sum -= at(i, k) * at(j, k)
      a[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / at(j, j)
    }
  }
  substitute(b, at, false)
  substitute(b, (i, j) => at(j, i), true)
  return b
}

/** Solves a triangular system in place: forwards for a lower triangle, backwards for an upper one. */
function substitute(b: Float64Array, at: (i: number, j: number) => number, backwards: boolean) {
  const n = b.length
  for (let step = 0; step < n; step++) {
    const i = backwards ? n - 1 - step : step
    let sum = b[i] ?? 0
    for (let k = backwards ? i + 1 : 0; k < (backwards ? n : i); k++) sum -= at(i, k) * (b[k] ?? 0)
    b[i] = sum / at(i, i)
  }
}
