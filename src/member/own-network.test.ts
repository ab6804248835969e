import { expect, test } from 'vitest'
import { OwnNetwork, type OwnNetworkSettings } from './own-network.ts'

/** Two interfaces: of the first the speed is known. */
const system = {
  interfaceOf: (host: string) =>
    host.startsWith('192.0.2.') ? 'eth0' : host.startsWith('198.51.100.') ? 'eth1' : null,
  speedOf: (name: string) => (name === 'eth0' ? 1e9 : null),
}

function bytesPerSecond(more: Partial<OwnNetworkSettings>): number {
  const settings = { configured: null, host: '192.0.2.1', others: () => [], nowMs: () => 0 }
  return new OwnNetwork({ ...settings, ...more }, system).bytesPerSecond
}

test.each<[string, Partial<OwnNetworkSettings>, number]>([
  ['has an interface of its own', {}, 125_000_000],
  ['is reached by it alone', { others: () => ['198.51.100.2', '203.0.113.9'] }, 125_000_000],
  ['shares it with another member', { others: () => ['198.51.100.2', '192.0.2.2'] }, 0],
  ['has one whose speed nobody knows', { host: '198.51.100.1' }, 0],
  ['is reached by a name', { host: 'storage.example' }, 0],
  ['is told how fast it is', { configured: 8e9, others: () => ['192.0.2.2'] }, 1e9],
  ['is told that it is shared', { configured: 0 }, 0],
])('ON1 a member that %s', (_, more, bytes) => {
  expect(bytesPerSecond(more)).toBe(bytes)
})

test('ON1 who comes later to the same interface is seen within half a minute', () => {
  const others: string[] = []
  let nowMs = 0
  const own = new OwnNetwork(
    { configured: null, host: '192.0.2.1', others: () => others, nowMs: () => nowMs },
    system,
  )
  expect(own.bytesPerSecond).toBe(125_000_000)
  others.push('192.0.2.2')
  nowMs += 30_000
  expect(own.bytesPerSecond).toBe(0)
})
