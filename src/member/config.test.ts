import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memberId } from '../base/ids.ts'
import { refuseGroup } from '../group/founding.ts'
import { boundsDefaults } from '../target/memory-bounds.ts'
import { ConfigError, loadConfig, parseConfig } from './config-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-config-'))
})
afterAll(() => rm(folder, { recursive: true }))

const least = { memberId: 'm1', dataFolder: 'm1', coordinationFile: 'coordination.sqlite' }

describe('the configuration of a member', () => {
  test('has a default for whatever can have one, and paths relative to its file', async () => {
    const file = join(folder, 'm1.yaml')
    await writeFile(
      file,
      'memberId: m1\ndataFolder: m1\ncoordinationFile: ../coordination.sqlite\n',
    )
    expect(await loadConfig(file)).toEqual({
      memberId: 'm1',
      launcherFile: null,
      groupName: 'group',
      dataFolder: join(folder, 'm1'),
      coordinationFile: join(folder, '..', 'coordination.sqlite'),
      founders: [memberId('m1')],
      copies: 1,
      slices: 1024,
      namingAuthority: 'iqn.2026-11.dev.evenkeel',
      portal: { host: '127.0.0.1', port: 3260 },
      announce: null,
      groupAddress: null,
      peer: join(folder, 'm1', 'peer.sock'),
      api: { host: '127.0.0.1', port: 3259 },
      placement: 'on',
      balance: null,
      policy: {},
      journalBytes: 1024 ** 3,
      slotsPerSegment: 256,
      bounds: boundsDefaults,
      budgetBytes: null,
      networkBitsPerSecond: null,
      cacheBytes: null,
      scrubDays: 7,
      accept: 'nothing',
      standIn: 'on',
      insecure: false,
    })
  })

  test('C1 the command line may say insecure for the file', async () => {
    const file = join(folder, 'open.yaml')
    await writeFile(file, JSON.stringify({ ...least, portal: { host: '192.0.2.5' } }))
    await expect(loadConfig(file)).rejects.toThrow(/beyond loopback/)
    expect((await loadConfig(file, { insecure: true })).portal.host).toBe('192.0.2.5')
  })

  test('C1 a listener beyond loopback needs insecure', () => {
    const open = { ...least, portal: { host: '192.0.2.5', port: 3260 } }
    expect(() => parseConfig(open, '/etc/m1.yaml')).toThrow(
      /portal\.host: 192\.0\.2\.5 is beyond loopback.*--insecure, or insecure: true/,
    )
    expect(() => parseConfig({ ...least, api: { host: '::' } }, '/etc/m1.yaml')).toThrow(
      /api\.host/,
    )
    expect(() =>
      parseConfig({ ...least, api: { host: '127.evil.example' } }, '/etc/m1.yaml'),
    ).toThrow(/api\.host/)
    expect(parseConfig({ ...open, insecure: true }, '/etc/m1.yaml').portal.host).toBe('192.0.2.5')
    expect(
      parseConfig({ ...least, portal: { host: '127.0.0.2' } }, '/etc/m1.yaml').portal.port,
    ).toBe(3260)
  })

  test('C3 who listens on every address says which one others are told', async () => {
    const parse = (more: object) =>
      parseConfig({ ...least, insecure: true, ...more }, '/etc/m1.yaml')
    for (const host of ['0.0.0.0', '0', '::', '[::]', '0:0::0', '::ffff:0.0.0.0']) {
      for (const name of ['portal', 'api']) {
        expect(() => parse({ [name]: { host } }), host).toThrow(
          /host: \S+ is every address of this host, and nobody can be sent there: say with announce/,
        )
        expect(parse({ [name]: { host }, announce: 'storage.lan' }).announce).toBe('storage.lan')
      }
    }
    for (const announce of [
      '0.0.0.0',
      '::',
      '192.0.2.5:3260',
      'http://a',
      'fe80::1%eth0',
      '',
      'a b',
    ])
      expect(() => parse({ announce }), announce).toThrow(
        /announce: announce is the address or the/,
      )
    for (const groupAddress of ['0.0.0.0:3260', '[::]:3260', 'a:b:c', 'http://a', '2001:db8::5'])
      expect(() => parse({ groupAddress }), groupAddress).toThrow(
        /groupAddress is a host and a port/,
      )
    const groupAddress = '[2001:db8::5]:3260'
    expect(parse({ groupAddress }).groupAddress).toBe(groupAddress)
    expect(parse({ announce: '[2001:db8::5]' }).announce).toBe('2001:db8::5')
    expect(parse({ portal: { host: '[::1]' } }).portal.host).toBe('::1')
    const file = join(folder, 'every.yaml')
    await writeFile(file, JSON.stringify({ ...least, portal: { host: '::' } }))
    const said = { insecure: true, announce: '192.0.2.5' }
    expect((await loadConfig(file, said)).announce).toBe('192.0.2.5')
  })

  test('C2 a mistake is named with its field, and nothing is ignored', () => {
    const wrong = { ...least, memberId: 'M 1', journalBytes: 5, colour: 'red' }
    expect(() => parseConfig(wrong, '/etc/m1.yaml')).toThrow(ConfigError)
    expect(() => parseConfig(wrong, '/etc/m1.yaml')).toThrow(
      /m1\.yaml: .*memberId: 'M 1' cannot name a member: use 1 to 32.*journalBytes.*colour/s,
    )
    expect(() => parseConfig(null, '/etc/m1.yaml')).toThrow(ConfigError)
    const deep = { ...least, dataFolder: `/${'d'.repeat(120)}` }
    expect(() => parseConfig(deep, '/etc/m1.yaml')).toThrow(
      /peer: a Unix socket has a path of at most 107 bytes/,
    )
  })

  test('C2 what is missing and what is unknown is said in words', () => {
    expect(() =>
      parseConfig({ memberId: memberId('m1'), foo: 3, bounds: { bar: 1 } }, '/etc/m1.yaml'),
    ).toThrow(
      '/etc/m1.yaml: dataFolder is needed; coordinationFile is needed; there is no setting bounds.bar; there is no setting foo',
    )
    expect(() => parseConfig({ memberId: memberId('m1'), dataFolder: 7 }, '/etc/m1.yaml')).toThrow(
      /dataFolder: .*expected string.*; coordinationFile is needed/,
    )
  })

  test('C4 no group is configured that cannot be founded', () => {
    const bad: [object, RegExp][] = [
      [{ memberId: 'm1-' }, /memberId: 'm1-' cannot name a member/],
      [{ groupName: 'a-' }, /groupName: 'a-' cannot name a group/],
      [{ slices: 16_385 }, /slices: A group has 1 to 16384 slices, not 16385;|16385$/],
      [
        { slices: 2, founders: [memberId('m1'), memberId('m2'), memberId('m3')] },
        /founders: A group of 3 members needs/,
      ],
      [
        { founders: [memberId('m1'), memberId('m1')] },
        /founders: A member can found a group only once/,
      ],
      [{ copies: 0 }, /copies: A group keeps 1 to 3 copies, not 0$/],
      [{ copies: 2 }, /copies: 2 copies need as many members, and there is 1$/],
      [{ founders: ['m1', 'M'] }, /founders\.1: 'M' cannot name a member/],
      [{ namingAuthority: 'iqn.2026-13.dev' }, /namingAuthority: 'iqn.2026-13.dev' is no naming/],
    ]
    for (const [more, sentence] of bad) {
      expect(() => parseConfig({ ...least, ...more }, '/etc/m1.yaml')).toThrow(sentence)
    }
    fc.assert(
      fc.property(
        fc.record({
          memberId: fc.stringMatching(/^[a-z0-9-]{1,34}$/),
          groupName: fc.stringMatching(/^[a-z0-9-]{1,34}$/),
          slices: fc.integer({ min: -1, max: 20_000 }),
          namingAuthority: fc.stringMatching(/^iqn\.20\d\d-[01]\d\.[a-z0-9.-]{1,12}$/),
        }),
        ({ memberId: id, groupName, slices, namingAuthority }) => {
          const config = { ...least, memberId: id, groupName, slices, namingAuthority }
          let isTaken = true
          try {
            parseConfig(config, '/etc/m1.yaml')
          } catch {
            isTaken = false
          }
          const refused = refuseGroup({ name: groupName, slices, namingAuthority }, [memberId(id)])
          expect(isTaken).toBe(refused === null)
        },
      ),
    )
  })

  test('C2 a file that cannot be read or parsed is named', async () => {
    await expect(loadConfig(join(folder, 'none.yaml'))).rejects.toThrow(/none\.yaml does not exist/)
    const file = join(folder, 'broken.yaml')
    await writeFile(file, 'memberId: [m1\n')
    await expect(loadConfig(file)).rejects.toThrow(/broken\.yaml is neither YAML nor JSON: .*\d$/)
  })
})
