import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import {
  CHECKPOINT,
  CHECKPOINT_HEAD_BYTES,
  HEADER,
  HEADER_CHECKSUM,
  LOST,
  LOST_CHUNK,
  OPERATIONS,
  PAGE_ENTRY,
  PROMISE,
  RECORD,
  RECORD_CHECKSUM,
  SCRUB,
  SEGMENT,
  SEGMENT_ENTRY,
  SLICE_ENTRY,
  SUPER,
  SUPER_COPY_BYTES,
} from './layout.ts'

/** One line a field: offset, bytes, name. */
function draw(fields: Readonly<Record<string, number>>): string[] {
  const offsets = Object.entries(fields)
  return offsets.slice(0, -1).map(([name, at], i) => {
    const bytes = (offsets[i + 1]?.[1] ?? at) - at
    return `${String(at).padStart(5)} ${String(bytes).padStart(5)}  ${name}`
  })
}

describe('layout', () => {
  it('DESIGN.md draws every field where the code has it', async () => {
    const design = await readFile(new URL('./DESIGN.md', import.meta.url), 'utf8')
    const lines = new Set(design.split('\n').map((line) => line.replace(/ {2,}·.*$/, '')))
    const whole = [SUPER, RECORD, HEADER, SEGMENT, CHECKPOINT, SCRUB]
    const parts = [PAGE_ENTRY, SLICE_ENTRY, SEGMENT_ENTRY, OPERATIONS, PROMISE, LOST, LOST_CHUNK]
    for (const table of [...whole, ...parts]) {
      for (const line of draw(table)) expect(lines, line).toContain(line)
    }
  })

  it('headers fit into what is written whole for them', () => {
    expect(SUPER.end).toBeLessThanOrEqual(SUPER_COPY_BYTES)
    expect(RECORD.end).toBeLessThanOrEqual(RECORD_CHECKSUM)
    expect(HEADER.end).toBeLessThanOrEqual(HEADER_CHECKSUM)
    expect(CHECKPOINT.end).toBeLessThanOrEqual(CHECKPOINT_HEAD_BYTES)
  })
})
