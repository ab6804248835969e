// What copies are sent, asked and answer, between two members that are linked in virtual time.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DONE, type Member, operation, type Sent, World } from '../../test/kit/peer-links.ts'
import { epoch, memberId } from '../base/ids.ts'
import { checksumsOf, frameKind } from './frames.ts'
import type { Incoming } from './incoming.ts'
import { answerStatus } from './message.ts'
import {
  edgesPayload,
  PAGE_PAYLOAD_MAX,
  PRESENT_BYTES,
  pageOfPayload,
  pagePayload,
} from './page-payload.ts'

const KIB = 1024
const MIB = 1024 * KIB
const BLOCK = 4096
const { replicate, replicateUnmap, install, fetch, write } = frameKind
const [A, B] = [memberId('a'), memberId('b')]

const pattern = new Uint8Array(2 * MIB).map((_, at) => (at * 31 + (at >> 9)) >> 2)
const filled = (bytes: number, seed: number) => pattern.slice(seed, seed + bytes)

/** As many blocks as `present` has bits. */
function page(seed: number, blocks: readonly number[]) {
  const present = new Uint8Array(PRESENT_BYTES)
  for (const block of blocks) present[block >> 3] = (present[block >> 3] ?? 0) | (1 << (block & 7))
  return { present, blocks: filled(blocks.length * BLOCK, seed) }
}

function replicated(seq: number, payload: Uint8Array): Sent {
  return operation(seq, { kind: replicate, seq, payload, checksums: checksumsOf(payload, 0) })
}

function unmapped(seq: number): Sent {
  return operation(seq, { kind: replicateUnmap, seq, payload: null, bytes: BLOCK })
}

async function settled(world: World, ...requests: readonly Sent[]): Promise<void> {
  await world.timeline.until(() => requests.every((one) => one.settled !== null))
}

/** A group whose member b stores what it is sent, and serves nothing. */
async function copies(): Promise<{ world: World; a: Member; b: Member }> {
  const world = new World()
  const a = await world.member(A)
  const b = await world.member(B, { ready: false })
  return { world, a, b }
}

