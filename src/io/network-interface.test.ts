import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { interfaceOf, speedOf } from './network-interface.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-net-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('the interface that has an address is found by it, and a name is no address', () => {
  expect(interfaceOf('127.0.0.1')).toBe('lo')
  expect(interfaceOf('192.0.2.77')).toBeNull()
  expect(interfaceOf('localhost')).toBeNull()
})

test.each<[string, readonly string[], string | null, number | null]>([
  ['a device', ['device'], '10000\n', 1e10],
  ['a bond of devices', ['bonding'], '2000\n', 2e9],
  ['a device whose link is down', ['device'], '-1\n', null],
  ['a device that tells nothing', ['device'], null, null],
  ['a bridge', ['bridge'], '10000\n', null],
  ['the end of a pair, as a container has it', [], '10000\n', null],
])('the speed of %s', async (name, inside, speed, bits) => {
  const at = join(folder, name)
  await mkdir(at)
  for (const one of inside) await mkdir(join(at, one))
  if (speed !== null) await writeFile(join(at, 'speed'), speed)
  expect(speedOf(name, folder)).toBe(bits)
})
