import { expect, test } from 'vitest'
import { encodeText } from '../base/text.ts'
import { encodeControl, parseControl } from './message.ts'

test('a message has JSON or bytes, and is read as what it is', () => {
  const json = { kind: 'nudge', body: { a: [1, null] } }
  expect(parseControl(encodeControl(json))).toEqual(json)
  for (const body of [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(123, 125, 0, 255)]) {
    const bytes = encodeControl({ kind: 'report', body })
    expect(bytes.length).toBe(8 + body.length)
    expect(parseControl(bytes)).toEqual({ kind: 'report', body })
  }
})

test('a message that is neither closes the stream', () => {
  expect(() => parseControl(Uint8Array.of(0, 9, 65))).toThrow('without its name')
  expect(() => parseControl(new Uint8Array(0))).toThrow()
  expect(() => parseControl(encodeText('x'))).toThrow('not JSON')
  expect(() => parseControl(encodeText('[]'))).toThrow('not an object')
})
