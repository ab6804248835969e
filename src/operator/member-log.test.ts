import { expect, it } from 'vitest'
import type { Log } from './log.ts'
import { tellCopy } from './member-log.ts'

it('ML1 a copy of the group record that cannot be written is told once, and that it is over', () => {
  const lines: string[] = []
  const line = (level: string) => (event: string, what: unknown) => {
    lines.push(`${level} ${event} ${String(what)}`)
  }
  const log: Log = {
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    reopen: () => {},
  }
  const told = new Set<string>()
  const full = { trouble: 'The copy cannot be written: no space.' }
  const well = { trouble: null }
  for (const keeper of [well, full, full, well, well, full]) tellCopy(keeper, log, told)
  const words = `error copy ${full.trouble} A coordination file that is lost now is rebuilt without it.`
  expect(lines).toEqual([words, 'info copy the copy of the group record is written again', words])
})
