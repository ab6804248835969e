// Initiators that ask and do not read, offer and do not send, or say nothing at all, against one real member: its memory
// stays bounded, and who behaves is served and can log in meanwhile.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import type { Initiator } from '../../src/initiator/initiator.ts'
import { connectTo } from '../kit/connect.ts'
import { type Greed, Greedy, MostResident, residentMiB } from '../kit/greedy.ts'
import { TestGroup } from '../kit/group.ts'

const MIB = 2 ** 20
const EACH = 8
/** Almost nothing is written: neither index nor overlay count. */
const RESIDENT_MIB = 256
/** More than there may be of one address, all at once. */
const SILENT = 4096
const CONNECTED_AT_ONCE = 64
const COMMANDS = 400

let group: TestGroup
let volume: VolumeDetail

beforeAll(async () => {
  group = await TestGroup.start('--members', '1')
  volume = await group.createVolume('greedy', 512 * MIB, BLOCK_BYTES)
})
afterAll(async () => {
  await group.stop()
})

function behaving(writer: number): Promise<Initiator> {
  const isid = `00023d0001${writer.toString(16).padStart(2, '0')}`
  return connectTo(group, volume, { name: `good-${writer}`, isid })
}

/** Reads and writes; every answer is GOOD. */
async function work(initiator: Initiator): Promise<void> {
  const bytes = new Uint8Array(BLOCK_BYTES)
  for (let i = 0; i < COMMANDS; i += 1) {
    const lba = i % 64
    const answer = i % 2 ? await initiator.read(lba, 1, bytes) : await initiator.write(lba, bytes)
    expect(answer).toMatchObject({ kind: 'answered', status: 0 })
  }
}

const scenes: readonly (readonly Greed[])[] = [['reads', 'writes'], ['halfWrites'], ['nops']]

test.each(scenes.map((greeds) => ({ greeds })))(
  'a member stays within bounds, and serves, beside eight initiators of each of $greeds',
  async ({ greeds }) => {
    const pid = (await group.status()).members[0]?.pid ?? 0
    const good = await behaving(1)
    const most = new MostResident(pid)
    const all: Greedy[] = []
    for (const greed of greeds) {
      for (let i = 0; i < EACH; i += 1) {
        all.push(await Greedy.connect(group.portOf('m1'), volume.iqn, `${greed}-${i}`, greed))
      }
    }
    await work(good)
    for (const one of all) one.close()
    const mib = most.stop()
    console.log(
      `${greeds.join(' + ')}: ${mib.toFixed(0)} MiB at most, ${residentMiB(pid).toFixed(0)} at the end`,
    )
    expect(mib).toBeLessThanOrEqual(RESIDENT_MIB)
    await good.close()
  },
)

test('an initiator logs in through thousands of connections that say nothing', async () => {
  const silent: Socket[] = []
  for (let from = 0; from < SILENT; from += CONNECTED_AT_ONCE) {
    const some = Array.from({ length: CONNECTED_AT_ONCE }, () => {
      const socket = connect(group.portOf('m1'), '127.0.0.1')
      socket.on('error', () => {})
      return socket
    })
    await Promise.all(some.map((socket) => once(socket, 'connect')))
    silent.push(...some)
  }
  const good = await behaving(2)
  await work(good)
  await good.close()
  for (const socket of silent) socket.destroy()
})
