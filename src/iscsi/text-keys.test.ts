import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../base/protocol-error.ts'
import { decodeText, encodeText } from '../base/text.ts'
import { formatIsid, formatPortal, normalizeName, parsePortal, writeIsid } from './names.ts'
import { isAskedFor, parseTargets, printTargets } from './send-targets.ts'
import { parseKeys, parseNumber, TextGatherer } from './text-keys.ts'

describe('text keys (RFC 7143 §6.1)', () => {
  it('reads pairs with and without the last zero byte, and through padding', () => {
    const text =
      'InitiatorName=iqn.2026-11.dev:a\0iSCSIProtocolLevel=1\0X-odd.key=1=2\0\0\0SessionType=Normal'
    expect(parseKeys(encodeText(text))).toEqual([
      { key: 'InitiatorName', value: 'iqn.2026-11.dev:a' },
      { key: 'iSCSIProtocolLevel', value: '1' },
      { key: 'X-odd.key', value: '1=2' },
      { key: 'SessionType', value: 'Normal' },
    ])
  })

  it.each([
    ['no equals sign', 'HeaderDigest\0'],
    ['an empty key', '=None\0'],
    ['a key that begins with a digit', '1HeaderDigest=None\0'],
    ['a long key', `A${'b'.repeat(63)}=1\0`],
    ['a long value', `Alias=${'b'.repeat(8193)}\0`],
    ['too many keys', 'A=1\0'.repeat(129)],
  ])('refuses %s', (_, text) => {
    expect(() => parseKeys(encodeText(text))).toThrow(ProtocolError)
  })

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseKeys(Uint8Array.of(0x41, 0x3d, 0xff, 0))).toThrow(ProtocolError)
  })

  it('any bytes give pairs or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        try {
          for (const { key } of parseKeys(bytes)) expect(key.length).toBeLessThanOrEqual(63)
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
    )
  })

  it('reads decimal and hexadecimal numbers, and nothing else', () => {
    expect(parseNumber('262144')).toBe(262_144)
    expect(parseNumber('0xFf')).toBe(255)
    for (const value of ['', '-1', '1.5', '1e3', '007', '0x', ' 1', '99999999999999999999']) {
      expect(parseNumber(value)).toBeNull()
    }
  })

  it('bounds text that goes over many PDUs', () => {
    const gatherer = new TextGatherer()
    for (let i = 0; i < 64; i += 1) gatherer.add(new Uint8Array(1024))
    expect(() => gatherer.add(new Uint8Array(1))).toThrow(ProtocolError)
  })
})

describe('names', () => {
  it('takes the names of real initiators, in one form', () => {
    expect(normalizeName('iqn.1993-08.org.Debian:01:AbC')).toBe('iqn.1993-08.org.debian:01:abc')
    for (const name of [
      'iqn.2007-10.com.github:sahlberg:libiscsi:iscsi-test',
      'iqn.2008-11.org.linux-kvm:vm-1',
      'iqn.2008-11.org.linux-kvm',
      'iqn.1991-05.com.microsoft:host.example.com',
      'eui.02004567a425678d',
      'naa.52004567ba64678d',
    ]) {
      expect(normalizeName(name)).toBe(name)
    }
    for (const name of ['', 'host', 'iqn.26-11.x', 'iqn.2026-11.', 'eui.1', 'iqn.2026-11.a/b']) {
      expect(normalizeName(name)).toBeNull()
    }
  })

  it('bounds a name by its bytes in UTF-8 (§4.2.7.1), and takes nothing that cannot be seen', () => {
    const named = (end: string) => normalizeName(`iqn.2026-11.dev:${end}`)
    expect(named('a'.repeat(207))).not.toBeNull()
    expect(named('a'.repeat(208))).toBeNull()
    expect(named('漢'.repeat(69))).not.toBeNull()
    expect(named('漢'.repeat(70))).toBeNull()
    // Its small form has three bytes instead of two.
    expect(named('İ'.repeat(103))).toBeNull()
    for (const unseen of ['\u001b[2J', '\u007f', '\u0085', '\u202e', '\ue000']) {
      expect(named(`a${unseen}`)).toBeNull()
    }
  })

  it('writes ISIDs as they are compared', () => {
    const bytes = new Uint8Array(8)
    writeIsid(bytes, 1, '80123456789a')
    expect([...bytes]).toEqual([0, 0x80, 0x12, 0x34, 0x56, 0x78, 0x9a, 0])
    expect(formatIsid(bytes, 1)).toBe('80123456789a')
  })

  it('reads and writes portals', () => {
    expect(parsePortal('10.0.0.1:3261,1')).toEqual({ host: '10.0.0.1', port: 3261 })
    expect(parsePortal('[fe80::1]:3260')).toEqual({ host: 'fe80::1', port: 3260 })
    expect(parsePortal('storage.example')).toEqual({ host: 'storage.example', port: 3260 })
    expect(parsePortal(formatPortal('fe80::1', 3262))).toEqual({ host: 'fe80::1', port: 3262 })
    for (const text of ['', ':3260', 'a:0', 'a:70000', 'a b', 'fe80::1', 'a:1,x']) {
      expect(parsePortal(text)).toBeNull()
    }
  })
})

describe('SendTargets (§13.3, appendix C)', () => {
  it('asks and answers', () => {
    const targets = [
      { name: 'iqn.t:1', addresses: ['10.0.0.1:3260'] },
      { name: 'iqn.t:2', addresses: ['10.0.0.1:3260', '10.0.0.2:3260'] },
    ]
    const text = printTargets(targets, 1)
    const begin = 'TargetName=iqn.t:1\0TargetAddress=10.0.0.1:3260,1\0TargetName=iqn.t:2\0'
    expect(decodeText(text).startsWith(begin)).toBe(true)
    expect(parseTargets(text).map(({ name, addresses }) => [name, addresses.length])).toEqual([
      ['iqn.t:1', 1],
      ['iqn.t:2', 2],
    ])
  })

  it.each([
    ['a discovery session', null, { All: ['t:1', 't:2'], 't:1': ['t:1'], '': [] }],
    ['the session of t:1', 't:1', { All: [], 't:1': ['t:1'], 't:2': [], '': ['t:1'] }],
  ])('names to %s what it may hear of', (_, own, answers) => {
    for (const [wanted, names] of Object.entries(answers)) {
      expect(['t:1', 't:2'].filter((name) => isAskedFor(name, wanted, own))).toEqual(names)
    }
  })
})
