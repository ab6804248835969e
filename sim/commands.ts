// What a simulated initiator asks of the volume: reads and writes of few blocks, on some of them also UNMAP, WRITE SAME
// and COMPARE AND WRITE; now and then a command is aborted, alone or with all others of its session. Every transmission
// goes into the initiator's history. Rarely the logical unit is reset, which ends everybody's.
import { type Clock, sleep } from '../src/base/clock.ts'
import type { Prng } from '../src/base/prng.ts'
import { RUN_BYTES } from '../src/base/sizes.ts'
import {
  compareAndWriteCdb,
  isMiscompare,
  parseSense,
  readCdb,
  scsiStatus,
  unmapCdb,
  unmapList,
  writeCdb,
  writeSameCdb,
} from '../src/initiator/cdb.ts'
import type { History } from '../src/initiator/history.ts'
import type { Initiator } from '../src/initiator/initiator.ts'
import type { Answer, CommandRequest } from '../src/initiator/pending-command.ts'
import type { SimGroup } from './group.ts'

/** The store's block, and the least that is unmapped. */
const PHYSICAL = 4096
const ABORTED = 0.02
const SETS_ABORTED = 0.15
const ABORT_WITHIN_MS = 15
const RESETS = 0.002
/** A reset that could not be made sure of. */
const REJECTED = 255
/** Its sense key. */
const MEDIUM_ERROR = 3

interface Named extends CommandRequest {
  readonly name: string
  readonly lba: number
  readonly blocks: number
}

/** The commands of one initiator. */
export class Commands {
  readonly #group: SimGroup
  readonly #name: string
  readonly #clock: Clock
  readonly #prng: Prng
  readonly #history: History
  /** Blocks that are compared, as last seen. */
  readonly #seen = new Map<number, Uint8Array>()

  constructor(
    group: SimGroup,
    name: string,
    own: { readonly clock: Clock; readonly prng: Prng; readonly history: History },
  ) {
    this.#group = group
    this.#name = name
    this.#clock = own.clock
    this.#prng = own.prng
    this.#history = own.history
  }

  /** One command to its end; true: it was answered with GOOD. */
  async next(initiator: Initiator): Promise<boolean> {
    const { trace, totals } = this.#group
    const named = this.#choose()
    const command = initiator.start(named)
    if (this.#prng.chance(ABORTED)) {
      void this.#abortSoon(initiator, () => initiator.abortTask(command))
    }
    if (this.#prng.chance(RESETS)) void this.reset(initiator)
    const answer = await command.answer
    totals.answers += 1
    const { name, lba, blocks, read, write } = named
    const seen = (read ?? write)?.slice(4, 12).join('.')
    trace.add(this.#name, `${name} ${lba}+${blocks} ${seen} ${outcomeOf(answer)}`)
    return this.#judge(named, answer)
  }

  #judge(named: Named, answer: Answer): boolean {
    const { totals } = this.#group
    if (answer.kind === 'aborted') {
      totals.aborted += 1
      return false
    }
    const { status, sense } = answer
    const compared = named.name === 'compares'
    if (compared && status === scsiStatus.checkCondition && isMiscompare(sense)) {
      totals.miscompares += 1
      this.#seen.delete(named.lba)
      return false
    }
    if (isMediumError(sense) && this.#mayBeLost(named)) {
      totals.mediumErrors += 1
      this.#seen.delete(named.lba)
      return false
    }
    if (status !== scsiStatus.good) {
      this.#group.violation(`${this.#name} saw an I/O error: ${status} ${sense?.join(' ') ?? ''}`)
      return false
    }
    if (compared) totals.swaps += 1
    if (named.name === 'unmaps') totals.unmaps += 1
    this.#remember(named)
    return true
  }

  #mayBeLost({ lba, blocks }: Named): boolean {
    const { blockBytes } = this.#group
    return this.#group.mayBeLost(lba * blockBytes, blocks * blockBytes)
  }

