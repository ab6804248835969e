// Members that are linked in virtual time, each with a server that notes what it is asked.
import { expect } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimNet } from '../../sim/net.ts'
import { Timeline } from '../../sim/timeline.ts'
import {
  epoch,
  generation,
  type MemberId,
  memberId,
  sessionId,
  sliceId,
  volumeId,
} from '../../src/base/ids.ts'
import type { Address, Stream } from '../../src/base/net.ts'
import { Prng } from '../../src/base/prng.ts'
import { frameKind } from '../../src/peer/frames.ts'
import type { Incoming } from '../../src/peer/incoming.ts'
import { PeerLinks, type PeerLinksDeps } from '../../src/peer/links.ts'
import type { Json } from '../../src/peer/message.ts'
import { noOperation, type Operation } from '../../src/peer/operation.ts'
import type { Request } from '../../src/peer/request.ts'
import type { Answer, PeerServer } from '../../src/peer/responder.ts'

export const DONE = { status: 0 }
export const [session, gen] = [sessionId(70), generation(3)]
const asked = { ...noOperation, volume: volumeId(1), slice: sliceId(3), session, gen }

interface MemberOptions {
  readonly groupId?: string
  readonly boot?: string
  readonly told?: NonNullable<PeerLinksDeps['told']>
}

/** A member that notes what it is asked, and answers when it is told to. */
export class Member implements PeerServer {
  readonly id: MemberId
  readonly clock: SimClock
  readonly links: PeerLinks
  readonly log: string[] = []
  readonly operations: Incoming[] = []
  readonly ready = Promise.withResolvers<void>()
  answer: (request: Incoming) => Answer | Promise<Answer> = () => DONE
  reply: (kind: string, body: Json) => Json | null | Promise<Json | null> = (_, body) => body

  constructor(world: World, id: MemberId, options: MemberOptions = {}) {
    this.id = id
    this.clock = new SimClock(world.timeline)
    this.links = new PeerLinks({
      self: { groupId: options.groupId ?? 'g', memberId: id, bootId: options.boot ?? `${id}-1` },
      net: world.net.host(id, this.clock),
      clock: this.clock,
      addressOf: (member) => addressOf(member),
      server: this,
      ...(options.told === undefined ? {} : { told: options.told }),
    })
  }

  control(from: MemberId, kind: string, body: Json): Json | null | Promise<Json | null> {
    this.log.push(`${kind} from ${from}`)
    return this.reply(kind, body)
  }

  operation(_from: string, request: Incoming): Answer | Promise<Answer> {
    this.log.push(`operation ${request.number}`)
    // The payload is another request's when this one is answered.
    this.operations.push({ ...request, payload: request.payload?.slice() ?? null })
    return this.answer(request)
  }

  fence(...[session, gen]: Parameters<PeerServer['fence']>): void {
    this.log.push(`fence ${session}:${gen}`)
  }

  serving(): Promise<void> {
    return this.ready.promise
  }
}

export function addressOf(member: MemberId): Address {
  return { kind: 'tcp', host: member === 'b-alias' ? 'b' : member, port: 4000 }
}

export class World {
  readonly timeline = new Timeline()
  readonly net: SimNet

  constructor(seed = 1) {
    this.net = new SimNet(this.timeline, new Prng(seed))
  }

  async member(
    id: MemberId,
    options: MemberOptions & { readonly ready?: boolean } = {},
  ): Promise<Member> {
    const member = new Member(this, id, options)
    await this.timeline.finish(member.links.listen(addressOf(id)))
    if (options.ready !== false) member.ready.resolve()
    return member
  }

  async pair(): Promise<[Member, Member]> {
    return [await this.member(memberId('a')), await this.member(memberId('b'))]
  }

  dialB(clock: SimClock): Promise<Stream> {
    return this.timeline.finish(this.net.host('n', clock).connect(addressOf(memberId('b')), 500))
  }
}

export interface Sent extends Request {
  settled: string | null
  /** As it was answered: epoch and seq. */
  place: string
}

export function operation(
  number: number,
  { offset = 0, bytes: named, ...fields }: Partial<Request & Operation> = {},
): Sent {
  const bytes = named ?? fields.payload?.length ?? fields.into?.length ?? 4
  const sent: Sent = {
    kind: frameKind.write,
    operation: { ...asked, number, offset, bytes },
    epoch: epoch(1),
    view: 1,
    checksums: null,
    payload: fields.into ? null : new Uint8Array(4).fill(number),
    into: null,
    settled: null,
    place: '',
    settle: (status, offset, seq, epoch) => {
      expect(sent.settled).toBeNull()
      sent.settled = `${status}@${offset}`
      sent.place = `${epoch}/${seq}`
    },
    ...fields,
  }
  return sent
}
