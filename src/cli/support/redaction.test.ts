import { describe, expect, test } from 'vitest'
import { Redaction, targetsOf } from './redaction.ts'

const known = { targets: targetsOf('iqn.2026-11.dev.evenkeel', 'g'), members: ['m1', 'm2'] }
const fresh = (isPlain = false) => new Redaction(known, isPlain)

describe('names and addresses', () => {
  test('RD1 one initiator has one number, in capitals, percent-encoded and at the end of a sentence', () => {
    const redaction = fresh()
    const text =
      'iqn.1993-08.org.debian:01:AbC at 192.0.2.7 logged in. session/1/iqn.1993-08.org.debian%3A01%3Aabc/x' +
      ' {"initiator":"iqn.1993-08.org.debian:01:abc"} of iqn.1991-05.com.microsoft:host. eui.02004567A425678D'
    expect(redaction.text(text)).toBe(
      'initiator-1 at address-1 logged in. session/1/initiator-1/x' +
        ' {"initiator":"initiator-1"} of initiator-2. initiator-3',
    )
    expect(redaction.text('again iqn.1991-05.com.microsoft:host')).toBe('again initiator-2')
    expect(redaction.counts).toEqual({ initiator: 3, address: 1, host: 0, user: 0 })
  })

  test('RD1 an address in an IPv6 address is the same one', () => {
    expect(fresh().text('[2001:db8::5]:3260 ::ffff:192.0.2.7 192.0.2.7:3260 fe80::1%eth0')).toBe(
      '[address-1]:3260 address-2 address-2:3260 address-3',
    )
  })

  test('RD2 target names, loopback and everywhere stay, and what only looks like an address', () => {
    const text =
      'iscsi://127.0.0.1:3260/iqn.2026-11.dev.evenkeel:g-12/0 [::1]:3259 0.0.0.0 [::] 10:20:30 24.21.0 1.2.3.4.5 "namingAuthority":"iqn.2026-11.dev.evenkeel"'
    expect(fresh().text(text)).toBe(text)
    expect(fresh().text('iqn.2026-11.dev.evenkeel:host1')).toBe('initiator-1')
  })

  test('RD2 hosts and users are numbered, but no member is taken for a host', () => {
    const redaction = fresh()
    for (const host of ['san1.example.org', 'san1', 'm1', 'localhost', '192.0.2.1', 'x'])
      redaction.learn(host, 'host')
    const text = 'http://san1.example.org:3259 san1 SAN1 san12 m1 localhost x'
    expect(redaction.text(text)).toBe('http://host-1:3259 host-2 host-2 san12 m1 localhost x')
    expect(redaction.text('(evenkeel, ann) /home/ann/data /Users/bob/x')).toBe(
      '(evenkeel, user-1) /home/user-1/data /Users/user-2/x',
    )
  })

  test('an initiator that calls itself anything is known by where it stands', () => {
    const redaction = fresh()
    redaction.learn('host of Ann', 'initiator')
    expect(redaction.text('"initiator":"host of Ann" host of Ann logged in')).toBe(
      '"initiator":"initiator-1" initiator-1 logged in',
    )
  })
})

test('RD3 secrets are gone, with --plain too; names stay with it', () => {
  const text = '{"chapSecret": "a\\"b", "apiToken":"t", "name":"iqn.1993-08.org.debian:a"}'
  expect(fresh(true).text(text)).toBe(
    '{"chapSecret": "(removed)", "apiToken":"(removed)", "name":"iqn.1993-08.org.debian:a"}',
  )
  expect(fresh(true).text('api:\n  password: x y\n  port: 1\n')).toBe(
    'api:\n  password: (removed)\n  port: 1\n',
  )
})
