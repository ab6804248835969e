import { expect, test } from 'vitest'
import { History } from './history.ts'
import type { Answer } from './pending-command.ts'

const good: Answer = { kind: 'answered', status: 0, sense: null, dataBytes: 0, residualBytes: 0 }
const busy: Answer = { ...good, status: 8 }
const never = Number.POSITIVE_INFINITY

function begin() {
  const time = { nowMs: 0 }
  const history = new History({
    nowMs: () => time.nowMs,
    writer: 3,
    blockBytes: 512,
    placeOf: (lba) => lba >> 3,
  })
  const ends = () => history.operations.map(({ returnedMs, certain }) => [returnedMs, certain])
  return { time, history, ends }
}

test('H1 every transmission is an operation a block, with a value that no other has', () => {
  const { history } = begin()
  const data = new Uint8Array(1024)
  const writing = history.writing(4, data)
  writing.sending(1)
  const first = data.slice()
  writing.sending(2)
  expect(data).not.toEqual(first)
  expect(history.operations.map(({ lba }) => lba)).toEqual([4, 5, 4, 5])
  const values = history.operations.map(({ value }) => value)
  expect(new Set(values).size).toBe(2)
  const into = data.slice()
  const reading = history.reading(4, into)
  reading.sending(2)
  reading.answered(good, 2)
  expect(history.operations.slice(4).map(({ kind, value }) => [kind, value])).toEqual([
    ['read', values[2]],
    ['read', values[3]],
  ])
})

test('H2 (a) a GOOD answer on a later connection ends all transmissions; only the last is certain', () => {
  const { time, history, ends } = begin()
  const writing = history.writing(0, new Uint8Array(512))
  writing.sending(1)
  writing.sending(2)
  time.nowMs = 9
  expect(ends()).toEqual([
    [never, false],
    [never, false],
  ])
  writing.answered(good, 2)
  expect(ends()).toEqual([
    [9, false],
    [9, true],
  ])
})

test('H2 (b) a later connection heard from the same place ends what is open there, nothing else', () => {
  const { time, history, ends } = begin()
  const open = history.writing(0, new Uint8Array(512))
  open.sending(1)
  const read = (lba: number, login: number, answer: Answer) => {
    time.nowMs += 10
    const reading = history.reading(lba, new Uint8Array(512))
    reading.sending(login)
    reading.answered(answer, login)
    return ends()[0]
  }
  expect(read(0, 1, good)).toEqual([never, false])
  expect(read(9, 2, good)).toEqual([never, false])
  expect(read(0, 2, busy)).toEqual([never, false])
  expect(read(7, 2, good)).toEqual([40, false])
  expect(read(0, 3, good)).toEqual([40, false])
})

test('H2 (b) a write over two places ends at each by itself', () => {
  const { time, history, ends } = begin()
  history.writing(7, new Uint8Array(1024)).sending(1)
  time.nowMs = 5
  const reading = history.reading(8, new Uint8Array(512))
  reading.sending(2)
  reading.answered(good, 2)
  expect(ends().slice(0, 2)).toEqual([
    [never, false],
    [5, false],
  ])
})

test('H2 (c) another status, or an abort, ends its own transmission and no earlier one', () => {
  for (const answer of [busy, { kind: 'aborted' } as const]) {
    const { time, history, ends } = begin()
    const writing = history.writing(0, new Uint8Array(512))
    writing.sending(1)
    writing.sending(2)
    time.nowMs = 4
    writing.answered(answer, 2)
    expect(ends()).toEqual([
      [never, false],
      [4, false],
    ])
    writing.sending(2)
    time.nowMs = 8
    writing.answered(good, 2)
    expect(ends()).toEqual([
      [8, false],
      [4, false],
      [8, true],
    ])
  }
})

test('H3 a damaged block and a block of another place are faults', () => {
  const { history } = begin()
  const data = new Uint8Array(512)
  history.writing(4, data).sending(1)
  const read = (lba: number, bytes: Uint8Array) => {
    const reading = history.reading(lba, bytes)
    reading.sending(1)
    reading.answered(good, 1)
  }
  read(4, data)
  expect(history.faults).toEqual([])
  read(5, data)
  read(
    4,
    data.map((byte, i) => (i === 100 ? byte ^ 1 : byte)),
  )
  expect(history.faults.map(({ lba, reason }) => [lba, reason])).toEqual([
    [5, 'the block of LBA 4'],
    [4, 'a checksum that is not the block’s'],
  ])
})

test('a full history takes no more commands', () => {
  const history = new History({ nowMs: () => 0, writer: 1, blockBytes: 512, operationsMax: 2 })
  history.writing(0, new Uint8Array(1024)).sending(1)
  expect(history.isFull).toBe(true)
  expect(() => history.writing(0, new Uint8Array(512))).toThrow('full')
})

test('H1 unmapping leaves zeros, and a comparison says what it expects and what it writes', () => {
  const { history, time } = begin()
  history.clearing(4, 2).sending(1)
  expect(history.operations.map(({ kind, lba, value }) => [kind, lba, value])).toEqual([
    ['write', 4, 0],
    ['write', 5, 0],
  ])
  const written = new Uint8Array(512)
  history.writing(6, written).sending(1)
  const data = new Uint8Array(1024)
  data.set(written)
  const comparing = history.comparing(6, data)
  comparing.sending(1)
  comparing.sending(2)
  const [was] = history.operations.slice(2)
  const [first, second] = history.operations.slice(3)
  expect([first?.expected, second?.expected]).toEqual([was?.value, was?.value])
  expect(first?.value).not.toBe(second?.value)
  time.nowMs = 9
  const sense = Uint8Array.of(0x70, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x1d, 0)
  comparing.answered({ ...good, status: 2, sense }, 2)
  expect(first).toMatchObject({ kind: 'compareAndWrite', returnedMs: 9, certain: false })
  expect(second).toMatchObject({ kind: 'miscompare', returnedMs: 9, certain: true })
})