describe('what copies are sent', () => {
  it('P12 passes when the store is open, and a gateway waits until the member serves', async () => {
    const { world, a, b } = await copies()
    const link = a.links.link(B)
    const own = operation(1, { kind: write })
    link.request(own)
    const copied = replicated(9, filled(2 * BLOCK, 1))
    link.request(copied)
    await settled(world, copied)
    expect(own.settled).toBeNull()
    b.ready.resolve()
    await settled(world, own)
    expect(b.operations.map(({ kind, seq }) => [kind, seq])).toEqual([
      [replicate, 9],
      [write, 0],
    ])
  })

  it('F3 a write comes with its place and the checksums of its blocks, and its answer says what the copy has', async () => {
    const { world, a, b } = await copies()
    b.answer = ({ seq }) => ({ status: answerStatus.behind, epoch: epoch(4), seq: seq - 3 })
    const payload = filled(MIB + BLOCK, 5)
    const sent = replicated(2 ** 40, payload)
    a.links.link(B).request(sent)
    await settled(world, sent)
    const [got] = b.operations
    expect([got?.seq, got?.epoch, got?.number]).toEqual([2 ** 40, 1, 2 ** 40])
    expect(got?.payload).toEqual(payload)
    expect(got?.data?.length).toBe(payload.length)
    expect(got?.checksums).toEqual(sent.checksums)
    expect([sent.settled, sent.place]).toEqual(['7@0', `4/${2 ** 40 - 3}`])
  })

  it('an unmap comes with the edges that it was sent with', async () => {
    const { world, a, b } = await copies()
    const link = a.links.link(B)
    const [head, tail] = [filled(BLOCK, 1), filled(BLOCK, 2)]
    const given = [null, { head, tail: null }, { head: null, tail }, { head, tail }]
    const got: Incoming['edges'][] = []
    b.answer = ({ edges }) => {
      const copy = (bytes: Uint8Array | null) => bytes?.slice() ?? null
      got.push(edges === null ? null : { head: copy(edges.head), tail: copy(edges.tail) })
      return DONE
    }
    const unmaps = given.map((edges, at) => {
      const named = { offset: BLOCK, bytes: 2 ** 31 + 2 * BLOCK }
      const fields = { kind: replicateUnmap, seq: at + 1, edges, payload: edgesPayload(edges) }
      return operation(at + 1, { ...named, ...fields })
    })
    for (const unmap of unmaps) link.request(unmap)
    await settled(world, ...unmaps)
    expect(got).toEqual(given)
    const [one] = b.operations
    expect([one?.offset, one?.bytes, one?.data]).toEqual([BLOCK, 2 ** 31 + 2 * BLOCK, null])
  })

  it('a page goes whole, with the blocks that are there, its stamp and their checksums', async () => {
    const { world, a, b } = await copies()
    const link = a.links.link(B)
    const all = Array.from({ length: 256 }, (_, block) => block)
    for (const [seq, blocks] of [[], [0], [255], [3, 7, 8, 200], all].entries()) {
      const { present, blocks: bytes } = page(seq, blocks)
      const payload = pagePayload(new Uint8Array(PAGE_PAYLOAD_MAX).fill(9), {
        ...{ present, blocks: bytes, lost: null },
      })
      const checksums = checksumsOf(payload, 0)
      const sent = operation(0, { kind: install, seq, offset: 5 * MIB, payload, checksums })
      link.request(sent)
      await settled(world, sent)
      const got = b.operations.at(-1)
      if (!got?.payload) return expect.unreachable('a page comes with its bytes')
      expect(pageOfPayload(got.payload)).toEqual({ present, blocks: bytes, lost: null })
      expect(got.checksums).toEqual(checksums)
      expect([got.offset, got.bytes, got.seq, got.gen]).toEqual([5 * MIB, MIB, seq, 3])
    }
  })

  it('a page is fetched with its stamp, as long as it is, and the checksums that its store has', async () => {
    const { world, a, b } = await copies()
    for (const blocks of [[], [1, 2, 130], Array.from({ length: 256 }, (_, block) => block)]) {
      const { present, blocks: bytes } = page(1, blocks)
      const lost = blocks.length === 3 ? page(1, [0, 255]).present : null
      b.answer = ({ into }) => {
        if (into === null) return expect.unreachable('a fetch has somewhere to put its bytes')
        const payload = pagePayload(into, { present, blocks: bytes, lost })
        const checksums = checksumsOf(payload, 0)
        return { status: 0, epoch: epoch(6), seq: 77, bytes: payload, checksums }
      }
      const into = new Uint8Array(PAGE_PAYLOAD_MAX).fill(0xee)
      const intoChecksums = new Uint32Array(257)
      const ask = operation(0, { kind: fetch, offset: 3 * MIB, payload: null, into, intoChecksums })
      a.links.link(B).request(ask)
      await settled(world, ask)
      expect([ask.settled, ask.place]).toEqual(['0@0', '6/77'])
      expect(pageOfPayload(into)).toEqual({ present, blocks: bytes, lost })
      expect(intoChecksums.slice(1, 1 + blocks.length)).toEqual(checksumsOf(bytes, 0))
    }
  })

  it('P13 a write whose bytes have changed since its checksums were made comes to damaged, and reaches no copy', async () => {
    const { world, a, b } = await copies()
    const sent = replicated(1, filled(3 * BLOCK, 1))
    if (sent.payload) sent.payload[5000] = 0xff
    a.links.link(B).request(sent)
    await settled(world, sent)
    expect([sent.settled, b.log]).toEqual(['4@0', []])
  })
})

