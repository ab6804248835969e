import { expect, it } from 'vitest'
import { type Address, formatAddress, parseAddress } from './net.ts'

it('an address is read as it was written', () => {
  const addresses: Address[] = [
    { kind: 'unix', path: '/data/m1/peer.sock' },
    { kind: 'tcp', host: '127.0.0.1', port: 3260 },
    { kind: 'tcp', host: 'm1', port: 1 },
    { kind: 'tcp', host: 'fe80::1', port: 65_535 },
  ]
  for (const address of addresses) expect(parseAddress(formatAddress(address))).toEqual(address)
  expect(formatAddress({ kind: 'tcp', host: '::1', port: 5 })).toBe('[::1]:5')
})
