// A mutation on its way to a copy. Its link sends it again, in the order of first sending, until it is answered or taken back:
// so the link is the log from which a copy is sent what it lacks.
import {
  type Epoch,
  type Generation,
  generation,
  type SliceId,
  type VolumeId,
} from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { frameKind } from '../peer/frames.ts'
import { answerStatus } from '../peer/message.ts'
import { noOperation, type Operation, type UnmapEdges } from '../peer/operation.ts'
import {
  edgesPayload,
  PAGE_PAYLOAD_MAX,
  pageChecksums,
  pageOfPayload,
  pagePayload,
} from '../peer/page-payload.ts'
import type { Request } from '../peer/request.ts'
import type { PageCopy, PageParts } from '../store/page-copy.ts'
import type { StoreWrite } from '../store/record.ts'

/** Of no volume's view: a copy does as its primary has decided. */
const NO_VIEW = 0

export class CopyRequest implements Request {
  readonly kind: number
  readonly operation: StoreWrite
  readonly epoch: Epoch
  readonly view = NO_VIEW
  readonly seq: number
  readonly payload: Uint8Array | null
  readonly checksums: Uint32Array | null
  readonly edges: UnmapEdges | null
  readonly into = null
  readonly #answered: (status: number, has: number) => void

  constructor(write: StoreWrite, answered: (status: number, has: number) => void) {
    this.kind = write.data === null ? frameKind.replicateUnmap : frameKind.replicate
    this.operation = write
    this.epoch = write.epoch
    this.seq = write.seq
    this.payload = write.data ?? edgesPayload(write.edges)
    this.checksums = write.data === null ? null : (write.checksums ?? null)
    this.edges = write.edges
    this.#answered = answered
  }

  settle(status: number, _offset: number, has: number): void {
    this.#answered(status, has)
  }
}

interface PageOf {
  readonly slice: SliceId
  readonly volume: VolumeId
  readonly page: number
  /** In which the asker is primary. */
  readonly epoch: Epoch
}

/** A page as a whole, for a copy. */
export class InstallRequest implements Request {
  readonly kind = frameKind.install
  readonly operation: Operation
  readonly epoch: Epoch
  readonly view = NO_VIEW
  readonly seq: number
  readonly payload: Uint8Array
  readonly checksums: Uint32Array
  readonly into = null
  readonly #answered: (status: number) => void

  constructor(of: PageOf, copy: PageCopy, answered: (status: number) => void) {
    this.operation = operationOf(of, generation(copy.stamp.epoch))
    this.epoch = of.epoch
    this.seq = copy.stamp.seq
    const { present, blocks } = copy
    const into = new Uint8Array(BLOCK_BYTES + blocks.length)
    this.payload = pagePayload(into, { present, blocks, lost: null })
    this.checksums = pageChecksums(this.payload, copy.checksums)
    this.#answered = answered
  }

  settle(status: number): void {
    this.#answered(status)
  }
}

/** What a copy has of a page. */
export class FetchRequest implements Request {
  readonly kind = frameKind.fetch
  readonly operation: Operation
  readonly epoch: Epoch
  readonly view = NO_VIEW
  readonly payload = null
  readonly checksums = null
  readonly into = new Uint8Array(PAGE_PAYLOAD_MAX)
  readonly intoChecksums = new Uint32Array(PAGE_PAYLOAD_MAX / BLOCK_BYTES)
  readonly #answered: (copy: PageParts | null) => void

  constructor(of: PageOf, answered: (copy: PageParts | null) => void) {
    this.operation = operationOf(of, generation(0))
    this.epoch = of.epoch
    this.#answered = answered
  }

  settle(status: number, _offset: number, seq: number, epoch: Epoch): void {
    if (status !== answerStatus.done) {
      this.#answered(null)
      return
    }
    const { present, blocks, lost } = pageOfPayload(this.into)
    const checksums = this.intoChecksums.subarray(1, 1 + blocks.length / BLOCK_BYTES)
    this.#answered({ present, blocks, lost, checksums, stamp: { epoch, seq } })
  }
}

function operationOf({ slice, volume, page }: PageOf, gen: Generation): Operation {
  return {
    ...noOperation,
    slice,
    volume,
    offset: page * PAGE_BYTES,
    bytes: PAGE_BYTES,
    gen,
  }
}
