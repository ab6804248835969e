// A volume that is not shared, hosts at two addresses of this machine, and the real members between them.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { VolumeDetail } from '../../src/api/schema.ts'
import { Prng } from '../../src/base/prng.ts'
import type { Initiator } from '../../src/initiator/initiator.ts'
import { SystemNet } from '../../src/io/net.ts'
import { connectTo } from '../kit/connect.ts'
import { TestGroup } from '../kit/group.ts'

/** As every QEMU that was given no name of its own. */
const SAME = 'iqn.2008-11.org.linux-kvm'

let group: TestGroup
let own: VolumeDetail

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
  const request = { name: 'own', bytes: 64 * 2 ** 20, blockBytes: 512, shared: false }
  own = (await group.call<VolumeDetail>('volumes', request)).body
})
afterAll(() => group.stop())

const logOf = (member: string) => readFile(join(group.dataFolder, member, 'member.log'), 'utf8')

let seed = 0
function connect(from: string, member: string, initiatorName = SAME): Promise<Initiator> {
  seed += 1
  const at = { net: new SystemNet({ from }), prng: new Prng(seed) }
  return connectTo(group, own, { ...at, name: initiatorName, member })
}

test('one name at two addresses is two hosts: the second is refused, and the log says what a shared volume is for', async () => {
  const first = await connect('127.0.0.1', 'm1')
  const block = new Uint8Array(512).fill(1)
  expect(await first.write(0, block)).toMatchObject({ status: 0 })
  for (const member of ['m1', 'm2']) {
    await expect(connect('127.0.0.2', member)).rejects.toThrow('0202')
    const sentence = `volume 'own' is not shared, and ${SAME} at 127.0.0.1 has it`
    await expect.poll(() => logOf(member)).toContain(sentence)
    expect(await logOf(member)).toContain('--shared')
  }
  await expect(connect('127.0.0.1', 'm2', 'iqn.2026-11.test:other')).rejects.toThrow('0202')
  expect(await first.write(0, block)).toMatchObject({ status: 0 })
  const sessions = await group.sessions()
  expect(sessions.map(({ volume, source }) => [volume, source])).toEqual([['own', '127.0.0.1']])

  const sibling = await connect('127.0.0.1', 'm3') // another program of that host
  expect(await sibling.write(8, block)).toMatchObject({ status: 0 })
  await Promise.all([first.close(), sibling.close()])
  const second = await connect('127.0.0.2', 'm2')
  const read = new Uint8Array(512)
  expect(await second.read(0, 1, read)).toMatchObject({ status: 0 })
  expect(read).toEqual(block)
  await second.close()
})
