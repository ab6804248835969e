// What one initiator did to blocks and what it saw, in a form that a checker can judge (sim/checkers/linearizability.ts).
// Every block is a register; a command over many blocks is an operation on each of them.
//
// A command that was sent over two connections may be executed twice, and that is legal in iSCSI. So every TRANSMISSION
// of a write is an operation of its own, with a value of its own: its blocks are stamped anew before it is sent. Of one
// that was not answered it is not known whether it took effect; it is optional, and ends at the earliest of
//   (a) a GOOD answer to the same command on a later connection,
//   (b) the first GOOD answer on a later connection to any command sent there to the same place,
//   (c) its own answer with another status, or the one to the task management function that aborted it;
// without any of them it never ends. A read begins when its last transmission was sent. A COMPARE AND WRITE that found
// what it expected is a read and a write at one moment; one that did not is a read of anything else.
//
// Invariants:
//   H1. Every transmission of a write is one operation a block, with a value that no other has.
//   H2. An operation without a GOOD answer is optional, and ends by (a), (b) or (c), never before.
//   H3. A block that is damaged, or lies where it was not written, is a fault at once.

import { assert } from '../base/assert.ts'
import { RUN_BYTES } from '../base/sizes.ts'
import { isMiscompare, scsiStatus } from './cdb.ts'
import type { CommandObserver } from './observer.ts'
import { readPattern, writePattern } from './pattern.ts'
import type { Answer } from './pending-command.ts'

export interface Operation {
  /** Of a comparison it is known only afterwards whether it wrote. */
  kind: 'write' | 'read' | 'compareAndWrite' | 'miscompare'
  readonly lba: number
  /** `valueOfWrite` of the stamp that was written or read; 0 is what was there at the beginning, and what unmapping leaves. */
  readonly value: number
  /** What a comparison expects; a miscompare found anything else. */
  readonly expected?: number
  readonly invokedMs: number
  /** Infinity while it may still take effect. */
  returnedMs: number
  /** It was answered with GOOD: it did take effect. */
  certain: boolean
}

export interface Fault {
  readonly lba: number
  readonly atMs: number
  readonly reason: string
}

export interface HistorySettings {
  /** One clock for all histories that are judged together. */
  readonly nowMs: () => number
  /** 1 to 2^20 - 1, another for each history. */
  readonly writer: number
  readonly blockBytes: number
  /** Commands sent to the same place are executed there in the order of their connections: the slice, or something finer. */
  readonly placeOf?: (lba: number) => number
  /** After so many operations it `isFull`. */
  readonly operationsMax?: number
}

/** A run of 16 MiB lies in one lane, thus in one slice (slice/lanes.ts). */
const twoTo32 = 0x1_0000_0000

/** Of one transmission: its operations, a block each. */
interface Transmission {
  readonly login: number
  readonly operations: Operation[]
}

export class History {
  readonly operations: Operation[] = []
  readonly faults: Fault[] = []
  readonly blockBytes: number
  readonly #nowMs: () => number
  readonly #writer: number
  readonly #placeOf: (lba: number) => number
  readonly #operationsMax: number
  /** Transmissions that may still take effect unanswered, by place. */
  readonly #open = new Map<number, Set<Transmission>>()
  #sequence = 0

  constructor(settings: HistorySettings) {
    const { blockBytes } = settings
    this.blockBytes = blockBytes
    this.#nowMs = settings.nowMs
    this.#writer = settings.writer
    this.#placeOf = settings.placeOf ?? ((lba) => Math.floor((lba * blockBytes) / RUN_BYTES))
    this.#operationsMax = settings.operationsMax ?? 4_000_000
  }

  /** No command may begin: judge what there is, and go on with a new history on new blocks. */
  get isFull(): boolean {
    return this.operations.length >= this.#operationsMax
  }

