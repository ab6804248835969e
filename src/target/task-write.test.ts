import { describe, expect, it } from 'vitest'
import {
  bench,
  code,
  compareAndWrite,
  filled,
  MIB,
  verify10,
  writeSame16,
  writeVerify10,
} from './task-runner.fixture.ts'

describe('other work on blocks', () => {
  it('VERIFY compares all, or each block with one, or nothing', async () => {
    const { gateway, start, last } = bench()
    gateway.bytes.fill(4, 0, 1536)
    start(verify10(0, 3, 0), 'none', 0)
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0, transferBytes: 0 })
    start(verify10(0, 3, 1), 'out', 1536, filled(1536, 4))
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0, transferBytes: 1536 })
    start(verify10(0, 3, 3), 'out', 512, filled(512, 4))
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0 })
    const other = filled(1536, 4)
    other[1025] = 5
    start(verify10(0, 3, 1), 'out', 1536, other)
    await gateway.settle()
    expect(code(last())).toEqual([0x0e, 0x1d, 0])
    expect(last()?.sense?.slice(0, 7)).toEqual([0xf0, 0, 0x0e, 0, 0, 4, 1])
    start(verify10(0, 4, 3), 'out', 512, filled(512, 4))
    await gateway.settle()
    expect(code(last())).toEqual([0x0e, 0x1d, 0])
  })

  it.each([
    ['WRITE SAME', writeSame16(0, 0, 8192), 512],
    ['VERIFY', verify10(0, 8192, 0), 0],
    ['VERIFY with one block', verify10(0, 8192, 3), 512],
    ['WRITE AND VERIFY', writeVerify10(0, 8192, 1), 4 * MIB],
  ])('J1 %s of 4 MiB holds one piece beside its own data', async (_, cdb, expected) => {
    const { gateway, start, last } = bench()
    const held = new Set<ArrayBufferLike>()
    const { read, write } = gateway
    gateway.read = (...args) => {
      held.add(args[3].buffer)
      return read.apply(gateway, args)
    }
    gateway.write = (...args) => {
      // Data-Out as a whole is the command's own.
      if (args[3].length !== expected) held.add(args[3].buffer)
      return write.apply(gateway, args)
    }
    gateway.bytes.fill(3, 0, 4 * MIB)
    start(cdb, expected === 0 ? 'none' : 'out', expected, filled(expected, 3))
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0 })
    expect(gateway.calls).toBeGreaterThanOrEqual(4)
    expect([...held].map(({ byteLength }) => byteLength)).toEqual([MIB])
  })

  it('J2 VERIFY of more than a piece compares each byte with its own', async () => {
    const { gateway, start, last } = bench()
    const bytes = 3 * MIB
    const data = new Uint8Array(bytes).map((_, i) => (i * 7) >> 3)
    gateway.bytes.set(data)
    start(verify10(0, bytes / 512, 1), 'out', bytes, data)
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0 })
    gateway.bytes[2 * MIB + 5] = (gateway.bytes[2 * MIB + 5] ?? 0) ^ 1
    start(verify10(0, bytes / 512, 1), 'out', bytes, data)
    await gateway.settle()
    expect(last()?.sense?.slice(3, 7)).toEqual([0, 0x20, 0, 5])
  })

  it('WRITE AND VERIFY writes, reads back, and says what differs', async () => {
    const { gateway, start, last, counters } = bench()
    start(writeVerify10(0, 2, 1), 'out', 1024, filled(1024, 6))
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0, transferBytes: 1024 })
    expect(counters.writes).toBe(1)
    gateway.outcome = 'damaged'
    start(writeVerify10(0, 2, 0), 'out', 1024, filled(1024, 6))
    await gateway.settle()
    expect(code(last())).toEqual([3, 0x11, 0])
  })

  it('COMPARE AND WRITE writes if equal, else tells the offset; takes exactly two blocks of data', () => {
    const { gateway, start, last } = bench()
    const buffers = (compare: number, write: number) =>
      Uint8Array.from([...filled(512, compare), ...filled(512, write)])
    start(compareAndWrite(3), 'out', 1024, buffers(0, 1))
    expect(last()).toMatchObject({ status: 0, transferBytes: 1024 })
    expect(gateway.bytes.subarray(1536, 2048)).toEqual(filled(512, 1))
    const second = buffers(1, 2)
    second[485] = 9
    start(compareAndWrite(3), 'out', 1024, second)
    expect(code(last())).toEqual([0x0e, 0x1d, 0])
    expect(last()?.sense?.slice(0, 7)).toEqual([0xf0, 0, 0x0e, 0, 0, 1, 0xe5])
    for (const expected of [512, 2048]) {
      start(compareAndWrite(3), 'out', expected, filled(expected, 1))
      expect(code(last())).toEqual([5, 0x24, 0])
    }
    const none = compareAndWrite(3).with(13, 0)
    start(none, 'out', 1024, filled(1024, 1))
    expect(code(last())).toEqual([5, 0x24, 0])
    expect(last()?.sense?.slice(15)).toEqual([0xc0, 0, 13])
    start(none, 'none', 0)
    expect(last()).toMatchObject({ status: 0, transferBytes: 0 })
    expect(gateway.bytes.subarray(1536, 2048)).toEqual(filled(512, 1))
  })

  it('WRITE SAME repeats its block; zeros that may be unmapped are; other sizes of data are refused', async () => {
    const { gateway, start, last } = bench()
    const block = filled(512, 0).map((_, i) => i)
    start(writeSame16(0, 1, 5000), 'out', 512, block)
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0, transferBytes: 512 })
    for (const lba of [1, 2, 2048, 2049, 5000]) {
      expect(gateway.bytes.subarray(lba * 512, lba * 512 + 512)).toEqual(block)
    }
    expect(gateway.bytes[5001 * 512 + 1]).toBe(0)
    start(writeSame16(0x08, 1, 5000), 'out', 512, filled(512, 0))
    await gateway.settle()
    expect(gateway.unmapped).toEqual([[512, 5000 * 512]])
    start(writeSame16(0x08, 1, 2), 'out', 512, block)
    await gateway.settle()
    expect(gateway.bytes.subarray(1024, 1536)).toEqual(block)
    start(writeSame16(0x01, 1, 2), 'none', 0)
    await gateway.settle()
    expect(gateway.bytes.subarray(512, 1536)).toEqual(filled(1024, 0))
    expect(gateway.unmapped.length).toBe(1)
    for (const expected of [256, 1024, 0]) {
      start(writeSame16(0x08, 0, 1), 'out', expected, filled(expected, 0))
      expect(code(last())).toEqual([5, 0x0e, 3])
    }
  })

  it('UNMAP unmaps its list when the list has come', async () => {
    const { gateway, start, arrive, last } = bench()
    const list = new Uint8Array(40)
    list[1] = 38
    list[3] = 32
    list[15] = 1
    list[19] = 2
    list[31] = 9
    list[35] = 1
    const task = start([0x42, 0, 0, 0, 0, 0, 0, 0, 40], 'out', 40)
    expect(gateway.calls).toBe(0)
    arrive(task, list)
    await gateway.settle()
    expect(gateway.unmapped).toEqual([
      [512, 1024],
      [4608, 512],
    ])
    expect(last()).toMatchObject({ status: 0, transferBytes: 40 })
  })
})
