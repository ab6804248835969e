import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import {
  addressOf,
  DONE,
  gen,
  Member,
  operation,
  session,
  World,
} from '../../test/kit/peer-links.ts'
import { memberId } from '../base/ids.ts'
import type { Stream } from '../base/net.ts'
import { Prng } from '../base/prng.ts'
import { type Frame, FrameReader, frameFields, frameKind, frameVersion } from './frames.ts'
import { answerStatus, encodeJson } from './message.ts'
import { Sender } from './sender.ts'

describe('links', () => {
  it('a question is answered, also a long one, and a member that is not there is null', async () => {
    const world = new World()
    const [a] = await world.pair()
    const { timeline } = world
    const short = { x: [1, 'ü'] }
    expect(await timeline.finish(a.links.ask(memberId('b'), 'summary', short, 500))).toEqual(short)
    const long = 'é'.repeat(300_000)
    expect(await timeline.finish(a.links.ask(memberId('b'), 'summary', long, 900))).toBe(long)
    const before = timeline.nowMs
    expect(await timeline.finish(a.links.ask(memberId('c'), 'summary', 1, 500))).toBeNull()
    expect(timeline.nowMs - before).toBeLessThanOrEqual(501)
    expect(a.links.trouble(memberId('c'))).toContain('c:4000')
  })

  it('P12 questions and messages do not wait until a member serves, operations and fences do', async () => {
    const world = new World()
    const a = await world.member(memberId('a'))
    const b = await world.member(memberId('b'), { ready: false })
    const sent = operation(1)
    a.links.link(memberId('b')).request(sent)
    a.links.link(memberId('b')).fence(session, gen, () => {})
    a.links.tell(memberId('b'), 'nudge', null)
    expect(await world.timeline.finish(a.links.ask(memberId('b'), 'summary', 5, 500))).toBe(5)
    expect(b.log).toEqual(['nudge from a', 'summary from a'])
    const later = operation(2)
    a.links.link(memberId('b')).request(later)
    // It would be lost with the stream, if the operation had gone before it.
    expect(await world.timeline.finish(a.links.ask(memberId('b'), 'plan', 6, 500))).toBe(6)
    await world.timeline.run(world.timeline.nowMs + 5_000) // alive, so the stream is not given up
    expect([sent.settled, later.settled]).toEqual([null, null])
    const hasty = await stranger(world).open(1)
    hasty.confirm()
    hasty.read(1, 4096)
    await world.timeline.until(() => hasty.answers.closed)
    b.ready.resolve()
    await world.timeline.until(() => later.settled !== null)
    const after = ['on 1 from n', 'fence 70:3', 'operation 1', 'operation 2']
    expect(b.log.slice(2)).toEqual(['plan from a', ...after])
  })

  it('a member of another group, or another member, is refused with a sentence', async () => {
    const world = new World()
    const [a] = await world.pair()
    const stranger = await world.member(memberId('x'), { groupId: 'h' })
    expect(
      await world.timeline.finish(stranger.links.ask(memberId('b'), 'summary', 1, 500)),
    ).toBeNull()
    expect(stranger.links.trouble(memberId('b'))).toBe('b belongs to the group g, not to h')
    expect(
      await world.timeline.finish(a.links.ask(memberId('b-alias'), 'summary', 1, 500)),
    ).toBeNull()
    expect(a.links.trouble(memberId('b-alias'))).toBe('this is b, not b-alias')
  })

  it('a member of an older or newer version is refused with a sentence', async () => {
    const world = new World()
    await world.member(memberId('b'))
    for (const version of [frameVersion - 1, frameVersion + 1]) {
      const clock = new SimClock(world.timeline)
      const stream = await world.dialB(clock)
      const answers = listenTo(stream)
      const hello = { groupId: 'g', memberId: 'n', bootId: 'n-1', to: 'b', stream: 1 }
      const fields = { ...frameFields(frameKind.hello, 0), version }
      new Sender(stream, clock).send(fields, encodeJson(hello))
      await world.timeline.until(() => answers.closed)
      expect(answers.kinds).toEqual([frameKind.refusal])
      expect(answers.texts[0]).toContain(
        `b speaks version ${frameVersion} between members, n version ${version}`,
      )
    }
  })

  it('garbage closes the stream and harms nobody else', async () => {
    const world = new World(7)
    const [a] = await world.pair()
    const prng = new Prng(3)
    for (let i = 0; i < 20; i += 1) {
      const clock = new SimClock(world.timeline)
      const stream = await world.dialB(clock)
      const answers = listenTo(stream)
      const garbage = new Uint8Array(prng.integer(100, 4000)).map(() => prng.integer(0, 255))
      stream.write(garbage)
      await world.timeline.until(() => answers.closed)
      expect(answers.kinds).toEqual([])
    }
    expect(await world.timeline.finish(a.links.ask(memberId('b'), 'summary', 1, 500))).toBe(1)
  })

  it('a stream that never says hello is closed', async () => {
    const world = new World()
    await world.member(memberId('b'))
    const stream = await world.dialB(new SimClock(world.timeline))
    const answers = listenTo(stream)
    await world.timeline.until(() => answers.closed, 6_000)
  })

  it('P1 fences come first on a stream, and first again on the next', async () => {
    const world = new World()
    const a = await world.member(memberId('a'))
    const b = await world.member(memberId('b'), { ready: false })
    b.answer = () => new Promise(() => {})
    let acknowledged = 0
    const link = a.links.link(memberId('b'))
    link.request(operation(1))
    link.request(operation(2))
    link.fence(session, gen, () => {
      acknowledged += 1
    })
    b.ready.resolve()
    await world.timeline.until(() => b.log.length === 3)
    expect(b.log).toEqual(['fence 70:3', 'operation 1', 'operation 2'])
    await world.timeline.until(() => acknowledged === 1)
    b.log.length = 0
    const again = restart(world, b)
    await world.timeline.until(() => again.log.length === 3)
    expect(again.log).toEqual(['fence 70:3', 'operation 1', 'operation 2'])
    link.unfence(session)
    const last = restart(world, again)
    await world.timeline.until(() => last.log.length === 2)
    expect(last.log).toEqual(['operation 1', 'operation 2'])
  })

  it('P1 a fence goes before an operation that is asked for after it', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    const link = a.links.link(memberId('b'))
    await world.timeline.finish(a.links.ask(memberId('b'), 'summary', 1, 500))
    await world.timeline.until(() => link.isServing)
    link.request(operation(1, { payload: new Uint8Array(1024 * 1024), bytes: 1024 * 1024 }))
    link.fence(session, gen, () => {})
    link.request(operation(2))
    await world.timeline.until(() => b.operations.length === 2)
    expect(b.log.slice(0, 2)).toEqual(['summary from a', 'fence 70:3'])
  })

  it('P2 operations are sent again in order until answered, whatever becomes of the other member', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    b.answer = () => new Promise(() => {})
    const link = a.links.link(memberId('b'))
    const sent = [operation(1), operation(2), operation(3)]
    const numbers = sent.map((one) => link.request(one))
    await world.timeline.until(() => b.operations.length === 3)
    link.withdraw(numbers[1] ?? 0)
    world.net.crash('b')
    await world.timeline.run(world.timeline.nowMs + 20_000)
    expect(sent.map((one) => one.settled)).toEqual([null, null, null])
    const again = restart(world, b)
    again.answer = (request) => ({ status: 6, offset: request.number })
    await world.timeline.until(() => sent[2]?.settled !== null)
    expect(again.log).toEqual(['operation 1', 'operation 3'])
    expect(sent.map((one) => one.settled)).toEqual(['6@1', null, '6@3'])
    expect(again.operations[0]?.payload).toEqual(new Uint8Array(4).fill(1))
  })

  it('P2 a stream that is silent for 900 ms is opened anew, one that answers pings is not', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    b.answer = () => new Promise(() => {})
    const link = a.links.link(memberId('b'))
    link.request(operation(1))
    await world.timeline.until(() => b.operations.length === 1)
    await world.timeline.run(world.timeline.nowMs + 4_000)
    expect(b.operations.length).toBe(1)
    world.net.cut('a', 'b', 'drop')
    const cutMs = world.timeline.nowMs
    await world.timeline.until(() => !link.isServing)
    expect(world.timeline.nowMs - cutMs).toBeGreaterThan(500)
    expect(world.timeline.nowMs - cutMs).toBeLessThan(1_500)
    world.net.heal('a', 'b')
    await world.timeline.until(() => b.operations.length === 2)
  })

  it('P3 a question is null when its stream is lost, and is not asked twice', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    b.reply = () => new Promise(() => {})
    const reply = a.links.ask(memberId('b'), 'summary', 1, 5_000)
    await world.timeline.until(() => b.log.length === 1)
    world.net.cut('a', 'b', 'drop')
    expect(await world.timeline.finish(reply)).toBeNull()
    world.net.heal('a', 'b')
    await world.timeline.run(world.timeline.nowMs + 3_000)
    expect(b.log).toEqual(['summary from a'])
  })

  it('P4 what is under way is bounded, and all of it is done in the end', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    const answers: (() => void)[] = []
    b.answer = () => new Promise((resolve) => answers.push(() => resolve(DONE)))
    const link = a.links.link(memberId('b'))
    const sent = Array.from({ length: 40 }, (_, i) =>
      operation(i + 1, { payload: new Uint8Array(1024 * 1024), bytes: 1024 * 1024 }),
    )
    for (const one of sent) link.request(one)
    await world.timeline.run(world.timeline.nowMs + 3_000)
    expect(link.underWayBytes).toBeLessThanOrEqual(17 * 1024 * 1024)
    expect(b.operations.length).toBe(16)
    while (sent.some((one) => one.settled === null)) {
      for (const answer of answers.splice(0)) answer()
      await world.timeline.run(world.timeline.nowMs + 50)
    }
    expect(b.operations.map((one) => one.number)).toEqual(sent.map((one) => one.operation.number))
    expect(link.underWayBytes).toBe(0)
  })

  it('P4 P7 unmaps count by what they move, which is nothing: a read does not wait behind a hundred gigabytes of them', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    b.answer = ({ kind, into }) =>
      kind === frameKind.unmap
        ? new Promise(() => {})
        : { ...DONE, bytes: into?.fill(7) ?? new Uint8Array() }
    const link = a.links.link(memberId('b'))
    const unmap = { kind: frameKind.unmap, payload: null, bytes: 2 * 1024 ** 3 }
    for (let i = 1; i <= 50; i += 1) link.request(operation(i, unmap))
    const read = operation(51, {
      ...{ kind: frameKind.read, payload: null, bytes: 4096, into: new Uint8Array(4096) },
    })
    link.request(read)
    await world.timeline.until(() => read.settled !== null)
    expect(read.into?.[4095]).toBe(7)
    expect(b.operations.length).toBe(51)
    expect(link.underWayBytes).toBe(50 * 1024)
  })

  it('a small operation passes megabytes, and long ones share the way', async () => {
    const world = new World()
    const [a, b] = await world.pair()
    const link = a.links.link(memberId('b'))
    await world.timeline.finish(a.links.ask(memberId('b'), 'summary', 1, 500))
    const long = { payload: new Uint8Array(1024 * 1024), bytes: 1024 * 1024 }
    for (let i = 1; i <= 8; i += 1) link.request(operation(i, long))
    await world.timeline.until(() => link.isServing)
    link.request(operation(9))
    await world.timeline.until(() => b.operations.length === 9)
    expect(b.operations[0]?.number).toBe(9)
  })

  it('bytes that are read come to where they belong, also when the stream is lost in between', async () => {
    const world = new World(5)
    const [a, b] = await world.pair()
    const content = new Uint8Array(700_000).map((_, i) => i * 31)
    b.answer = (request) => ({
      status: 0,
      bytes: content.slice(request.offset, request.offset + request.bytes),
    })
    const link = a.links.link(memberId('b'))
    const reads = [0, 65_536, 300_001].map((offset) =>
      operation(0, { kind: frameKind.read, offset, into: new Uint8Array(350_000) }),
    )
    for (const read of reads) link.request(read)
    await world.timeline.until(() => b.operations.length > 0)
    world.net.cut('a', 'b', 'stick')
    await world.timeline.run(world.timeline.nowMs + 2_000)
    world.net.heal('a', 'b')
    await world.timeline.until(() => reads.every((read) => read.settled !== null))
    for (const read of reads) {
      expect(read.settled).toBe('0@0')
      expect(read.into).toEqual(content.slice(read.operation.offset).subarray(0, 350_000))
    }
  })

  it('P6 an operation is carried out only when all of it has come, and only by a member that serves', async () => {
    const world = new World()
    const a = await world.member(memberId('a'))
    const b = await world.member(memberId('b'), { ready: false })
    const payload = new Uint8Array(1024 * 1024).map((_, i) => i * 7)
    const carriedOut: (Uint8Array | undefined)[] = []
    b.answer = (request) => {
      carriedOut.push(request.payload?.slice())
      return DONE
    }
    const long = operation(1, { payload, bytes: payload.length })
    a.links.link(memberId('b')).request(long)
    await world.timeline.run(world.timeline.nowMs + 2_000)
    expect(carriedOut).toEqual([])
    b.ready.resolve()
    await world.timeline.until(() => long.settled !== null)
    expect(carriedOut).toEqual([payload])
  })

  it('P7 of what a gateway asks 32 MiB are kept, and what is beyond is turned away', async () => {
    const world = new World()
    const b = await world.member(memberId('b'))
    const answers: (() => void)[] = []
    b.answer = () => new Promise((resolve) => answers.push(() => resolve(DONE)))
    const greedy = await stranger(world).open(1)
    greedy.confirm()
    await world.timeline.until(() => greedy.answers.kinds.includes(frameKind.ready))
    for (let i = 1; i <= 40; i += 1) {
      greedy.read(i, 1024 * 1024)
      await world.timeline.run(world.timeline.nowMs + 20)
    }
    expect(b.operations.length).toBe(32)
    expect(greedy.answers.statuses).toEqual(Array.from({ length: 8 }, () => answerStatus.stale))
    for (const answer of answers.splice(0)) answer()
    await world.timeline.run(world.timeline.nowMs + 20)
    greedy.read(41, 1024 * 1024)
    await world.timeline.until(() => b.operations.length === 33)
  })

  it('P5 a later stream of a member ends the older one: nothing more is read from it', async () => {
    const world = new World()
    const b = await world.member(memberId('b'))
    const n = stranger(world)
    const one = await n.open(1)
    one.confirm()
    await world.timeline.until(() => b.log.length === 1)
    one.tell('before')
    const two = await n.open(2)
    two.confirm()
    one.tell('after')
    await world.timeline.until(() => one.answers.closed)
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect(b.log).toEqual(['on 1 from n', 'before from n', 'on 2 from n'])
    expect(two.answers.closed).toBe(false)
  })

  it('P5 an older stream never counts after a later one, and a process that is gone opens none', async () => {
    const world = new World()
    const b = await world.member(memberId('b'))
    const n = stranger(world)
    const one = await n.open(1)
    const two = await n.open(2)
    two.confirm()
    await world.timeline.until(() => b.log.length === 1)
    one.confirm()
    await world.timeline.until(() => one.answers.closed)
    const silent = await n.open(3) // never confirms: as good as dead
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect(two.answers.closed).toBe(false)
    expect(silent.answers.closed).toBe(false)
    expect(b.log).toEqual(['on 2 from n'])
  })
})