  #choose(): Named {
    const prng = this.#prng
    const runBlocks = RUN_BYTES / this.#group.blockBytes
    const run = prng.integer(0, 2)
    const first = run * runBlocks
    const blocks = prng.integer(1, 2)
    if (prng.chance(0.75)) {
      // The last one reaches from one lane into the next.
      const lba = first + prng.pick(run < 2 ? [0, 1, 1, 2, runBlocks - 1] : [0, 1, 2])
      return prng.chance(0.55) ? this.#write(lba, blocks) : this.#read(lba, blocks)
    }
    // Whole physical blocks begin here.
    const lba = first + PHYSICAL / 512
    switch (prng.pick(['read', 'read', 'write', 'same', 'unmap', 'zeros', 'compare', 'compare'])) {
      case 'read':
        return this.#read(lba, blocks)
      case 'write':
        return this.#write(lba, blocks)
      case 'same':
        return this.#writeSame(lba)
      case 'unmap':
        return this.#unmap(lba, prng.pick([1, blocks, PHYSICAL / this.#group.blockBytes]))
      case 'zeros':
        return this.#zeros(lba, blocks)
      default:
        return this.#compare(lba)
    }
  }

  #read(lba: number, blocks: number): Named {
    const into = new Uint8Array(blocks * this.#group.blockBytes)
    const observer = this.#history.reading(lba, into)
    return { name: 'reads', lba, blocks, cdb: readCdb(lba, blocks), read: into, observer }
  }

  #write(lba: number, blocks: number): Named {
    const data = new Uint8Array(blocks * this.#group.blockBytes)
    const observer = this.#history.writing(lba, data)
    return { name: 'writes', lba, blocks, cdb: writeCdb(lba, blocks), write: data, observer }
  }

  #writeSame(lba: number): Named {
    const data = new Uint8Array(this.#group.blockBytes)
    const observer = this.#history.writing(lba, data)
    const cdb = writeSameCdb(lba, 1, false)
    return { name: 'writes the same', lba, blocks: 1, cdb, write: data, observer }
  }

  #zeros(lba: number, blocks: number): Named {
    const data = new Uint8Array(this.#group.blockBytes)
    const observer = this.#history.clearing(lba, blocks)
    const cdb = writeSameCdb(lba, blocks, true)
    return { name: 'writes zeros', lba, blocks, cdb, write: data, observer }
  }

  #unmap(lba: number, blocks: number): Named {
    const observer = this.#history.clearing(lba, blocks)
    const list = unmapList(lba, blocks)
    return { name: 'unmaps', lba, blocks, cdb: unmapCdb(), write: list, observer }
  }

  #compare(lba: number): Named {
    const { blockBytes } = this.#group
    const data = new Uint8Array(2 * blockBytes)
    const seen = this.#seen.get(lba)
    if (seen !== undefined) data.set(seen)
    const observer = this.#history.comparing(lba, data)
    const cdb = compareAndWriteCdb(lba, 1)
    return { name: 'compares', lba, blocks: 1, cdb, write: data, observer }
  }

  /** What the first block of a command holds after it, as far as this initiator knows. */
  #remember({ name, lba, read, write }: Named): void {
    const { blockBytes } = this.#group
    if (name === 'unmaps' || name === 'writes zeros') this.#seen.delete(lba)
    else if (name === 'compares') this.#seen.set(lba, (write ?? nothing).slice(blockBytes))
    else this.#seen.set(lba, (read ?? write ?? nothing).slice(0, blockBytes))
  }

  /** Of the logical unit, for everybody. */
  async reset(initiator: Initiator): Promise<void> {
    const { totals, trace, timeline, resets } = this.#group
    const sentMs = timeline.nowMs
    const response = await initiator.resetLogicalUnit()
    trace.add(this.#name, `reset of ${sentMs}: ${response}`)
    if (response === 0) {
      totals.resets += 1
      resets.complete(sentMs)
    } else if (response === REJECTED) totals.resetsRejected += 1
    else if (response !== null) {
      this.#group.violation(`${this.#name} was answered ${response} to a reset`)
    }
  }

  async #abortSoon(initiator: Initiator, one: () => Promise<number | null>): Promise<void> {
    await sleep(this.#clock, this.#prng.unit() * ABORT_WITHIN_MS)
    const response = this.#prng.chance(SETS_ABORTED) ? await initiator.abortTaskSet() : await one()
    this.#group.trace.add(this.#name, `abort: ${response}`)
    if (response === null || response <= 1) return
    this.#group.violation(`${this.#name} was answered ${response} to an abort`)
  }
}

const nothing = new Uint8Array(0)

function isMediumError(sense: Uint8Array | null): boolean {
  const said = sense === null ? null : parseSense(sense)
  return said?.key === MEDIUM_ERROR && said.asc === 0x11 && said.ascq === 0
}

function outcomeOf(answer: Answer): string {
  return answer.kind === 'answered' ? String(answer.status) : answer.kind
}
