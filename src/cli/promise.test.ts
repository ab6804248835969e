import { expect, it } from 'vitest'
import type { Status } from '../api/schema.ts'
import { overPromise } from './promise.ts'

const GIB = 1024 ** 3

function promised(bytes: number, rooms: readonly (number | null)[]): string | null {
  const members = rooms.map((room) => ({
    usedBytes: room === null ? null : GIB,
    freeBytes: room === null ? null : room - GIB,
  })) as unknown as Status['members']
  return overPromise({ volumes: { count: 1, bytes, allocatedBytes: GIB }, members })
}

it('says nothing while the disks have what is promised, or as long as a member is silent', () => {
  expect(promised(5 * GIB, [2 * GIB, 4 * GIB])).toBeNull()
  expect(promised(60 * GIB, [2 * GIB, null])).toBeNull()
})

it('says how much the volumes may still take and how much is free', () => {
  expect(promised(7 * GIB, [2 * GIB, 4 * GIB])).toContain(
    'may still take 6 GiB, and 4 GiB are free',
  )
})
