// bench/RESULTS.md from what was measured.
import { cpus, release, totalmem } from 'node:os'

export interface Measured {
  readonly round: number
  readonly work: string
  readonly system: string
  readonly iops: number
  readonly p50Us: number
  readonly p99Us: number
  /** CPU of the server's processes, and of the generator, for each command. */
  readonly serverUs: number
  readonly generatorUs: number
}

export interface Comparison {
  readonly measured: readonly Measured[]
  readonly tgtVersion: string
  readonly command: string
  readonly rounds: number
  readonly members: number
  /** Of the last minute before. */
  readonly loadBefore: number
  /** By system, in the order of the rows. */
  readonly idleCores: ReadonlyMap<string, number>
}

export function results(comparison: Comparison): string {
  const works = [...new Set(comparison.measured.map(({ work }) => work))]
  const sections = works.flatMap((work) => [`## ${work}`, '', ...table(comparison, work), ''])
  return `${[...preface(comparison), ...sections].join('\n').trimEnd()}\n`
}

function preface(comparison: Comparison): string[] {
  const { tgtVersion, command, rounds, members, idleCores, loadBefore } = comparison
  const gib = (totalmem() / 1024 ** 3).toFixed(0)
  const [tgtIdle = 0, , ourIdle = 0] = [...idleCores.values()]
  const date = new Date().toISOString().slice(0, 10)
  return [
    '# Evenkeel beside tgt',
    '',
    `Written by \`${command}\` on ${date}, and not by hand. ${cpus().length} cores (${cpus()[0]?.model.trim()}), ${gib} GiB,`,
    `Linux ${release()}, Node ${process.versions.node}, tgt ${tgtVersion}; everything on one machine, over loopback. The machine's load`,
    `average was ${loadBefore.toFixed(1)} when it began: the more beside it, the more the figures spread, and the less absolute rates mean.`,
    '',
    '**Systems.** _tgt_: as it comes, with a file behind it; it answers a write when the page cache has it. _tgt, write-through_:',
    'with `--bsoflags sync`; it answers when the write is on the disk. _Evenkeel_ answers every write when it is durable in its',
    `journal, so its writes are to be compared with _write-through_. It is a group of ${members} members: _local_ uses blocks whose`,
    "primary is the session's member, _forwarded_ only blocks of the other one; a session of a group does some of both. The files",
    'of all systems are on one file system, and fit into memory.',
    '',
    `**Method.** ${rounds} rounds; in each, every system is given every work in turn. Figures are medians of the rounds, with the least`,
    'and the most in brackets. Ratios are taken within a round; the median of these is shown. One session, and one generator for',
    'all (`bench/load.ts`), which checks the number in every block that it reads. _CPU_ is utime + stime of all processes of the',
    'server for each command, to the end of a rest of 1.2 s behind writes, in which a member brings home what it has journalled;',
    "what the kernel's own threads write back for tgt is in no figure. _Generator_ is the generator's CPU for each command: it has",
    'to share the cores with the servers, and where IOPS × generator nears a second, it is what sets the pace.',
    '',
    `Cores in use while idle: tgt ${tgtIdle.toFixed(3)}, Evenkeel ${ourIdle.toFixed(3)} (${members} members and their launcher; at depth 1 this shows).`,
    '',
  ]
}

function table({ measured, idleCores }: Comparison, work: string): string[] {
  const mine = measured.filter((one) => one.work === work)
  const systems = [...idleCores.keys()]
  const peer = work.includes('write') ? 'tgt, write-through' : 'tgt'
  const rows = systems.map((system) => {
    const of = mine.filter((one) => one.system === system)
    const ratio = (field: 'iops' | 'serverUs', to: string) =>
      median(
        of.map((one) => {
          const other = mine.find(({ round, system: name }) => round === one.round && name === to)
          return one[field] / (other?.[field] ?? Number.NaN)
        }),
      ).toFixed(2)
    const cells = [
      system,
      spread(of.map(({ iops }) => iops)),
      ratio('iops', peer),
      ...(peer === 'tgt' ? [] : [ratio('iops', 'tgt')]),
      figure(median(of.map(({ p50Us }) => p50Us))),
      figure(median(of.map(({ p99Us }) => p99Us))),
      spread(of.map(({ serverUs }) => serverUs)),
      ratio('serverUs', peer),
      figure(median(of.map(({ generatorUs }) => generatorUs))),
    ]
    return cells
  })
  const names = [
    'system',
    'IOPS',
    `× ${peer}`,
    ...(peer === 'tgt' ? [] : ['× tgt']),
    'p50 µs',
    'p99 µs',
    'CPU µs',
    `CPU × ${peer}`,
    'generator µs',
  ]
  return aligned([names, ...rows])
}

/** As the formatter has it: the first column to the left, figures to the right. */
function aligned([names = [], ...rows]: readonly (readonly string[])[]): string[] {
  const widths = names.map((name, i) =>
    Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const padded = (row: readonly string[]) =>
    line(
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))),
    )
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [padded(names), line(rule), ...rows.map(padded)]
}

function spread(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return `${figure(median(values))} (${figure(least)}–${figure(most)})`
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const [high = Number.NaN, low = Number.NaN] = [sorted[middle], sorted[middle - 1]]
  return sorted.length % 2 === 1 ? high : (low + high) / 2
}

/** Three significant digits, or whole. */
function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
