// An initiator of ours at a member of a test's group, over real sockets.
import type { VolumeDetail } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import { Initiator } from '../../src/initiator/initiator.ts'
import type { InitiatorSettings } from '../../src/initiator/settings.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { SystemNet } from '../../src/io/net.ts'
import type { TestGroup } from './group.ts'

export interface Connecting
  extends Partial<Pick<InitiatorSettings, 'clock' | 'prng' | 'behaviour' | 'net'>> {
  /** Of the initiator, behind iqn.2026-11.test.evenkeel:, or a whole name. */
  readonly name: string
  /** Random unless it is given. */
  readonly isid?: string
  readonly member?: string
}

/** Its blocks are those of the volume. */
export async function connectTo(
  group: TestGroup,
  { iqn, blockBytes }: Pick<VolumeDetail, 'iqn' | 'blockBytes'>,
  { name, isid, member = 'm1', behaviour, ...more }: Connecting,
): Promise<Initiator> {
  const settings: InitiatorSettings = {
    ...{ net: new SystemNet(), clock: new SystemClock(), prng: new Prng(1), ...more },
    portal: { kind: 'tcp', host: '127.0.0.1', port: group.portOf(member) },
    targetName: iqn,
    initiatorName: name.startsWith('iqn.') ? name : `iqn.2026-11.test.evenkeel:${name}`,
    isid: isid === undefined ? { kind: 'random' } : { kind: 'stable', value: isid },
  }
  const connected = await Initiator.connect(
    behaviour === undefined ? settings : { ...settings, behaviour },
  )
  connected.blockBytes = blockBytes
  return connected
}