  /** For `Initiator.write`: stamps the blocks of `data` before each transmission. */
  writing(lba: number, data: Uint8Array): CommandObserver {
    assert(!this.isFull, 'a full history records nothing more')
    const blocks = data.length / this.blockBytes
    return new Writing(this, lba, blocks, (login) => this.beginWrite(lba, data, login))
  }

  /** For an UNMAP, or a WRITE SAME of zeros. */
  clearing(lba: number, blocks: number): CommandObserver {
    assert(!this.isFull, 'a full history records nothing more')
    return new Writing(this, lba, blocks, (login) =>
      this.#begin(lba, blocks, login, { kind: 'write', value: 0 }),
    )
  }

  /** For a COMPARE AND WRITE of one block: `data` is what it must hold, then what is written, stamped before each transmission. */
  comparing(lba: number, data: Uint8Array): CommandObserver {
    assert(!this.isFull, 'a full history records nothing more')
    assert(data.length === 2 * this.blockBytes, 'one block is compared and written')
    const expected = this.#valueIn(data, 0, lba)
    assert(expected !== null, 'what is expected was written by somebody')
    const written = data.subarray(this.blockBytes)
    return new Writing(this, lba, 1, (login) =>
      this.#begin(lba, 1, login, {
        kind: 'compareAndWrite',
        value: this.#stamp(lba, written),
        expected,
      }),
    )
  }

  /** For `Initiator.read`. */
  reading(lba: number, into: Uint8Array): CommandObserver {
    assert(!this.isFull, 'a full history records nothing more')
    return new Reading(this, lba, into)
  }

  beginWrite(lba: number, data: Uint8Array, login: number): Transmission {
    const value = this.#stamp(lba, data)
    return this.#begin(lba, data.length / this.blockBytes, login, { kind: 'write', value })
  }

  /** The value that no other transmission has. */
  #stamp(lba: number, data: Uint8Array): number {
    const { blockBytes } = this
    this.#sequence += 1
    for (let at = 0; at < data.length; at += blockBytes) {
      const stamp = { writer: this.#writer, sequence: this.#sequence, lba: lba + at / blockBytes }
      writePattern(data, at, blockBytes, stamp)
    }
    return valueOfWrite(this.#writer, this.#sequence)
  }

  #begin(
    lba: number,
    blocks: number,
    login: number,
    what: Pick<Operation, 'kind' | 'value' | 'expected'>,
  ): Transmission {
    const invokedMs = this.#nowMs()
    const transmission: Transmission = { login, operations: [] }
    for (let block = lba; block < lba + blocks; block += 1) {
      const operation: Operation = {
        ...what,
        lba: block,
        invokedMs,
        returnedMs: Number.POSITIVE_INFINITY,
        certain: false,
      }
      transmission.operations.push(operation)
      this.operations.push(operation)
    }
    for (const place of this.#placesOf(transmission)) {
      let open = this.#open.get(place)
      if (open === undefined) {
        open = new Set()
        this.#open.set(place, open)
      }
      open.add(transmission)
    }
    return transmission
  }

  /** The last transmission was answered; with GOOD it is certain, and by (a) the earlier ones end with it. */
  endWrite(transmissions: readonly Transmission[], certain: boolean): void {
    const nowMs = this.#nowMs()
    const last = transmissions.at(-1)
    for (const transmission of transmissions) {
      if (!certain && transmission !== last) continue
      for (const operation of transmission.operations) {
        operation.returnedMs = Math.min(operation.returnedMs, nowMs)
        if (certain && transmission === last) operation.certain = true
      }
      for (const place of this.#placesOf(transmission)) this.#open.get(place)?.delete(transmission)
    }
  }

  endRead(lba: number, into: Uint8Array, invokedMs: number): void {
    const { blockBytes } = this
    const returnedMs = this.#nowMs()
    for (let at = 0; at < into.length; at += blockBytes) {
      const block = lba + at / blockBytes
      const value = this.#valueIn(into, at, block)
      if (value === null) continue
      const operation = {
        kind: 'read',
        lba: block,
        value,
        invokedMs,
        returnedMs,
        certain: true,
      } as const
      this.operations.push({ ...operation })
    }
  }

  /** (b): an answer on this login, of a command sent to these blocks, ends what earlier logins left open there. */
  heard(lba: number, blocks: number, login: number): void {
    if (this.#open.size === 0) return
    const nowMs = this.#nowMs()
    let place = Number.NaN
    for (let block = lba; block < lba + blocks; block += 1) {
      const here = this.#placeOf(block)
      if (here === place) continue
      place = here
      for (const transmission of this.#open.get(place) ?? []) {
        if (transmission.login < login) this.#endAt(transmission, place, nowMs)
      }
    }
  }

  #endAt(transmission: Transmission, place: number, nowMs: number): void {
    for (const operation of transmission.operations) {
      if (this.#placeOf(operation.lba) !== place) continue
      operation.returnedMs = Math.min(operation.returnedMs, nowMs)
    }
    this.#open.get(place)?.delete(transmission)
  }

  #valueIn(bytes: Uint8Array, at: number, lba: number): number | null {
    const reading = readPattern(bytes, at, this.blockBytes)
    if (reading.kind === 'zero') return 0
    if (reading.kind === 'stamped' && reading.stamp.lba === lba) {
      return valueOfWrite(reading.stamp.writer, reading.stamp.sequence)
    }
    const reason =
      reading.kind === 'damaged' ? reading.reason : `the block of LBA ${reading.stamp.lba}`
    if (this.faults.length < 100) this.faults.push({ lba, atMs: this.#nowMs(), reason })
    return null
  }

  #placesOf(transmission: Transmission): Set<number> {
    return new Set(transmission.operations.map((operation) => this.#placeOf(operation.lba)))
  }

  now(): number {
    return this.#nowMs()
  }
}

export function valueOfWrite(writer: number, sequence: number): number {
  return writer * twoTo32 + sequence
}

class Writing implements CommandObserver {
  readonly #history: History
  readonly #lba: number
  readonly #blocks: number
  readonly #begin: (login: number) => Transmission
  readonly #transmissions: Transmission[] = []

  constructor(
    history: History,
    lba: number,
    blocks: number,
    begin: (login: number) => Transmission,
  ) {
    this.#history = history
    this.#lba = lba
    this.#blocks = blocks
    this.#begin = begin
  }

  sending(login: number): void {
    this.#transmissions.push(this.#begin(login))
  }

  answered(answer: Answer, login: number): void {
    const history = this.#history
    const compared = answer.kind === 'answered' && foundElse(answer)
    const executed = compared || (answer.kind === 'answered' && answer.status === scsiStatus.good)
    if (compared) {
      for (const operation of this.#transmissions.at(-1)?.operations ?? []) {
        operation.kind = 'miscompare'
      }
    }
    history.endWrite(this.#transmissions, executed)
    // Other answers may come from the target alone: they say nothing about the place.
    if (executed) history.heard(this.#lba, this.#blocks, login)
  }
}

class Reading implements CommandObserver {
  readonly #history: History
  readonly #lba: number
  readonly #into: Uint8Array
  #sentMs = 0

  constructor(history: History, lba: number, into: Uint8Array) {
    this.#history = history
    this.#lba = lba
    this.#into = into
  }

  sending(): void {
    this.#sentMs = this.#history.now()
  }

  answered(answer: Answer, login: number): void {
    if (answer.kind !== 'answered' || answer.status !== 0) return
    const history = this.#history
    history.endRead(this.#lba, this.#into, this.#sentMs)
    history.heard(this.#lba, this.#into.length / history.blockBytes, login)
  }
}

/** Where the blocks are they were compared, and are not what was expected. */
function foundElse({ status, sense }: Answer & { readonly kind: 'answered' }): boolean {
  return status === scsiStatus.checkCondition && isMiscompare(sense)
}
