// What the benches write for people: README's table is that of bench/RESULTS.md, and plots show what was measured.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Asked, Runs } from '../bench/balance-runs.ts'
import {
  copiesWorks,
  hasText,
  IN_SYNC,
  localWorks,
  MADE_AGAIN,
  mainWorks,
  namesOfCases,
  RESYNC,
  resyncSystem,
  resyncWorks,
} from '../bench/cases.ts'
import { Results, table } from '../bench/figures.ts'
import { ratioPlot } from '../bench/plots.ts'
import { copiesPlot } from '../bench/ratio-plots.ts'
import { withTable } from '../bench/readme-table.ts'
import { resultsText } from '../bench/results.ts'
import type { Measured } from '../bench/rounds.ts'

const textOf = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const readme = textOf('../README.md')
const results = textOf('../bench/RESULTS.md')

test("README's table is the one that bench/RESULTS.md gives: npm run bench writes both", () => {
  expect(readme).toBe(withTable(readme, results))
})

test('another figure in the results is another table', () => {
  const row = /^\| Evenkeel, local .*$/m
  const [found = ''] = row.exec(results) ?? []
  const changed = results.replace(row, found.replaceAll(/\b\d\.\d\d\b/g, '7.70'))
  expect(withTable(readme, changed)).toContain('7.7')
})

test('results without a case of the table are refused by its name', () => {
  const cut = results.replaceAll('4 KiB random write, depth 32', 'another case')
  expect(() => withTable(readme, cut)).toThrow("'4 KiB random write, depth 32'")
})

test('cases are chosen by a part of their names, and all of them by nothing', () => {
  const chosen = (text: string) => namesOfCases.filter((name) => hasText(name, text))
  expect(chosen('')).toEqual(namesOfCases)
  expect(chosen('256 KiB')).toHaveLength(3)
  const write = '4 KiB random write, depth 1'
  expect(chosen('random write, depth 1')).toEqual([write, `two copies: ${write}`])
  expect(chosen('two copies')).toHaveLength(copiesWorks.length + 1)
  expect(chosen('depth 12')).toEqual([])
})

describe('a whole run', () => {
  const systems = { 'Evenkeel, local': 2, 'Evenkeel, forwarded': 0.5, 'abc1234, local': 4, tgt: 1 }
  const all = [...mainWorks, ...localWorks].flatMap(({ name }) =>
    Object.entries({ ...systems, 'tgt, write-through': 0.25 }).map(([system, iops]): Measured => {
      const figures = { iops, p50Us: 1, p99Us: 1, serverUs: 10 * iops, generatorUs: 1, rssMiB: 1 }
      return { round: 1, case: name, system, figures }
    }),
  )
  const taken = (name: string, system: string, iops: number): Measured => {
    const figures = { iops, p50Us: 1, p99Us: 1, serverUs: 1, elsewhereUs: 1 / iops }
    return { round: 1, case: name, system, figures }
  }
  for (const { name } of copiesWorks)
    for (const [copies, iops] of [
      ['one copy', 8],
      ['two copies', 2],
    ] as const)
      all.push(taken(name, `Evenkeel, ${copies}, local`, iops))
  const [work] = resyncWorks
  for (const state of [IN_SYNC, MADE_AGAIN])
    if (work !== undefined)
      all.push(taken(RESYNC, resyncSystem(work, state), state === IN_SYNC ? 10 : 5))
  const text = resultsText({
    ...{
      results: new Results(all),
      rounds: 1,
      ours: 'def5678',
      beside: 'abc1234',
      tgtVersion: '1.0',
      loadBefore: 0,
    },
    ...{
      command: 'npm run bench',
      date: '2026-01-01',
      machine: { sentence: '2 cores', syncUs: 99, touchUs: 2 },
    },
  })

  test("gives README's table: reads against tgt, writes against its write-through mode", () => {
    const made = withTable(readme, text)
    expect(made).toMatch(
      /^\| 4 KiB random read, depth 32 +\| +2\.0 \| +2\.0 \| +0\.50 \| +0\.50 \|$/m,
    )
    expect(made).toMatch(
      /^\| 4 KiB random write, depth 32 +\| +8\.0 \| +8\.0 \| +2\.0 \| +2\.0 \|$/m,
    )
    expect(made).toContain('does 4 to 4 times as many writes')
    expect(made).toContain('of commit def5678,')
  })

  test('has the ratio to the other checkout of what both were given', () => {
    const row = (name: string, where: string) =>
      new RegExp(`^\\| ${name} +\\| ${where} +\\| 0\\.50 `, 'm')
    expect(text).toMatch(row('4 KiB random 70/30 mix, depth 32', 'local'))
    expect(text).not.toMatch(row('4 KiB random read, depth 1', 'forwarded'))
  })

  test('has what two copies take of what one takes, and what a copy that is made again does', () => {
    const section = text.slice(text.indexOf('## Two copies'))
    expect(section).toMatch(/^\| 4 KiB random write, depth 32 +\| local +\| 0\.25 /m)
    expect(section).toMatch(/^\| .*, while a copy is made again +\| local +\| 0\.50 /m)
    expect(section).toMatch(
      /^\| 4 KiB random write, depth 1 +\| local +\| two copies +\| .* 0\.500 /m,
    )
    expect(text).not.toContain('### two copies')
    expect(copiesPlot(new Results(all))).toContain('256 KiB sequential write, depth 8')
  })

  test('names no path and no host', () => {
    expect(text).not.toContain(hostname())
    expect(text).not.toMatch(/(?<!\w)\/(home|root|tmp|work|usr)\b/)
  })
})

