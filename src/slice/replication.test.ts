import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assert } from '../base/assert.ts'
import { type Epoch, epoch, memberId, revision } from '../base/ids.ts'
import { type Activated, CLOCK_RATES_MAX, GRACE_MS, Grants, LEASE_MS, Leases } from './lease.ts'
import { promised, Replica } from './replica.ts'
import { ReplicaSet, SILENT_AFTER_MS } from './replica-set.ts'
import { ModelCopy, ModelLease, ModelPrimary } from './replication-model.fixture.ts'

/** Of each of the three parts; together they are more than 5,000. */
const PROGRAMS = { numRuns: 1_700 }
const LONGEST_STEP_MS = 900
const primary = memberId('m9')
const replica = (index: number, boot = 'one'): Activated => ({
  member: memberId(`m${index}`),
  boot,
})

/** Cheaper than `expect`, of which there would be some hundred thousand. */
function same<T>(mine: T, models: T, what: string): void {
  assert(mine === models, `${what}: ${String(mine)}, and in the model ${String(models)}`)
}

/** Draws programs of steps and runs each of them beside the model. */
function run<Step>(step: fc.Arbitrary<Step>, program: (steps: readonly Step[]) => void): void {
  fc.assert(fc.property(fc.array(step, { minLength: 10, maxLength: 50 }), program), PROGRAMS)
}

class PrimaryBeside {
  readonly #copies: number
  readonly #others: readonly Activated[]
  readonly #set: ReplicaSet
  readonly #model: ModelPrimary
  readonly #has: number[]
  #now = 0
  #placed = 0
  silences = 0

  constructor(copies: number, min: number) {
    this.#copies = copies
    this.#others = Array.from({ length: copies - 1 }, (_, index) => replica(index + 1))
    this.#set = new ReplicaSet(epoch(3), this.#others, min)
    this.#model = new ModelPrimary(copies, min)
    this.#has = Array.from({ length: copies }, () => 0)
  }

  get committed(): number {
    return this.#set.committed
  }

