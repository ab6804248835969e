// A member that has a mistake of its own: what it sends is whole, has good checksums, and must not come to wrong bytes.

import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { addressOf, operation, World } from '../../test/kit/peer-links.ts'
import { epoch, memberId } from '../base/ids.ts'
import type { Stream } from '../base/net.ts'
import {
  type FrameFields,
  FrameReader,
  frameBytes,
  frameFields,
  frameKind,
  lastFlag,
  writeFrame,
} from './frames.ts'
import { answerStatus, encodeJson } from './message.ts'
import type { Request } from './request.ts'

function send(stream: Stream, some: Partial<FrameFields>, payload: Uint8Array): void {
  const fields = { ...frameFields(some.kind ?? 0, some.request ?? 0), ...some }
  fields.payloadBytes = payload.length
  const bytes = new Uint8Array(frameBytes(fields))
  writeFrame(bytes, 0, fields, payload, { of: null, first: 0 })
  stream.write(bytes)
}

/** Hears frames as texts; `heard` is told of each kind. */
function own(stream: Stream, heard: (kind: number, request: number, text: string) => void) {
  const reader = new FrameReader()
  const state = { isClosed: false }
  stream.own({
    received: (bytes) => {
      reader.push(bytes)
      for (let f = reader.next(); f !== null; f = reader.next())
        heard(f.kind, f.request, new TextDecoder().decode(f.payload))
    },
    ended: () => stream.destroy(),
    written() {},
    closed: () => {
      state.isClosed = true
    },
  })
  return state
}

const nothing = new Uint8Array(0)
const isLast = lastFlag
const { hello, welcome, confirm, ready, write, read, answer } = frameKind
const { replicate, replicateUnmap, install, fetch } = frameKind

/** A stream to member b that it has taken for one of a member. */
async function taken(world: World): Promise<{ stream: Stream; state: { isClosed: boolean } }> {
  const stream = await world.dialB(new SimClock(world.timeline))
  let isReady = false
  const state = own(stream, (kind, _, text) => {
    if (kind === ready) isReady = true
    if (kind !== welcome) return
    const { nonce } = JSON.parse(text) as { nonce: string }
    send(stream, { kind: confirm, flags: isLast }, encodeJson(nonce))
  })
  const who = { groupId: 'g', memberId: 'n', bootId: 'n-1', to: 'b', stream: 1 }
  send(stream, { kind: hello, flags: isLast }, encodeJson(who))
  await world.timeline.until(() => isReady)
  return { stream, state }
}

it('F3 a write that is cut inside a block closes its stream, and reaches no primary', async () => {
  for (const cuts of [[6000], [4096, 6000]]) {
    const world = new World()
    const b = await world.member(memberId('b'))
    const { stream, state } = await taken(world)
    const data = new Uint8Array(8192).fill(7)
    for (const [i, at] of [0, ...cuts].entries()) {
      const to = cuts[i] ?? data.length
      const flags = to === data.length ? isLast : 0
      const fields = { kind: write, request: 1, number: 1, bytes: data.length, phase: at % 4096 }
      send(stream, { ...fields, flags }, data.subarray(at, to))
    }
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect([b.log, state.isClosed]).toEqual([[], true])
  }
})

const MIB = 1024 * 1024
const PAGE_MAX = MIB + 4096
const place = { epoch: epoch(3), seq: 7, flags: isLast }
const block = new Uint8Array(4096)
/** A page's first block that says of one more block that it is there. */
const oneBlock = new Uint8Array(4096).fill(4, 31, 32)

it.each<[string, Partial<FrameFields>, Uint8Array]>([
  ['a write without a place', { kind: replicate, bytes: 4096, seq: 0 }, block],
  ['a write without an epoch', { kind: replicate, bytes: 4096, epoch: epoch(0) }, block],
  ['a part of a block', { kind: replicate, bytes: 512 }, block.subarray(0, 512)],
  ['a write inside a block', { kind: replicate, bytes: 4096, offset: 512, phase: 512 }, block],
  ['an empty write', { kind: replicate }, nothing],
  ['too long a write', { kind: replicate, bytes: MIB + 8192 }, block],
  ['more than it names', { kind: replicate, bytes: 4096 }, new Uint8Array(8192)],
  ['less than it names', { kind: replicate, bytes: 8192 }, block],
  ['too long an unmap', { kind: replicateUnmap, bytes: 2 ** 31 + 3 * 4096 }, nothing],
  ['an unmap of nothing', { kind: replicateUnmap }, nothing],
  ['an unmap with other edges', { kind: replicateUnmap, bytes: 4096, status: 4 }, block],
  ['an edge before the volume', { kind: replicateUnmap, bytes: 4096, status: 1 }, block],
  ['an edge that lacks', { kind: replicateUnmap, offset: 4096, bytes: 4096, status: 3 }, block],
  ['an edge that was not named', { kind: replicateUnmap, offset: 4096, bytes: 4096 }, block],
  ['a page inside one', { kind: install, offset: 4096, bytes: 4096 }, block],
  ['no page', { kind: install }, nothing],
  ['too long a page', { kind: install, bytes: PAGE_MAX + 4096 }, block],
  ['a page that lacks a block', { kind: install, bytes: 4096 }, oneBlock],
  ['a page with one too many', { kind: install, bytes: 8192 }, new Uint8Array(8192)],
  ['a fetch of too little', { kind: fetch, bytes: MIB }, nothing],
  ['a fetch of too much', { kind: fetch, bytes: 2 * MIB }, nothing],
  ['a fetch inside a page', { kind: fetch, offset: 8192, bytes: PAGE_MAX }, nothing],
])(
  'P17 what a copy is asked is whole: %s closes its stream, and reaches no copy',
  async (_, f, payload) => {
    const world = new World()
    const b = await world.member(memberId('b'))
    const { stream, state } = await taken(world)
    send(stream, { request: 1, ...place, ...f }, payload)
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect([b.log, state.isClosed]).toEqual([[], true])
  },
)

