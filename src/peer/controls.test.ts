import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../base/protocol-error.ts'
import { Body, Controls, nothing } from './controls.ts'
import type { Json } from './message.ts'

function readOrder(json: Json) {
  const body = new Body(json)
  const names = body.list('names').map((one) => (typeof one === 'string' ? one : ''))
  const of = { id: body.whole('id'), name: body.text('name'), sure: body.flag('sure') }
  return { ...of, names, more: body.json('more') }
}

const order = { id: 7, name: 'n', sure: true, names: ['a'], more: { x: 1 } }

describe('controls', () => {
  it('P9 a body is read whole before it is answered', () => {
    const controls = new Controls()
    controls.on('order', readOrder, (one, from) => [one.id, one.name, from])
    expect(controls.answer('m2', 'order', order)).toEqual([7, 'n', 'm2'])
  })

  it('P9 whatever is malformed has no effect, and null for an answer', () => {
    const malformed: string[] = []
    const controls = new Controls((from, kind) => malformed.push(`${from} ${kind}`))
    let answered = 0
    controls.on('order', readOrder, () => {
      answered += 1
      return 'done'
    })
    const without = (name: keyof typeof order) => {
      const { [name]: _, ...rest } = order
      return rest
    }
    const bad: Json[] = [null, 7, 'order', [], {}, [order], { ...order, id: -1 }]
    bad.push({ ...order, id: 1.5 }, { ...order, name: '' }, { ...order, sure: 1 })
    bad.push({ ...order, names: 'a' }, without('id'), without('name'), without('names'))
    for (const body of bad) expect(controls.answer('m2', 'order', body)).toBeNull()
    expect(answered).toBe(0)
    expect(malformed).toEqual(bad.map(() => 'm2 order'))
    expect(controls.answer('m2', 'unheard of', order)).toBeNull()
    expect(controls.answer('m2', 'order', without('more'))).toBe('done')
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        expect([null, 'done']).toContain(controls.answer('m2', 'order', body as Json))
      }),
    )
  })

  it('P9 what fails behind a body that was read is a fault of this member, and is not hidden', () => {
    const controls = new Controls()
    controls.on('fails', nothing, () => {
      throw new Error('a fault')
    })
    expect(() => controls.answer('m2', 'fails', null)).toThrow('a fault')
  })

  it('P10 a body that names another author has no effect', () => {
    const controls = new Controls()
    const read = (json: Json, from: string) => {
      const author = new Body(json).text('member')
      if (author !== from) throw new ProtocolError(`${author} is not ${from}`, 'test')
      return author
    }
    controls.on('report', read, (author) => author)
    expect(controls.answer('m2', 'report', { member: 'm2' })).toBe('m2')
    expect(controls.answer('m3', 'report', { member: 'm2' })).toBeNull()
  })
})