  take({ kind, member, ms }: { kind: string; member: number; ms: number }): void {
    if (this.silences > 0) return // its epoch is over
    this.#now += kind === 'wait' ? ms : 1
    const at = member % this.#copies
    const has = this.#has[at] ?? 0
    if (kind === 'write') {
      same(this.#set.place(this.#now), this.#model.write(this.#now), 'R3')
      this.#placed += 1
    } else if (kind === 'again' && at > 0) same(this.#set.has(at - 1, has, this.#now), false, 'RS1')
    else if (kind === 'has' && has < this.#placed) this.#stores(at, has + 1)
    same(this.#set.committed, this.#model.committed, 'R4')
    this.#compareSilence()
  }

  #stores(at: number, seq: number): void {
    const before = this.#set.committed
    const isMore = at === 0 ? this.#set.ownHas(seq) : this.#set.has(at - 1, seq, this.#now)
    this.#model.acknowledged(at, seq)
    this.#has[at] = seq
    same(isMore, this.#set.committed > before, 'R4')
  }

  /** Of what is awaited, the newest is looked at: so a silent one is found after SILENT_AFTER_MS, and before twice that. */
  #compareSilence(): void {
    const ages = this.#others.map((_, index) => this.#model.oldest(index + 1, this.#now))
    const silent = this.#set.silent(this.#now)
    if (silent === null) {
      const most = 2 * (SILENT_AFTER_MS + LONGEST_STEP_MS)
      assert(Math.max(0, ...ages) <= most, 'RS2: one that is silent is found')
      return
    }
    this.silences += 1
    assert(
      (ages[this.#others.indexOf(silent)] ?? 0) > SILENT_AFTER_MS,
      'RS2: who answers is not silent',
    )
  }
}

class CopyBeside {
  readonly #copy = new Replica(epoch(1))
  readonly #model = new ModelCopy(1)
  #underWay: { of: Epoch; seq: number }[] = []
  taken = 0

  take({ kind, of, seq }: { kind: string; of: Epoch; seq: number }): void {
    if (kind === 'ask') {
      same(this.#copy.ask(of), this.#model.activate(of), 'R2')
      this.#underWay = [] // an activation waits until what was taken is over
    } else if (kind === 'promise') {
      same(this.#copy.activate(promised(of)), this.#model.promiseIsDurable(of), 'R2')
    } else if (kind === 'push') {
      same(this.#copy.aligned(of), this.#model.pushed(of), 'RL2')
      this.#underWay = []
    } else if (kind === 'durable') this.#durable()
    else if (kind === 'any') this.#judge(of, seq)
    else this.#judge(epoch(Math.max(1, this.#model.promised)), Math.max(1, this.#model.expected))
    if (this.#model.expected > 0) same(this.#copy.has, this.#model.stored, 'RL1')
  }

  #durable(): void {
    const first = this.#underWay.shift()
    if (first === undefined) return
    const { of, seq } = first
    same(this.#copy.stored(of, seq), this.#model.writeIsDurable(of, seq), 'RL1')
  }

  #judge(of: Epoch, seq: number): void {
    const { accepting, expected } = this.#model
    const isReady = accepting === of && expected > 0
    const judged = this.#copy.judge(of, seq)
    const word = seq < expected ? 'had' : 'gap'
    same(judged, isReady && seq !== expected ? word : isReady ? 'take' : 'refused', 'RL3')
    same(judged === 'take', this.#model.replicate(of, seq), 'RL3')
    if (judged !== 'take') return
    this.taken += 1
    this.#underWay.push({ of, seq })
  }
}

class LeaseBeside {
  readonly #leases = new Leases()
  readonly #grants = new Grants(0)
  readonly #model = new ModelLease(0)
  #now = 0
  reads = 0
  granted = 0
  withheld = 0
  deaths = 0

  take(step: { kind: string; boot: string; peer: number; rev: number; ms: number }): void {
    const { kind, boot, peer, rev, ms } = step
    if (kind === 'wait') this.#now += ms
    else if (kind === 'beacon') this.#beacon(boot, rev)
    else if (kind === 'dies') {
      this.#model.died(boot)
      this.#grants.died({ member: primary, boot })
      this.deaths += 1
    } else if (kind === 'reply') {
      const sent = Math.max(0, this.#now - ms)
      this.#model.reply(`m${peer}`, boot, sent)
      this.#leases.replied(replica(peer, boot), sent)
    } else if (kind === 'take over') this.#takeOver()
    else if (kind === 'settle' && this.#model.open > 0) {
      this.#model.settled(rev)
      this.#grants.settled(primary, revision(rev))
    }
    const others = [1, 2].slice(0, peer).map((index) => replica(index, boot))
    const may = this.#model.mayRead(others, this.#now)
    same(this.#leases.hold(others, this.#now), may, 'R5')
    if (may) this.reads += 1
  }

  #beacon(boot: string, rev: number): void {
    const isGranted = this.#model.beacon(boot, this.#now, rev)
    const from = { member: primary, boot }
    same(this.#grants.beacon(from, revision(rev), this.#now), isGranted, 'LS2, PD3')
    if (isGranted) this.granted += 1
    else this.withheld += 1
  }

  #takeOver(): void {
    const may = this.#model.mayTakeOver(this.#now)
    same(this.#grants.mayTakeOver(primary, this.#now), may, 'R6, PD1, PD2')
    if (!may) return
    this.#model.open += 1
    this.#grants.takingOver(primary, this.#now)
  }
}

describe('the parts of replication, beside the model', () => {
  it('R3, R4, RS1, RS2 a primary commits what the model commits, and finds silent who is', () => {
    let [committed, silences] = [0, 0]
    const step = fc.record({
      kind: fc.constantFrom('write', 'has', 'has', 'again', 'wait'),
      member: fc.nat(),
      ms: fc.integer({ min: 0, max: LONGEST_STEP_MS }),
    })
    let program = 0
    run(step, (steps) => {
      program += 1
      const beside = new PrimaryBeside(1 + (program % 4), 1 + (program % 3))
      for (const one of steps) beside.take(one)
      committed += beside.committed
      silences += beside.silences
    })
    expect(Math.min(committed, silences)).toBeGreaterThan(100)
  })

  it('R2, RL1, RL2, RL3 a copy takes and tells what the model does', () => {
    let taken = 0
    const step = fc.record({
      kind: fc.constantFrom('ask', 'promise', 'push', 'next', 'next', 'next', 'any', 'durable'),
      of: fc.integer({ min: 1, max: 3 }).map(epoch),
      seq: fc.integer({ min: 1, max: 6 }),
    })
    run(step, (steps) => {
      const beside = new CopyBeside()
      for (const one of steps) beside.take(one)
      taken += beside.taken
    })
    expect(taken).toBeGreaterThan(100)
  })

  it('R5, R6, R9, R11, LS2, PD1, PD2, PD3 leases and grants are those of the model', () => {
    let [reads, granted, withheld, deaths] = [0, 0, 0, 0]
    const step = fc.record({
      kind: fc.constantFrom(
        ...['beacon', 'beacon', 'reply', 'read', 'take over', 'settle', 'dies', 'wait', 'wait'],
      ),
      boot: fc.constantFrom('one', 'two'),
      peer: fc.integer({ min: 1, max: 2 }),
      rev: fc.nat(9),
      ms: fc.integer({ min: 0, max: 1_600 }),
    })
    run(step, (steps) => {
      const beside = new LeaseBeside()
      for (const one of steps) beside.take(one)
      reads += beside.reads
      granted += beside.granted
      withheld += beside.withheld
      deaths += beside.deaths
    })
    expect(Math.min(reads, granted, withheld, deaths)).toBeGreaterThan(100)
  })
})

describe('leases and grants', () => {
  it('LS1 a grant outlives its lease, at every two rates that differ by no more than is allowed', () => {
    const rates = { min: 1 - CLOCK_RATES_MAX, max: 1 + CLOCK_RATES_MAX, noNaN: true }
    fc.assert(
      fc.property(fc.double(rates), fc.double(rates), fc.nat(1_000), (holders, granters, ms) => {
        const leases = new Leases()
        const grants = new Grants(-GRACE_MS)
        grants.beacon({ member: primary, boot: 'one' }, revision(1), ms * granters)
        leases.replied(replica(1), 0)
        expect(leases.hold([replica(1)], LEASE_MS)).toBe(false)
        expect(grants.mayTakeOver(primary, (LEASE_MS / holders) * granters)).toBe(false)
      }),
    )
  })

  it('R5 a primary that is alone needs no lease, and one whose host slept has none', () => {
    const leases = new Leases()
    expect(leases.hold([], 0)).toBe(true)
    leases.replied(replica(1), 0)
    expect(leases.hold([replica(1)], 1)).toBe(true)
    leases.drop()
    expect(leases.hold([replica(1)], 1)).toBe(false)
  })

  it('PD1, PD2, PD3 a proof ends what was granted to that boot, and nothing else', () => {
    const [one, two] = ['one', 'two'].map((boot) => ({ member: primary, boot })) as [
      Activated,
      Activated,
    ]
    const grants = new Grants(0)
    grants.beacon(one, revision(1), 100)
    grants.died(one)
    expect(grants.mayTakeOver(primary, GRACE_MS)).toBe(false) // PD2
    expect(grants.mayTakeOver(primary, GRACE_MS + 1)).toBe(true)
    expect(grants.beacon(one, revision(1), GRACE_MS + 1)).toBe(false) // PD3
    expect(grants.beacon(two, revision(1), GRACE_MS + 1)).toBe(true)
    expect(grants.beacon(one, revision(1), GRACE_MS + 2)).toBe(false)
    grants.died(one) // Told once more, and late.
    expect(grants.mayTakeOver(primary, GRACE_MS + 2)).toBe(false)
    grants.died(two)
    expect(grants.mayTakeOver(primary, GRACE_MS + 2)).toBe(true)
    grants.named(primary, GRACE_MS + 2)
    expect(grants.mayTakeOver(primary, GRACE_MS + 3)).toBe(false)
  })

  it('R9 a member that has started again is told apart', () => {
    const leases = new Leases()
    leases.replied(replica(1, 'two'), 0)
    expect([leases.hold([replica(1)], 1), leases.hasRestarted(replica(1))]).toEqual([false, true])
  })
})
