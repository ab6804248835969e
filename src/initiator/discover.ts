// Asks a portal for its targets in a discovery session (RFC 7143 §4.3, appendix C).
import { readU32, writeU32 } from '../base/bytes.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { Pdu } from '../iscsi/framer.ts'
import { initiatorSettings } from '../iscsi/negotiate.ts'
import {
  bhsAt,
  continueBit,
  finalBit,
  flagsOf,
  immediateBit,
  initiatorTaskTag,
  logoutReason,
  logoutRequestAt,
  opcode,
  reservedTag,
  textRequestAt,
  textResponseAt,
} from '../iscsi/pdu.ts'
import { parseTargets, sendTargetsRequest, type TargetListing } from '../iscsi/send-targets.ts'
import { TextGatherer } from '../iscsi/text-keys.ts'
import { Dial, type DialOutcome, type DialSettings } from './dial.ts'
import type { Wire, WireConsumer } from './wire.ts'

export type DiscoverySettings = Omit<DialSettings, 'login'> & {
  readonly initiatorName: string
  readonly isid: string
}

const requestTag = 1

/** Rejects with the reason if the portal cannot be reached or refuses. */
export function discover(settings: DiscoverySettings): Promise<TargetListing[]> {
  const { initiatorName, isid } = settings
  const login = {
    initiatorName,
    targetName: null,
    isid,
    cmdSn: 1,
    cid: 0,
    securityStage: false,
    keys: initiatorSettings,
  }
  return new Promise((resolve, reject) => {
    const settled = (outcome: DialOutcome) => {
      if (outcome.kind === 'failed') {
        reject(new Error(outcome.reason))
        return
      }
      const limit = settings.clock.after(settings.limitMs, () => {
        outcome.wire.destroy(`no answer within ${settings.limitMs} ms`)
      })
      const asking = new Asking(outcome, (result) => {
        limit.cancel()
        if (result instanceof Error) reject(result)
        else resolve(result)
      })
      outcome.wire.consumer = asking
      asking.ask(sendTargetsRequest('All'), reservedTag)
    }
    new Dial({ ...settings, login }, settled)
  })
}

class Asking implements WireConsumer {
  readonly #wire: Wire
  readonly #done: (result: TargetListing[] | Error) => void
  readonly #text = new TextGatherer()
  #cmdSn: number
  #expStatSn: number
  #over = false

  constructor(
    ready: DialOutcome & { readonly kind: 'ready' },
    done: (result: TargetListing[] | Error) => void,
  ) {
    this.#wire = ready.wire
    this.#done = done
    this.#cmdSn = ready.session.cmdSn
    this.#expStatSn = ready.session.expStatSn
    ready.wire.framer.headerDigest = ready.session.parameters.headerDigest
    ready.wire.framer.dataDigest = ready.session.parameters.dataDigest
    ready.wire.framer.maxDataBytes = ready.session.parameters.maxRecvDataSegmentLength
    ready.wire.writer.headerDigest = ready.session.parameters.headerDigest
    ready.wire.writer.dataDigest = ready.session.parameters.dataDigest
  }

  /** `targetTransferTag` goes on with an answer that did not fit into one PDU (§11.10.4). */
  ask(text: Uint8Array, targetTransferTag: number): void {
    const { writer } = this.#wire
    const at = writer.begin(opcode.textRequest, finalBit, text.length)
    const { bytes } = writer
    writeU32(bytes, at + bhsAt.initiatorTaskTag, requestTag)
    writeU32(bytes, at + textRequestAt.targetTransferTag, targetTransferTag)
    writeU32(bytes, at + textRequestAt.cmdSn, this.#cmdSn)
    writeU32(bytes, at + textRequestAt.expStatSn, this.#expStatSn)
    bytes.set(text, writer.dataAt)
    writer.seal(at, text.length)
    this.#cmdSn = (this.#cmdSn + 1) >>> 0
    this.#wire.flush()
  }

  receive(pdu: Pdu): void {
    const { header, at } = pdu
    if (pdu.opcode !== opcode.textResponse || initiatorTaskTag(header, at) !== requestTag) {
      // NOP-Ins and Asynchronous Messages say nothing to a session this short.
      if (pdu.opcode === opcode.reject)
        throw new ProtocolError('SendTargets was rejected', 'RFC 7143 §11.17')
      return
    }
    this.#expStatSn = (readU32(header, at + textResponseAt.statSn) + 1) >>> 0
    this.#text.add(pdu.data)
    const flags = flagsOf(header, at)
    const targetTransferTag = readU32(header, at + textResponseAt.targetTransferTag)
    if ((flags & continueBit) !== 0 || (flags & finalBit) === 0) {
      this.ask(new Uint8Array(0), targetTransferTag)
      return
    }
    const targets = parseTargets(this.#text.take())
    this.#over = true
    this.#logout()
    this.#done(targets)
  }

  drained(): void {
    if (this.#over) this.#wire.destroy('discovery is over')
  }

  over(reason: string): void {
    if (!this.#over) this.#done(new Error(reason))
    this.#over = true
  }

  /** The answer to it tells nothing: the connection is closed once it was sent. */
  #logout(): void {
    const { writer } = this.#wire
    const flags = finalBit | logoutReason.closeSession
    const at = writer.begin(opcode.logoutRequest | immediateBit, flags, 0)
    writeU32(writer.bytes, at + bhsAt.initiatorTaskTag, requestTag + 1)
    writeU32(writer.bytes, at + logoutRequestAt.cmdSn, this.#cmdSn)
    writeU32(writer.bytes, at + logoutRequestAt.expStatSn, this.#expStatSn)
    writer.seal(at, 0)
    this.#wire.flush()
  }
}