describe('the order of what copies are sent', () => {
  const lengths = fc.constantFrom(BLOCK, 4 * BLOCK, 5 * BLOCK, 300 * KIB, MIB, MIB + BLOCK)
  const step = fc.record({ bytes: lengths, isUnmap: fc.boolean(), pauseMs: fc.nat(3) })

  it('P2 P4 Q3 is kept whatever is held back, answered, lost and sent again', async () => {
    const stepsOf = fc.array(step, { minLength: 1, maxLength: 40 })
    const lossesOf = fc.array(fc.nat(40), { maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(stepsOf, lossesOf, async (steps, losses) => {
        const { world, link, ran, answer } = await ordered()
        const sent: Sent[] = []
        for (const [at, { bytes, isUnmap, pauseMs }] of steps.entries()) {
          const payload = filled(bytes, at)
          const one = isUnmap ? unmapped(at + 1) : replicated(at + 1, payload)
          sent.push(one)
          link.request(one)
          link.request(operation(at + 1, { payload: payload.subarray(0, MIB) }))
          await world.timeline.run(world.timeline.nowMs + pauseMs)
          if (losses.includes(at)) await lose(world)
          if (pauseMs === 0) answer()
        }
        await answerAll(world, sent, answer)
        // Each stream begins with the first unanswered one: so none comes for the first time before an earlier one has.
        expect([...new Set(ran)]).toEqual(sent.map((_, at) => at + 1))
      }),
      { numRuns: 20 },
    )
  })

  async function answerAll(world: World, sent: readonly Sent[], answer: () => void): Promise<void> {
    while (sent.some((one) => one.settled === null)) {
      answer()
      await world.timeline.run(world.timeline.nowMs + 20)
    }
  }

  /** A copy that notes what it is sent, and answers when it is told to. */
  async function ordered() {
    const { world, a, b } = await copies()
    b.ready.resolve()
    const answers: (() => void)[] = []
    const ran: number[] = []
    b.answer = ({ kind, seq }) => {
      if (kind !== write) ran.push(seq)
      return new Promise((resolve) => answers.push(() => resolve({ ...DONE, seq })))
    }
    const answer = () => {
      for (const one of answers.splice(0)) one()
    }
    return { world, link: a.links.link(B), ran, answer }
  }

  async function lose(world: World): Promise<void> {
    world.net.cut('a', 'b', 'drop')
    await world.timeline.run(world.timeline.nowMs + 1_500)
    world.net.heal('a', 'b')
  }

  it('P4 one that was held back is not overtaken by one that is asked for when there is room again', async () => {
    const { world, link, ran, answer } = await ordered()
    const sent: Sent[] = []
    const ask = (bytes: number) => {
      const one = replicated(sent.length + 1, filled(bytes, sent.length))
      const { settle } = one
      // What an answer makes its asker ask comes last.
      one.settle = (...answer) => {
        settle(...answer)
        if (sent.length < 80) ask(BLOCK)
      }
      sent.push(one)
      link.request(one)
    }
    for (let i = 0; i < 40; i += 1) ask(i % 2 === 0 ? MIB : BLOCK)
    await world.timeline.run(world.timeline.nowMs + 200)
    expect(ran.length).toBeLessThan(sent.length)
    await answerAll(world, sent, answer)
    expect(ran).toEqual(sent.map((_, at) => at + 1))
  })

  it('P4 P13 nor by one that is asked for while changed bytes are found', async () => {
    const { world, a, b } = await copies()
    const link = a.links.link(B)
    const changed = replicated(1, filled(BLOCK, 1))
    if (changed.payload) changed.payload[0] = 0xff
    const later = replicated(3, filled(BLOCK, 3))
    const { settle } = changed
    changed.settle = (...answer) => {
      settle(...answer)
      link.request(later)
    }
    const between = replicated(2, filled(BLOCK, 2))
    link.request(changed)
    link.request(between)
    await settled(world, changed, between, later)
    expect(b.operations.map(({ seq }) => seq)).toEqual([2, 3])
  })
})

describe('two members whose writes wait for each other’s copies', () => {
  /** Each write is sent to the other member `afterMs` later, and done when that has it, as with one copy. */
  async function primaries(afterMs: number) {
    const world = new World()
    const members = await world.pair()
    const links = members.map(({ links }, at) => links.link(at === 0 ? B : A))
    for (const [at, member] of members.entries()) {
      let seq = 0
      member.answer = ({ kind, payload, bytes }) => {
        if (kind !== write) return DONE
        seq += 1
        const one = replicated(seq, payload?.slice() ?? new Uint8Array(bytes))
        return new Promise((resolve) => {
          const request = { ...one, settle: () => resolve(DONE) }
          world.timeline.after(afterMs, () => links[at]?.request(request))
        })
      }
    }
    return { world, links }
  }

  it('P4 come to an end, however much both gateways have under way', async () => {
    const { world, links } = await primaries(0)
    const sent = links.flatMap((link) =>
      Array.from({ length: 24 }, (_, i) => {
        const one = operation(i + 1, { payload: filled(MIB, i) })
        link.request(one)
        return one
      }),
    )
    await settled(world, ...sent)
    expect(links.map(({ underWayBytes }) => underWayBytes)).toEqual([0, 0])
  })

  it('P7 also when what was withdrawn is still carried out, beside what came after it', async () => {
    const { world, links } = await primaries(500)
    for (let i = 0; i < 3; i += 1) {
      const numbers = links.map((link) =>
        Array.from({ length: 16 }, (_, at) =>
          link.request(operation(at, { payload: filled(MIB, at) })),
        ),
      )
      await world.timeline.run(world.timeline.nowMs + 60)
      for (const [at, link] of links.entries())
        for (const one of numbers[at] ?? []) link.withdraw(one)
    }
    const last = links.map((link) => {
      const one = operation(99)
      link.request(one)
      return one
    })
    await settled(world, ...last)
    // Turned away meanwhile, or done: its gateway knows which.
    for (const { settled } of last) expect(['0@0', '2@0']).toContain(settled)
  })
})