/** A member made of bare streams, so that they can be mixed up. */
function stranger(world: World) {
  const clock = new SimClock(world.timeline)
  const host = world.net.host('n', clock)
  const hello = { groupId: 'g', memberId: 'n', bootId: 'n-1', to: 'b' }
  const open = async (stream: number) => {
    const opened = await world.timeline.finish(host.connect(addressOf(memberId('b')), 500))
    const sender = new Sender(opened, clock)
    const answers = listenTo(opened, () => sender.written())
    sender.send(frameFields(frameKind.hello, 0), encodeJson({ ...hello, stream }))
    await world.timeline.until(() => answers.texts.length === 1)
    const tell = (kind: string) => {
      sender.send(frameFields(frameKind.tell, 1), encodeJson({ kind, body: null }))
    }
    const confirm = () => {
      const { nonce } = JSON.parse(answers.texts[0] ?? '') as { nonce: string }
      sender.send(frameFields(frameKind.confirm, 0), encodeJson(nonce))
      tell(`on ${stream}`)
    }
    const read = (request: number, bytes: number) => {
      const fields = frameFields(frameKind.read, request)
      fields.bytes = bytes
      sender.send(fields, null)
    }
    return { answers, confirm, tell, read }
  }
  return { open }
}

/** The same member's next life. */
function restart(world: World, dead: Member): Member {
  world.net.crash(dead.id)
  const again = new Member(world, dead.id, { boot: `${dead.id}-${world.timeline.nowMs}` })
  again.ready.resolve()
  again.answer = dead.answer
  void again.links.listen(addressOf(dead.id))
  return again
}

function listenTo(stream: Stream, written = () => {}) {
  const reader = new FrameReader()
  const heard = {
    kinds: [] as number[],
    statuses: [] as number[],
    texts: [] as string[],
    closed: false,
  }
  stream.own({
    received: (bytes) => {
      reader.push(bytes)
      for (let f: Frame | null = reader.next(); f !== null; f = reader.next()) {
        heard.kinds.push(f.kind)
        if (f.kind === frameKind.answer) heard.statuses.push(f.status)
        heard.texts.push(new TextDecoder().decode(f.payload))
      }
    },
    ended: () => stream.destroy(),
    written,
    closed: () => {
      heard.closed = true
    },
  })
  return heard
}
