// What an initiator is told: where to go, who it is, and how it behaves when its connection is lost.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { isRandomIsid } from '../base/isid.ts'
import type { Address, Net } from '../base/net.ts'
import type { Prng } from '../base/prng.ts'
import { initiatorSettings, type KeySettings } from '../iscsi/negotiate.ts'

export interface InitiatorSettings {
  readonly net: Net
  readonly clock: Clock
  /** ISIDs of the random kind, first sequence numbers, and the jitter of retries. */
  readonly prng: Prng
  /** Where every login begins, also after a redirection, as with Linux and libiscsi. */
  readonly portal: Address
  readonly targetName: string
  readonly initiatorName: string
  /** `stable` (Linux): twelve hexadecimal digits, the same at every login. `random` (libiscsi): another at every login. */
  readonly isid: { readonly kind: 'stable'; readonly value: string } | { readonly kind: 'random' }
  /** Differing from the offer of `initiatorSettings`: digests, InitialR2T, lengths. */
  readonly keys?: Partial<KeySettings>
  readonly behaviour?: Partial<Behaviour>
}

export interface Behaviour {
  /** Commands sent and not answered at once. */
  readonly queueDepth: number
  /** Commands that callers may have under way in all; more are refused. */
  readonly commandsMax: number
  /** Two stages, as open-iscsi; else one, as libiscsi. */
  readonly securityStage: boolean
  /** For one connection and its login. */
  readonly loginLimitMs: number
  /** After a failed login; doubled at each failure, up to the most. */
  readonly retryFirstMs: number
  readonly retryMostMs: number
  /** Without a session for so long everything is given up. */
  readonly giveUpMs: number
  /** After so long without a PDU the target is asked for a sign of life, and after so long more it counts as lost. */
  readonly pingIdleMs: number
  readonly pingLimitMs: number
  /** A command unanswered for so long ends the connection; 0: never. */
  readonly commandLimitMs: number
}

export const ordinaryBehaviour: Behaviour = {
  queueDepth: 32,
  commandsMax: 4096,
  securityStage: false,
  loginLimitMs: 10_000,
  retryFirstMs: 50,
  retryMostMs: 2_000,
  giveUpMs: 120_000,
  pingIdleMs: 5_000,
  pingLimitMs: 5_000,
  commandLimitMs: 0,
}

export function behaviourOf({ isid, behaviour }: InitiatorSettings): Behaviour {
  const whole = { ...ordinaryBehaviour, ...behaviour }
  assert(whole.queueDepth >= 1 && whole.commandsMax >= whole.queueDepth, 'commands have room')
  assert(
    isid.kind === 'random' || (/^[0-9a-f]{12}$/.test(isid.value) && !isRandomIsid(isid.value)),
    'a stable ISID is twelve hexadecimal digits and not of the random kind',
  )
  return whole
}

export function keysOf({ keys }: InitiatorSettings): KeySettings {
  return { ...initiatorSettings, ...keys }
}

/** `80 rr rr rr 00 00`, as libiscsi makes it. */
export function randomIsid(prng: Prng): string {
  return `80${prng.integer(0, 0xffffff).toString(16).padStart(6, '0')}0000`
}