describe('ratios', () => {
  const measured = (round: number, system: string, iops: number): Measured => ({
    ...{ round, case: 'reads', system, figures: { iops } },
  })
  const all = new Results([
    ...[measured(1, 'this', 10), measured(1, 'other', 5)],
    ...[measured(2, 'this', 100), measured(2, 'other', 100)],
    ...[measured(3, 'other', 10), measured(3, 'this', 5)],
  ])

  test('are taken within a round, and the median of them is told', () => {
    expect(all.ratio('reads', 'iops', 'this', 'other')).toEqual({ median: 1, least: 0.5, most: 2 })
    expect(all.figure('reads', 'this', 'iops')).toEqual({ median: 10, least: 5, most: 100 })
  })

  test('of what was not measured are none', () => {
    expect(all.ratio('reads', 'p99Us', 'this', 'other')).toBeNull()
    expect(all.figure('writes', 'this', 'iops')).toBeNull()
  })
})

describe('a plot', () => {
  const spread = { median: 1, least: 0.5, most: 2 }
  const plot = (most: number) =>
    ratioPlot('A & B', [
      {
        title: 'IOPS ×',
        isMoreBetter: true,
        marks: [{ row: 'reads < 4 KiB', series: 'local', spread: { ...spread, most } }],
      },
    ])
  const at = (svg: string, attribute: string) =>
    [
      ...svg.matchAll(
        new RegExp(`<(?:circle|line)[^>]*class="s0[^>]*${attribute}="([\\d.]+)"`, 'g'),
      ),
    ]
      .map(([, value]) => Number(value))
      .at(-1)

  test('has the median in the middle of half and double, and 1 below it', () => {
    const svg = plot(2)
    const middle = ((at(svg, 'x1') ?? 0) + (at(svg, 'x2') ?? 0)) / 2
    expect(at(svg, 'cx')).toBeCloseTo(middle)
    expect(svg).toContain(`class="one" x1="${middle}"`)
  })

  test('draws what goes beyond its scale to the edge, with an arrow', () => {
    expect(plot(2)).not.toContain('<path')
    expect(plot(1000)).toContain('<path')
  })

  test('escapes words, and has colours for light and for dark paper', () => {
    const svg = plot(2)
    expect(svg).toContain('A &amp; B')
    expect(svg).toContain('reads &lt; 4 KiB')
    expect(svg).toContain('prefers-color-scheme: dark')
  })
})

test('a table has its figures to the right', () => {
  expect(
    table([
      ['case', 'IOPS'],
      ['reads', '7'],
    ]),
  ).toEqual(['| case  | IOPS |', '| ----- | ---: |', '| reads |    7 |'])
})

test('BF1 a run that was made is not made again, and one of other code or of no scenario is none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'balance-'))
  const file = join(folder, 'figures.jsonl')
  try {
    const one: Asked = { scenario: 'balanced3', policy: 'none', seed: 1, priced: 1, machine: 0 }
    const runs = await Runs.in(file)
    expect(runs.has(one)).toBe(false)
    await runs.make(one)
    const again = await Runs.in(file)
    expect(again.has(one)).toBe(true)
    expect(again.has({ ...one, seed: 2 })).toBe(false)
    expect(again.of('balanced3', 'none')).toEqual(runs.of('balanced3', 'none'))
    const [key, ...rest] = JSON.parse(readFileSync(file, 'utf8'))
    const [asked, ...figures] = rest
    const lines = [
      [`${key}0`, ...rest],
      [key, ['no such scenario', ...asked.slice(1)], ...figures],
    ]
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    const other = await Runs.in(file)
    expect(other.has(one)).toBe(false)
    expect(other.others).toBe(2)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
