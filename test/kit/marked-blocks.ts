// Blocks of a volume that are like no others, so that a reader knows whether it got what was written, and a file can be
// searched for them.
import { expect } from 'vitest'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../../src/base/sizes.ts'
import { parseSense } from '../../src/initiator/cdb.ts'
import type { Initiator } from '../../src/initiator/initiator.ts'
import { connectTo } from './connect.ts'
import { TestGroup } from './group.ts'
import { primaryAt } from './primary-at.ts'

export const RUN_BLOCKS = RUN_BYTES / BLOCK_BYTES
/** Enough for every member to hold some. */
const RUNS = 12
export const MEDIUM_ERROR = { key: 3, asc: 0x11, ascq: 0 }

export function blockOf(lba: number, round: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK_BYTES)
  bytes.set(Buffer.from(`block ${lba} round ${round} `.repeat(200)).subarray(0, BLOCK_BYTES))
  return bytes
}

/** A group with a volume of a few runs, whose blocks have 4 KiB. */
export async function startMarkedGroup(
  name: string,
): Promise<{ readonly group: TestGroup; readonly volume: VolumeDetail }> {
  const group = await TestGroup.start('--copies', '1')
  const volume = await group.createVolume(name, RUNS * RUN_BYTES, BLOCK_BYTES)
  return { group, volume }
}

export class MarkedBlocks {
  readonly volume: VolumeDetail
  /** The first block of every run. */
  readonly firsts: readonly number[]
  readonly #initiator: Initiator

  /** Of a volume with blocks of 4 KiB, by way of m1. */
  static async connect(group: TestGroup, volume: VolumeDetail): Promise<MarkedBlocks> {
    const initiator = await connectTo(group, volume, { name: 'blocks', isid: '00023d0000d0' })
    return new MarkedBlocks(volume, initiator)
  }

  private constructor(volume: VolumeDetail, initiator: Initiator) {
    this.volume = volume
    this.#initiator = initiator
    const runs = Math.floor(volume.bytes / RUN_BYTES)
    this.firsts = Array.from({ length: runs }, (_, run) => run * RUN_BLOCKS)
  }

  homeOf(lba: number): string {
    return primaryAt(this.volume, lba * BLOCK_BYTES)
  }

  /** The first blocks of the runs that this member holds. */
  at(member: string): readonly number[] {
    return this.firsts.filter((lba) => this.homeOf(lba) === member)
  }

  async write(lba: number, round: number): Promise<void> {
    const answer = await this.#initiator.write(lba, blockOf(lba, round))
    expect(answer).toMatchObject({ kind: 'answered', status: 0 })
  }

  /** Pages of a run, but for its first, with bytes that nobody looks at. */
  async fill(lba: number): Promise<void> {
    const data = new Uint8Array(PAGE_BYTES).fill(0x0f)
    for (let at = PAGE_BYTES; at < RUN_BYTES; at += PAGE_BYTES) {
      const answer = await this.#initiator.write(lba + at / BLOCK_BYTES, data)
      expect(answer).toMatchObject({ kind: 'answered', status: 0 })
    }
  }

  /** The sense if it is refused; else whether the bytes are what was written in that round (0: nothing was). */
  async read(lba: number, round: number) {
    const into = new Uint8Array(BLOCK_BYTES)
    const answer = await this.#initiator.read(lba, 1, into)
    if (answer.kind !== 'answered') return answer.kind
    if (answer.status !== 0) return parseSense(answer.sense ?? new Uint8Array())
    const wanted = round === 0 ? new Uint8Array(BLOCK_BYTES) : blockOf(lba, round)
    return Buffer.compare(into, wanted) === 0 ? 'as written' : 'other bytes'
  }

  close(): Promise<void> {
    return this.#initiator.close()
  }
}
