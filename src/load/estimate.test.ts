import { expect, test } from 'vitest'
import { memberId, sessionId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { CostFit, expectedCpu, groupCosts, PRIOR_COSTS, workRates } from './cost-model.ts'
import { NO_SUMS } from './cost-scale.ts'
import { MemberEstimate } from './estimate.ts'
import { asTable, shareAt } from './load-table.ts'
import type { SessionSample, SystemSample } from './sample.ts'
import { parseSessionMemory } from './session-load.ts'

const NONE = {
  ...{ storedPieces: 0, storedBytes: 0, handledPieces: 0, handledBytes: 0 },
  ...{ copiedPieces: 0, copiedBytes: 0, keptPieces: 0, keptBytes: 0 },
}

function system(cpuSeconds: number, more: Partial<SystemSample> = {}): SystemSample {
  return {
    seconds: 1,
    cpuSeconds,
    capacityCpu: 1,
    hostCpu: 0,
    loopUtilisation: 0,
    rssBytes: 0,
    ...{ receivedBytes: 0, sentBytes: 0, interfaceBytes: 0 },
    diskLatencyMs: 0,
    diskQueue: 0,
    ...NONE,
    ...more,
  }
}

const [one, two] = [sessionId(1), sessionId(2)] as const

function reads(session: number, count: number, local = 0): SessionSample {
  const own = { member: memberId('a'), pieces: count * local, bytes: count * local * 4096 }
  const far = { member: memberId('b'), pieces: count - own.pieces, bytes: count * 4096 - own.bytes }
  return {
    session: sessionId(session),
    seconds: 1,
    work: [count, 0, 0, count * 4096, 0, count, count * 4096],
    byPrimary: [own, far],
    outstanding: 0,
    deepest: 16,
    latencySumMs: 0,
    latencyCount: 0,
  }
}

function member() {
  const estimate = new MemberEstimate({ self: memberId('a'), network: 'not counted' })
  estimate.learn([], 2)
  return estimate
}

test('C1 costs are the prior at once, and leave it only as far as samples say', () => {
  const fit = new CostFit()
  expect(fit.fitted().factors.every((f) => Math.abs(f - 1) < 1e-9)).toBe(true)
  const random = new Prng(1)
  for (let i = 0; i < 3000; i++) {
    const count = random.integer(1000, 60_000)
    const rates = workRates(1, [count, 0, 0, 0, 0, 0, 0], { pieces: 0, bytes: 0 }, NONE)
    fit.observe(1, count * PRIOR_COSTS.read * 2 + 0.05, rates)
  }
  const [factor = 0] = fit.fitted().factors
  expect(factor).toBeGreaterThan(1.85)
  expect(factor).toBeLessThan(2.1)
  // A kind that never occurred is as it was believed.
  expect(groupCosts([fit.fitted()]).write).toBe(PRIOR_COSTS.write)
})

test('C4 the fits tell what kinds cost beside each other, the scale what all of it costs', () => {
  const fit = new CostFit()
  const random = new Prng(6)
  for (let i = 0; i < 3000; i++) {
    const [reads, writes] = [random.integer(1000, 30_000), random.integer(1000, 30_000)]
    const rates = workRates(1, [reads, writes, 0, 0, 0, 0, 0], { pieces: 0, bytes: 0 }, NONE)
    fit.observe(1, reads * PRIOR_COSTS.read * 2 + writes * PRIOR_COSTS.write, rates)
  }
  for (const scale of [0.5, 1, 3]) {
    const costs = groupCosts([fit.fitted({ ...NO_SUMS, scale })], PRIOR_COSTS, scale)
    const [read, write] = [costs.read / PRIOR_COSTS.read, costs.write / PRIOR_COSTS.write]
    expect(read / write, `scale ${scale}`).toBeGreaterThan(1.4)
    expect((read + write) / 2 / scale, `scale ${scale}`).toBeCloseTo(1, 1)
    // What nobody has seen goes with the scale.
    expect(costs.other).toBeCloseTo(PRIOR_COSTS.other * scale, 12)
  }
})

test('C2 costs stay within bounds, whatever the machine does', () => {
  const random = new Prng(2)
  const fit = new CostFit()
  for (let i = 0; i < 2000; i++) {
    const rates = workRates(1, [50_000, 10, 0, 0, 0, 0, 0], { pieces: 3, bytes: 0 }, NONE)
    fit.observe(1, random.chance(0.5) ? 0 : 8, rates)
  }
  for (const [i, kind] of (['read', 'write'] as const).entries()) {
    const factor = fit.fitted().factors[i] ?? 0
    expect(factor, kind).toBeGreaterThanOrEqual(0.2)
    expect(factor, kind).toBeLessThanOrEqual(5)
  }
})

test('C3 CPU that no work explains is charged to being alive, not to sessions', () => {
  const fit = new CostFit()
  const random = new Prng(3)
  for (let i = 0; i < 600; i++) {
    const count = random.integer(5000, 20_000)
    const rates = workRates(1, [count, 0, 0, 0, 0, 0, 0], { pieces: 0, bytes: 0 }, NONE)
    fit.observe(1, count * PRIOR_COSTS.read + 0.3, rates)
  }
  const costs = groupCosts([fit.fitted()])
  expect(costs.read / PRIOR_COSTS.read).toBeLessThan(1.15)
  expect(costs.alive).toBeGreaterThan(0.2)
})

test('equal work is equal load, on a quiet member and on a noisy one that pool their fits', () => {
  const random = new Prng(4)
  const quiet = new MemberEstimate({ self: memberId('a'), network: 'not counted' })
  const noisy = new MemberEstimate({ self: memberId('b'), network: 'not counted' })
  for (let t = 0; t < 300; t++) {
    const asked = [reads(1, 10_000), reads(2, 10_000)]
    const rates = workRates(1, [20_000, 0, 0, 81_920_000, 0, 0, 0], { pieces: 0, bytes: 0 }, NONE)
    const cpu = expectedCpu(rates, PRIOR_COSTS)
    quiet.observe(system(cpu), asked)
    noisy.observe(system(cpu * (0.7 + 0.9 * random.unit())), asked)
    const fits = [quiet.evidence(), noisy.evidence()]
    quiet.learn(fits, 2)
    noisy.learn(fits, 2)
  }
  quiet.observe(system(0.2), [reads(1, 10_000), reads(2, 10_000)])
  noisy.observe(system(0.2), [reads(1, 10_000), reads(2, 10_000)])
  const weights = [quiet, noisy].flatMap((m) =>
    [1, 2].map((s) => m.load(sessionId(s))?.slow.remote[0] ?? 0),
  )
  for (const weight of weights) expect(weight / (weights[0] ?? 1)).toBeCloseTo(1, 6)
})

test('E1 a move changes both ends at once, by the same estimate, through its JSON', () => {
  const from = member()
  const to = new MemberEstimate({ self: memberId('b'), network: 'not counted' })
  to.learn([], 2)
  for (let t = 0; t < 60; t++) {
    from.observe(system(0.5), [reads(1, 10_000), reads(2, 20_000)])
    to.observe(system(0.1), [])
  }
  const load = from.load(one)
  if (load === null) throw new Error('session 1 has no load')
  const before = [from.now.slow[0] ?? 0, to.now.slow[0] ?? 0]
  const memory = parseSessionMemory(JSON.parse(JSON.stringify(from.leave(one))))
  to.admit(one, memory)
  const here = asTable(load, shareAt(load, 'a')).slow[0] ?? 0
  const there = asTable(load, shareAt(load, 'b')).slow[0] ?? 0
  expect(here).toBeGreaterThan(there)
  expect(from.now.slow[0]).toBeCloseTo((before[0] ?? 0) - here, 9)
  expect(to.now.slow[0]).toBeCloseTo((before[1] ?? 0) + there, 9)
  expect(to.load(one)).toEqual(load)
  expect(to.session(one)?.ageSeconds).toBe(60)
})

test('E2 neither a move nor a login is noise', () => {
  const run = (moves: boolean) => {
    const m = member()
    let here = [reads(1, 10_000), reads(2, 20_000)]
    for (let t = 0; t < 400; t++) {
      if (moves && t === 200) {
        m.leave(two)
        here = [reads(1, 10_000)]
      }
      const cpu = expectedCpu(ratesOf(here), PRIOR_COSTS)
      m.observe(system(cpu), here)
    }
    return m.sigma[0] ?? 0
  }
  expect(run(true)).toBeLessThan(run(false) + 0.002)
})

test('E3 E4 a step of what is not work counts within seconds, and noise of the machine does not', () => {
  const m = member()
  const random = new Prng(5)
  const here = [reads(1, 20_000)]
  const cpu = expectedCpu(ratesOf(here), PRIOR_COSTS)
  let most = 0
  let least = 9
  for (let t = 0; t < 600; t++) {
    m.observe(system(cpu * (1 + 0.1 * (random.unit() - 0.5))), here)
    if (t < 200) continue
    most = Math.max(most, m.now.slow[0] ?? 0)
    least = Math.min(least, m.now.slow[0] ?? 0)
  }
  expect(most - least).toBeLessThan(0.01)
  for (let t = 0; t < 25; t++) m.observe(system(cpu + 0.3), here)
  expect(m.now.slow[0]).toBeGreaterThan(cpu + 0.27)
})

test('E5 what an idle loop spends on waking up, and cold code, make no member fuller than another', () => {
  const [awake, batched] = [member(), member()]
  const here = [reads(1, 2_000)]
  const cpu = expectedCpu(ratesOf(here), PRIOR_COSTS)
  for (let t = 0; t < 60; t++) {
    const starting = t < 10 ? 0.5 : 0
    awake.observe(system(cpu + 0.03 + starting), here)
    batched.observe(system(0.6 * cpu), here)
  }
  const [full = 0, empty = 0] = [awake.now.slow[0], batched.now.slow[0]]
  expect(Math.abs(full - empty)).toBeLessThan(0.001)
  // At a busy member the same CPU beyond its work is load.
  const busy = member()
  const much = [reads(1, 20_000)]
  const work = expectedCpu(ratesOf(much), PRIOR_COSTS)
  for (let t = 0; t < 60; t++) busy.observe(system(work + 0.15), much)
  expect((busy.now.slow[0] ?? 0) - work).toBeGreaterThan(0.12)
})

test('E6 a change of the costs is no change of load: base, residue and noise are stated anew', () => {
  const m = member()
  const here = [reads(1, 10_000), reads(2, 20_000)]
  const primary = { storedPieces: 30_000, handledPieces: 10_000 }
  const rates = workRates(
    1,
    [30_000, 0, 0, 30_000 * 4096, 0, 0, 0],
    { pieces: 30_000, bytes: 30_000 * 4096 },
    { ...NONE, ...primary },
  )
  const cpu = 2 * expectedCpu(rates, PRIOR_COSTS)
  const random = new Prng(7)
  for (let t = 0; t < 300; t++) m.observe(system(cpu * (0.95 + 0.1 * random.unit()), primary), here)
  const before = { total: m.now.slow[0] ?? 0, own: m.load(sessionId(1))?.slow.remote[0] ?? 0 }
  // The group finds that all work costs twice as much.
  const twice = { seconds: 60, cpu: 0.5, priced: 0.25, square: 0.1, product: 0.2, scale: 2, own: 0 }
  m.learn([{ ...m.evidence(), sums: twice }], 2)
  m.observe(system(cpu, primary), here)
  const after = { total: m.now.slow[0] ?? 0, own: m.load(sessionId(1))?.slow.remote[0] ?? 0 }
  expect(after.own / before.own).toBeGreaterThan(1.8)
  expect(after.total / before.total).toBeGreaterThan(0.9)
  expect(after.total / before.total).toBeLessThan(1.1)
  expect(m.sigma[0]).toBeLessThan(0.05)
})

test('attribution is additive: own weights, base and residue are what was measured', () => {
  const m = member()
  const here = [reads(1, 10_000, 0.2), reads(2, 15_000, 0.9)]
  for (let t = 0; t < 120; t++) {
    m.observe(system(0.6, { storedPieces: 8000, handledPieces: 3000 }), here)
  }
  const own = [1, 2].reduce((sum, s) => {
    const load = m.load(sessionId(s))
    return load === null ? sum : sum + (asTable(load, shareAt(load, 'a')).slow[0] ?? 0)
  }, 0)
  expect(own + (m.base[0] ?? 0)).toBeCloseTo(m.now.slow[0] ?? 0, 3)
})

test('C5 what copies cost is in no session: not in its weight, and it stays at both ends when it leaves', () => {
  const [a, b, alone] = [member(), member(), member()]
  const random = new Prng(5)
  const costs = { ...PRIOR_COSTS, keptPiece: 1.5 * PRIOR_COSTS.keptPiece }
  for (let t = 0; t < 300; t++) {
    const count = random.integer(5_000, 15_000)
    const bytes = count * 4096
    const session: SessionSample = {
      ...reads(1, count, 1),
      work: [0, count, 0, 0, bytes, count, bytes],
    }
    const stored = { ...NONE, storedPieces: count, storedBytes: bytes }
    const at = {
      a: { ...stored, copiedPieces: count, copiedBytes: bytes },
      b: { ...NONE, keptPieces: count, keptBytes: bytes },
      alone: stored,
    }
    const cpu = (asked: readonly number[], pages: typeof NONE) =>
      expectedCpu(workRates(1, asked, { pieces: 0, bytes: 0 }, pages), costs)
    a.observe(system(cpu(session.work, at.a), at.a), [session])
    b.observe(system(cpu([], at.b), at.b), [])
    alone.observe(system(cpu(session.work, at.alone), at.alone), [session])
    const fits = [a.evidence(), b.evidence()]
    for (const one of [a, b]) one.learn(fits, 2)
    alone.learn([alone.evidence()], 2)
  }
  const weight = (of: MemberEstimate) => {
    const load = of.load(one)
    return load === null ? 0 : (asTable(load, shareAt(load, 'a')).slow[0] ?? 0)
  }
  expect(weight(a) / weight(alone)).toBeGreaterThan(0.85)
  expect(weight(a) / weight(alone)).toBeLessThan(1.15)
  const kept = 10_000 * (costs.keptPiece + 4096 * (costs.handledByte + costs.storedByte))
  expect((b.now.slow[0] ?? 0) / kept).toBeGreaterThan(0.85)
  expect((b.now.slow[0] ?? 0) / kept).toBeLessThan(1.15)
  const copied = 10_000 * (costs.copiedPiece + 4096 * costs.sentByte)
  const before = a.now.slow[0] ?? 0
  const left = weight(a)
  a.leave(one)
  expect(a.now.slow[0]).toBeCloseTo(before - left, 6)
  expect((a.now.slow[0] ?? 0) - (alone.now.slow[0] ?? 0) + weight(alone)).toBeGreaterThan(
    0.85 * copied,
  )
})

test('locality is weighed by what it saves, and ten requests are none', () => {
  const m = member()
  m.observe(system(0.1), [reads(1, 10, 1), reads(2, 20_000, 1)])
  const few = m.load(one)
  const many = m.load(two)
  if (few === null || many === null) throw new Error('no load')
  expect(shareAt(few, 'a')).toBeLessThan(0.65)
  expect(shareAt(many, 'a')).toBeGreaterThan(0.98)
})

test('a loop that is always busy gets all it can get: less capacity, not less load', () => {
  const m = member()
  for (let t = 0; t < 60; t++) m.observe(system(0.5, { loopUtilisation: 1 }), [reads(1, 10_000)])
  expect(m.capacity[0]).toBeLessThan(0.55)
  for (let t = 0; t < 900; t++) m.observe(system(0.3, { loopUtilisation: 0.4 }), [reads(1, 9000)])
  expect(m.capacity[0]).toBe(1)
})

function ratesOf(samples: readonly SessionSample[]): number[] {
  const asked = new Array<number>(7).fill(0)
  const sent = { pieces: 0, bytes: 0 }
  for (const sample of samples) {
    sample.work.forEach((x, i) => {
      asked[i] = (asked[i] ?? 0) + x
    })
    for (const held of sample.byPrimary) {
      if (held.member === 'a') continue
      sent.pieces += held.pieces
      sent.bytes += held.bytes
    }
  }
  return workRates(1, asked, sent, NONE)
}

test('E8 the network is in the load where it is its own: what passes the interface, of each session and of the rest', () => {
  const networks = ['forwarding too', 'initiators alone'] as const
  const [all, front] = networks.map((network) => {
    const estimate = new MemberEstimate({ self: memberId('a'), network })
    estimate.learn([], 2)
    const bytes = 5000 * 4096
    const seen = { receivedBytes: bytes, sentBytes: 2 * bytes }
    estimate.observe(system(0.4, seen), [reads(1, 5000)])
    expect(estimate.now.slow).toHaveLength(1)
    expect(estimate.sigma).toHaveLength(1)
    estimate.observe(system(0.4, { ...seen, interfaceBytes: 125_000_000 }), [reads(1, 5000)])
    expect(estimate.capacity).toHaveLength(2)
    // Two bytes of three go one way.
    expect(estimate.capacity[1]).toBeCloseTo(1.5, 1)
    expect(estimate.now.slow[1]).toBeCloseTo((3 * bytes) / 125_000_000, 3)
    const load = estimate.load(one)
    return load?.slow.remote[1] ?? 0
  })
  // All of it is forwarded.
  expect(front).toBeCloseTo((5000 * 4096) / 125_000_000, 6)
  expect(all).toBeCloseTo((2 * 5000 * 4096) / 125_000_000, 6)
})
