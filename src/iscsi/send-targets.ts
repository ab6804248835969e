// SendTargets (RFC 7143 §13.3 and appendix C): the question and the list that answers it.
import { type KeyValue, parseKeys, printKeys } from './text-keys.ts'

export interface TargetListing {
  readonly name: string
  /** `host:port`; one, unless the initiator is meant to use several paths. */
  readonly addresses: readonly string[]
}

/** Whether a session's question, the value of SendTargets, means this target; `own` is the session's, null in a discovery session. */
export function isAskedFor(name: string, wanted: string, own: string | null): boolean {
  if (own === null) return wanted === 'All' || wanted === name
  return name === own && (wanted === '' || wanted === own)
}

export function sendTargetsRequest(value: string): Uint8Array<ArrayBuffer> {
  return printKeys([{ key: 'SendTargets', value }])
}

export function printTargets(
  targets: readonly TargetListing[],
  portalGroupTag: number,
): Uint8Array<ArrayBuffer> {
  const pairs: KeyValue[] = []
  for (const target of targets) {
    pairs.push({ key: 'TargetName', value: target.name })
    for (const address of target.addresses) {
      pairs.push({ key: 'TargetAddress', value: `${address},${portalGroupTag}` })
    }
  }
  return printKeys(pairs)
}

/** The initiator's reading of the answer; addresses as sent, for `parsePortal`. */
export function parseTargets(text: Uint8Array): TargetListing[] {
  const targets: { name: string; addresses: string[] }[] = []
  for (const { key, value } of parseKeys(text)) {
    if (key === 'TargetName') targets.push({ name: value, addresses: [] })
    else if (key === 'TargetAddress') targets.at(-1)?.addresses.push(value)
  }
  return targets
}
