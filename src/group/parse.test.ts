import { describe, expect, it } from 'vitest'
import {
  parseGroup,
  parseMember,
  parseMove,
  parseSession,
  parseSlice,
  parseVolume,
} from './parse.ts'
import { RECORD_FORMAT } from './record.ts'

const good = {
  group: {
    format: RECORD_FORMAT,
    name: 'lab',
    groupId: 'g',
    incarnation: 'i',
    lineage: [{ incarnation: 'h', endedAt: 5 }],
    slices: 64,
    namingAuthority: 'iqn.2026-11.dev.x',
  },
  member: { id: 'm1', bootId: 'b', portal: 'h:1', peer: 'h:2', api: 'http://h:3', draining: false },
  volume: {
    id: 1,
    name: 'data',
    iqn: 'iqn.x:1',
    bytes: 4096,
    blockBytes: 512,
    shared: false,
    lanes: [0, 5],
    view: 1,
    createdAt: '',
  },
  slice: { epoch: 3, primary: 'm1', inSync: ['m1'], want: ['m1'], min: 1 },
  session: {
    volume: 1,
    initiator: 'iqn.x:i',
    isid: '00023d000001',
    source: '',
    owner: 'm1',
    gen: 1,
    loginToken: 't',
    state: 'dead',
    move: { id: 'x', to: 'm2', open: true },
    since: '',
  },
  move: {
    id: 'x',
    session: 4,
    volume: 1,
    initiator: 'iqn.x:i',
    from: 'm1',
    to: 'm2',
    reason: 'why',
    code: 'c',
    by: 'balance',
    predicted: { gain: 1, price: 2, from: { before: 1, after: 2 }, to: { before: 3, after: 4 } },
    observed: -0.5,
    pauseMs: 12.25,
    outcome: 'returned',
    at: '',
  },
}

const parsers: { readonly [name in keyof typeof good]: (value: string) => unknown } = {
  group: parseGroup,
  member: parseMember,
  volume: parseVolume,
  slice: parseSlice,
  session: parseSession,
  move: parseMove,
}

describe('records', () => {
  for (const name of Object.keys(good) as (keyof typeof good)[]) {
    const parse = parsers[name]
    it(`a ${name} reads back as written; fields that nobody knows are dropped`, () => {
      expect(parse(JSON.stringify(good[name]))).toEqual(good[name])
      expect(parse(JSON.stringify({ ...good[name], more: 1 }))).toEqual(good[name])
    })

    it(`a ${name} with any field missing or of another type is refused by the field's name`, () => {
      const optional = ['move', 'predicted', 'observed', 'pauseMs', 'outcome']
      for (const field of Object.keys(good[name])) {
        const wrong = parse(JSON.stringify({ ...good[name], [field]: { odd: true } }))
        expect(wrong).toMatch(new RegExp(`record of .* has a bad |its ${field}`))
        if (optional.includes(field)) continue
        const missing = parse(JSON.stringify({ ...good[name], [field]: undefined }))
        expect(missing).toMatch(new RegExp(`has a bad ${field}: nothing`))
      }
    })

    it(`a ${name} that is no JSON object is refused`, () => {
      expect(parse('{')).toMatch(/is not JSON/)
      for (const value of ['null', '[]', '7', '"x"']) expect(parse(value)).toMatch(/no JSON object/)
    })
  }

  it('values out of range are refused', () => {
    const bad = (parse: (value: string) => unknown, record: object, some: object) =>
      expect(parse(JSON.stringify({ ...record, ...some }))).toMatch(/has a bad/)
    bad(parseSession, good.session, { gen: 0 })
    bad(parseSession, good.session, { isid: '00023D000001' })
    bad(parseSession, good.session, { state: 'asleep' })
    bad(parseSession, good.session, { owner: '' })
    bad(parseVolume, good.volume, { blockBytes: 1024 })
    bad(parseVolume, good.volume, { lanes: [] })
    bad(parseVolume, good.volume, { lanes: [0.5] })
    bad(parseSlice, good.slice, { epoch: 2 ** 53 })
    bad(parseSlice, good.slice, { inSync: [1] })
    bad(parseMove, good.move, { by: 'chance' })
    bad(parseMove, good.move, { outcome: 'odd' })
  })

  it('a slice that nobody could have, or nobody could write to, is refused', () => {
    const slice = { epoch: 3, primary: 'm1', inSync: ['m1', 'm2'], want: ['m2', 'm1'], min: 1 }
    const wrong = (some: object) => parseSlice(JSON.stringify({ ...slice, ...some }))
    expect(wrong({})).toEqual(slice)
    expect(wrong({ want: ['m1', 'm3'] })).toMatchObject({ inSync: ['m1', 'm2'] })
    for (const [some, why] of [
      [{ inSync: [] }, 'its primary is not in sync'],
      [{ primary: 'm3' }, 'its primary is not in sync'],
      [{ inSync: ['m1', 'm1'] }, 'a member is in sync twice'],
      [{ want: ['m1', 'm1'] }, 'a member is wanted twice'],
      [{ want: [] }, '1 to 3 members are to have it, not 0'],
      [{ want: ['m1', 'm2', 'm3', 'm4'] }, '1 to 3 members are to have it, not 4'],
      [{ min: 3 }, 'it needs 3 members in sync, and wants 2'],
    ] as const)
      expect(wrong(some)).toBe(`The record of a slice cannot be: ${why}.`)
  })

  it('a group of a newer format is refused with the format and what to do', () => {
    expect(
      parseGroup(JSON.stringify({ ...good.group, format: RECORD_FORMAT + 1, name: 'lab' })),
    ).toBe(
      `The group lab has record format ${RECORD_FORMAT + 1}; this version of Evenkeel knows format ${RECORD_FORMAT}. Use a newer one.`,
    )
  })

  it('a group of an earlier development version is refused with what to do', () => {
    const { incarnation: _, lineage: __, ...before } = good.group as Record<string, unknown>
    expect(parseGroup(JSON.stringify({ ...before, format: 1 }))).toBe(
      'The group lab has record format 1; it was made by an earlier development version. Start with a new data folder.',
    )
  })
})
