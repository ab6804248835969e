// A whole group in virtual time, with a tap on what its portals write and an initiator, for tests of target and
// connection.

import { SimClock } from '../../sim/clock.ts'
import { SimGroup, type SimMember } from '../../sim/group.ts'
import { portalOf } from '../../sim/settings.ts'
import { usualShape } from '../../sim/shape.ts'
import { type MemberId, memberId } from '../../src/base/ids.ts'
import type { Net, Stream } from '../../src/base/net.ts'
import { encodeText } from '../../src/base/text.ts'
import { Initiator } from '../../src/initiator/initiator.ts'
import { opcode } from '../../src/iscsi/pdu.ts'
import {
  copyOf,
  framerFor,
  parameters,
  pduBytes,
  type SeenPdu,
} from '../../src/iscsi/wire.fixture.ts'
import type { LiveSession } from '../../src/target/live-session.ts'
import { boundsDefaults } from '../../src/target/memory-bounds.ts'
import type { Target } from '../../src/target/target.ts'
import type { TargetEvent } from '../../src/target/target-event.ts'

const PORTAL_PORT = 3260
/** Of the connection of a `stranger`. */
export const STRANGER_CID = 7

/** One write of a portal's connection; `turn` counts the events of the timeline. */
export interface Written {
  readonly stream: Stream
  readonly turn: number
  readonly atMs: number
  readonly bytes: Uint8Array
}

/** An initiator port: a host, the name by which it logs in (its host's unless given), and its ISID; null: a new one at every login. */
interface Port {
  readonly host: string
  readonly name?: string
  readonly isid: string | null
}

/** `distributes`: with a balancer at each member. `bounds`: as a member has them if nobody sets them. */
export async function startGroup(
  seed: number,
  distributes = false,
  bounds = boundsDefaults,
  shape = usualShape,
) {
  const group = new SimGroup({ seed, distributes, bounds, shape, print: null })
  const { timeline, net } = group
  const written: Written[] = []
  const events: (TargetEvent & { readonly at: SimMember })[] = []
  group.listeners.push((at, event) => events.push({ ...event, at }))
  const hostOf = net.host.bind(net)
  net.host = (name, clock) => tapped(hostOf(name, clock))

  function tapped(inner: Net): Net {
    return {
      connect: (address, timeoutMs) => inner.connect(address, timeoutMs),
      listen: (address, accept) =>
        inner.listen(address, (stream) => {
          if (address.kind === 'tcp' && address.port === PORTAL_PORT) tap(stream)
          accept(stream)
        }),
    }
  }

  function tap(stream: Stream): void {
    const write = stream.write.bind(stream)
    stream.write = (bytes) => {
      const { events: turn, nowMs: atMs } = timeline
      written.push({ stream, turn, atMs, bytes: bytes.slice() })
      write(bytes)
    }
  }

  await group.start()
  let hosts = 0

  async function connect(portal = memberId('m1'), who: Partial<Port> = {}): Promise<Initiator> {
    const initiator = await timeline.finish(dial(portal, who))
    initiator.blockBytes = group.blockBytes
    return initiator
  }

  function dial(portal: MemberId, who: Partial<Port> = {}): Promise<Initiator> {
    hosts += 1
    const port = { host: `host${hosts}`, isid: '400001370001', ...who }
    const clock = new SimClock(timeline)
    return Initiator.connect({
      net: hostOf(port.host, clock),
      clock,
      prng: group.prng.fork(),
      portal: portalOf(portal),
      targetName: group.volume.iqn,
      initiatorName: `iqn.2026-11.test:${port.name ?? port.host}`,
      isid: port.isid === null ? { kind: 'random' } : { kind: 'stable', value: port.isid },
      behaviour: { pingIdleMs: 600_000 },
    })
  }

  /** The session that was last begun, and where. */
  function home(): { at: SimMember; target: Target; session: LiveSession } {
    for (const at of group.members) {
      const target = at.member?.target
      const session = target?.registry.all()[Symbol.iterator]().next().value
      if (target !== undefined && session !== undefined) return { at, target, session }
    }
    throw new Error('there is no session')
  }

  const hostNet = (name: string) => hostOf(name, new SimClock(timeline))
  return { group, timeline, written, events, connect, dial, home, hostNet }
}

type Scene = Awaited<ReturnType<typeof startGroup>>

/** A stream to m1 that sends what it is told, after a login of one request. */
export async function stranger(
  { group, timeline, hostNet }: Scene,
  kind: 'normal' | 'discovery',
  differing: {
    readonly name?: string
    readonly host?: string
    readonly target?: string
    readonly keys?: string
    /** The target has half-closed; the stranger closes then, unless it is told otherwise. */
    readonly ended?: () => void
  } = {},
) {
  const { name = 'stranger', host = 'stranger', target = group.volume.iqn, keys = '' } = differing
  const connecting = hostNet(host).connect(portalOf(memberId('m1')), 1_000)
  const stream = await timeline.finish(connecting)
  const framer = framerFor(parameters)
  const seen: SeenPdu[] = []
  const state = { over: false }
  stream.own({
    received(bytes) {
      framer.push(bytes)
      for (let pdu = framer.next(); pdu !== null; pdu = framer.next()) seen.push(copyOf(pdu))
    },
    ended: differing.ended ?? (() => stream.destroy()),
    written() {},
    closed: () => {
      state.over = true
    },
  })
  const who = `InitiatorName=iqn.2026-11.test:${name}\0${keys}`
  const text = kind === 'normal' ? `${who}TargetName=${target}\0` : `${who}SessionType=Discovery\0`
  const fields = { 8: 0x40000137, 16: 5, 20: STRANGER_CID << 16, 24: 1 }
  stream.write(pduBytes(opcode.loginRequest | 0x40, 0x87, fields, encodeText(text)))
  await timeline.until(() => seen.length > 0 || state.over, 10_000)
  return { stream, seen, state }
}
