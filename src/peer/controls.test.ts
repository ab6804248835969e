import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memberId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import {
  Body,
  bytesMessage,
  type Control,
  type ControlKind,
  Controls,
  message,
  nothing,
  question,
} from './controls.ts'
import type { Json } from './message.ts'

function readOrder(json: Json) {
  const body = new Body(json)
  const names = body.list('names').map((one) => (typeof one === 'string' ? one : ''))
  const of = { id: body.whole('id'), name: body.text('name'), sure: body.flag('sure') }
  return { ...of, names, more: body.json('more') }
}

const order = { id: 7, name: 'n', sure: true, names: ['a'], more: { x: 1 } }

function scene(table: Partial<Record<ControlKind, Control>>) {
  const malformed: string[] = []
  const controls = new Controls(table, (from, kind) => malformed.push(`${from} ${kind}`))
  return { controls, malformed }
}

describe('controls', () => {
  it('P9 a body is read whole before it is answered', () => {
    const heard: unknown[] = []
    const { controls } = scene({
      grant: question(readOrder, (one, from) => [one.id, one.name, from]),
      renew: message(readOrder, (one, from) => heard.push(one.id, from)),
    })
    expect(controls.answer(memberId('m2'), 'grant', order)).toEqual([7, 'n', 'm2'])
    expect(controls.answer(memberId('m2'), 'renew', order)).toBeNull()
    expect(heard).toEqual([7, 'm2'])
  })

  it('P9 bytes are read by what asks for bytes, and by nothing else', () => {
    const heard: unknown[] = []
    const { controls, malformed } = scene({
      report: bytesMessage(
        (bytes) => bytes.length,
        (length, from) => heard.push(length, from),
      ),
      renew: message(readOrder, (one) => heard.push(one.id)),
    })
    expect(controls.answer(memberId('m2'), 'report', Uint8Array.of(1, 2))).toBeNull()
    expect(heard).toEqual([2, 'm2'])
    expect(controls.answer(memberId('m2'), 'report', order)).toBeNull()
    expect(controls.answer(memberId('m2'), 'renew', Uint8Array.of(1))).toBeNull()
    expect(heard).toEqual([2, 'm2'])
    expect(malformed).toEqual(['m2 report', 'm2 renew'])
  })

  it('P9 whatever is malformed has no effect, and null for an answer', () => {
    let answered = 0
    const { controls, malformed } = scene({
      grant: question(readOrder, () => {
        answered += 1
        return 'done'
      }),
    })
    const without = (name: keyof typeof order) => {
      const { [name]: _, ...rest } = order
      return rest
    }
    const bad: Json[] = [null, 7, 'order', [], {}, [order], { ...order, id: -1 }]
    bad.push({ ...order, id: 1.5 }, { ...order, name: '' }, { ...order, sure: 1 })
    bad.push({ ...order, names: 'a' }, without('id'), without('name'), without('names'))
    for (const body of bad) expect(controls.answer(memberId('m2'), 'grant', body)).toBeNull()
    expect(answered).toBe(0)
    expect(malformed).toEqual(bad.map(() => 'm2 grant'))
    for (const kind of ['unheard of', 'constructor', '__proto__']) {
      expect(controls.answer(memberId('m2'), kind, order)).toBeNull()
    }
    expect(controls.answer(memberId('m2'), 'grant', without('more'))).toBe('done')
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        expect([null, 'done']).toContain(controls.answer(memberId('m2'), 'grant', body as Json))
      }),
    )
  })

  it('P9 what fails behind a body that was read is a fault of this member, and is not hidden', () => {
    const { controls } = scene({
      end: question(nothing, () => {
        throw new ProtocolError('a fault', 'test')
      }),
    })
    expect(() => controls.answer(memberId('m2'), 'end', null)).toThrow('a fault')
  })

  it('P10 a body that names another author has no effect', () => {
    const read = (json: Json, from: string) => {
      const author = new Body(json).text('member')
      if (author !== from) throw new ProtocolError(`${author} is not ${from}`, 'test')
      return author
    }
    const { controls } = scene({ report: question(read, (author) => author) })
    expect(controls.answer(memberId('m2'), 'report', { member: 'm2' })).toBe('m2')
    expect(controls.answer(memberId('m3'), 'report', { member: 'm2' })).toBeNull()
  })
})
