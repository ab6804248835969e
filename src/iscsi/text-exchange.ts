// Text negotiation in full feature phase (RFC 7143 §4.3, §11.10, §11.11): a request may come in several PDUs, and so may
// the answer. One at a time: a request that begins anew ends what was before.
//
//   idle ──C──▶ gathering ──whole──▶ asked ──answer──▶ idle | telling ──empty request with our tag──▶ telling | idle
//
// Invariants:
//   T1. The consumer sees a request once, whole; the initiator sees the answer once, whole.
//   T2. F is answered with F once the answer is complete, and not before (§11.11.1).
import { assert } from '../base/assert.ts'
import { readU32 } from '../base/bytes.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { Pdu } from './framer.ts'
import type { Negotiated } from './negotiate.ts'
import {
  bhsAt,
  bhsBytes,
  continueBit,
  finalBit,
  flagsOf,
  initiatorTaskTag,
  reservedTag,
  textRequestAt,
} from './pdu.ts'
import type { TextRequest } from './requests.ts'
import type { Responses } from './responses.ts'
import { TextGatherer } from './text-keys.ts'

const nothing = new Uint8Array(0)
/** Only one exchange is under way, so that one tag is enough; any but the reserved one (§11.11.4). */
const ourTag = 1

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'gathering'; readonly initiatorTaskTag: number }
  | { readonly kind: 'asked'; readonly request: TextRequest }
  | { readonly kind: 'telling'; readonly request: TextRequest; readonly rest: Uint8Array }

export class TextExchange {
  readonly #responses: Responses
  readonly #parameters: Pick<Negotiated, 'maxSendDataSegmentLength'>
  #gatherer = new TextGatherer()
  #state: State = { kind: 'idle' }

  constructor(responses: Responses, parameters: Pick<Negotiated, 'maxSendDataSegmentLength'>) {
    this.#responses = responses
    this.#parameters = parameters
  }

  /** The request, if this PDU made one whole; else what is due has been answered. Throws ProtocolError. */
  receive(pdu: Pdu): TextRequest | null {
    const { header, at } = pdu
    const flags = flagsOf(header, at)
    const tag = initiatorTaskTag(header, at)
    const continues = readU32(header, at + textRequestAt.targetTransferTag) !== reservedTag
    const state = this.#state
    if (continues && state.kind === 'telling' && state.request.initiatorTaskTag === tag) {
      this.#tell(state.request, state.rest)
      return null
    }
    const goesOn = continues && state.kind === 'gathering' && state.initiatorTaskTag === tag
    if (continues && !goesOn) throw new ProtocolError('a text that goes on', 'RFC 7143 §11.10.4')
    if (!goesOn) this.#gatherer = new TextGatherer()
    this.#gatherer.add(pdu.data)
    const lunBytes = header.slice(at + bhsAt.lun, at + bhsAt.lun + 8)
    if ((flags & continueBit) !== 0) {
      this.#state = { kind: 'gathering', initiatorTaskTag: tag }
      this.#responses.textResponse({ initiatorTaskTag: tag, lunBytes }, 0, ourTag, nothing)
      return null
    }
    const final = (flags & finalBit) !== 0
    const text = this.#gatherer.take()
    const copy = header.slice(at, at + bhsBytes)
    const request = { initiatorTaskTag: tag, lunBytes, final, text, header: copy }
    this.#state = { kind: 'asked', request }
    return request
  }

  /** Responds to the request, unless another one has replaced it. */
  respond(request: TextRequest, text: Uint8Array): void {
    const state = this.#state
    if (state.kind !== 'asked' || state.request !== request) return
    this.#tell(request, text)
  }

  /** The request is rejected: nothing of it has an effect. */
  refuse(request: TextRequest, reason: number): void {
    const state = this.#state
    if (state.kind !== 'asked' || state.request !== request) return
    this.#state = { kind: 'idle' }
    this.#responses.reject(reason, request.header, 0)
  }

  #tell(request: TextRequest, text: Uint8Array): void {
    const piece = text.subarray(0, this.#parameters.maxSendDataSegmentLength)
    const rest = text.subarray(piece.length)
    assert(piece.length > 0 || rest.length === 0, 'T1 a text gets shorter')
    if (rest.length > 0) {
      this.#state = { kind: 'telling', request, rest }
      this.#responses.textResponse(request, continueBit, ourTag, piece)
      return
    }
    this.#state = { kind: 'idle' }
    const tag = request.final ? reservedTag : ourTag
    this.#responses.textResponse(request, request.final ? finalBit : 0, tag, piece)
  }
}
