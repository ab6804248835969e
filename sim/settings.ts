// With what simulated members are started.
import type { MemberId } from '../src/base/ids.ts'
import type { MemberSettings } from '../src/member/member-settings.ts'
import type { Accept } from '../src/store/settings.ts'
import type { Bounds } from '../src/target/memory-bounds.ts'
import type { Shape } from './shape.ts'
import { type SlowReads, simStore } from './store-settings.ts'

const PORTAL = 3260
const PEERS = 7000

/** So narrow that commands wait for room now and then. */
export const simBounds: Bounds = {
  sendBytes: 128 * 1024,
  sendBytesPerConnection: 32 * 1024,
  receiveBytes: 128 * 1024,
  unsolicitedBytes: 256 * 1024,
  receiveBytesPerConnection: 64 * 1024,
}

interface Settings {
  readonly shape: Shape
  readonly bounds: Bounds
  readonly slowReads: SlowReads | null
}

/** As many slices as members: a volume has a lane on each. */
export function settingsOf(
  id: MemberId,
  accept: Accept,
  { shape, bounds, slowReads }: Settings,
): MemberSettings {
  return {
    memberId: id,
    groupName: 'sim',
    founders: shape.members,
    copies: shape.copies,
    slices: shape.members.length,
    namingAuthority: 'iqn.2026-11.dev.evenkeel',
    portal: portalOf(id),
    peer: { kind: 'tcp', host: id, port: PEERS },
    api: `http://${id}:1`,
    groupAddress: null,
    ...(shape.standIns === true ? { standsIn: () => true } : {}),
    bounds,
    store: simStore(slowReads, accept),
    markEveryMs: 1_000,
    handOverAfterMs: 1_500,
  }
}

export function portalOf(id: MemberId) {
  return { kind: 'tcp', host: id, port: PORTAL } as const
}