it.each<[string, Partial<Request>, Partial<FrameFields>, Uint8Array]>([
  ['a gateway that it lacks something', {}, { status: answerStatus.behind }, nothing],
  ['a copy that bytes differ', { kind: replicate }, { status: answerStatus.miscompare }, nothing],
  ['a fetch with a page that lacks a block', { kind: fetch }, {}, oneBlock],
  ['a fetch with one too many', { kind: fetch }, {}, new Uint8Array(8192)],
  ['a fetch with part of a block', { kind: fetch }, {}, block.subarray(0, 512)],
  ['a fetch with nothing', { kind: fetch }, {}, nothing],
])('P17 who answers %s is heard on the next stream', async (_, asks, wrong, payload) => {
  const world = new World()
  const a = await world.member(memberId('a'))
  let streams = 0
  const host = world.net.host('b', new SimClock(world.timeline))
  await world.timeline.finish(
    host.listen(addressOf(memberId('b')), (stream) => {
      streams += 1
      const isWrong = streams === 1
      own(stream, (kind, request) => {
        if (kind === hello) {
          const who = { groupId: 'g', memberId: 'b', bootId: 'b-1', nonce: 'x' }
          send(stream, { kind: welcome, flags: isLast }, encodeJson(who))
          send(stream, { kind: ready, flags: isLast }, nothing)
        } else if (kind === (asks.kind ?? write)) {
          const right = kind === fetch ? block : nothing
          const fields = { kind: answer, request, flags: isLast, ...(isWrong ? wrong : {}) }
          send(stream, fields, isWrong ? payload : right)
        }
      })
    }),
  )
  const into = asks.kind === fetch ? new Uint8Array(PAGE_MAX) : null
  const asked = operation(1, { seq: 1, ...asks, into, payload: into === null ? block : null })
  a.links.link(memberId('b')).request(asked)
  await world.timeline.until(() => asked.settled !== null)
  expect([asked.settled, streams]).toEqual(['0@0', 2])
})

it('P14 an answer that lacks bytes in its middle is none: its stream is given up, and it is asked for again', async () => {
  const world = new World()
  const a = await world.member(memberId('a'))
  const clock = new SimClock(world.timeline)
  let streams = 0
  await world.timeline.finish(
    world.net.host('b', clock).listen(addressOf(memberId('b')), (stream) => {
      streams += 1
      const isWhole = streams > 1
      own(stream, (kind, request) => {
        if (kind === hello) {
          const who = { groupId: 'g', memberId: 'b', bootId: 'b-1', nonce: 'x' }
          send(stream, { kind: welcome, flags: isLast }, encodeJson(who))
          send(stream, { kind: ready, flags: isLast }, nothing)
        }
        if (kind !== read) return
        if (isWhole) send(stream, { kind: answer, request }, new Uint8Array(4096).fill(7))
        send(
          stream,
          { kind: answer, request, bytes: 4096, flags: isLast },
          new Uint8Array(4096).fill(7),
        )
      })
    }),
  )
  const into = new Uint8Array(8192).fill(0xee)
  const asked = operation(0, { kind: read, payload: null, into })
  a.links.link(memberId('b')).request(asked)
  await world.timeline.until(() => asked.settled !== null)
  expect([asked.settled, streams]).toEqual(['0@0', 2])
  expect(into).toEqual(new Uint8Array(8192).fill(7))
})

it('P15 a refusal is told once, in its words, until the link is welcomed or refused for another reason', async () => {
  const world = new World()
  const told: string[] = []
  const a = await world.member(memberId('a'), { told: (...how) => told.push(how.join(' ')) })
  const b = await world.member(memberId('b'), { groupId: 'h' })
  for (let i = 0; i < 3; i += 1) {
    expect(await world.timeline.finish(a.links.ask(memberId('b'), 'summary', 1, 900))).toBeNull()
    await world.timeline.run(world.timeline.nowMs + 1_000)
  }
  expect(told).toEqual(['b refused b belongs to the group h, not to g'])
  expect(b.log).toEqual([])
})
