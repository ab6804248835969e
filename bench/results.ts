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
  /** By system. */
  readonly idleCores: ReadonlyMap<string, number>
}

export function results(comparison: Comparison): string {
  const works = [...new Set(comparison.measured.map(({ work }) => work))]
  const sections = works.flatMap((work) => [`## ${work}`, '', ...table(comparison, work), ''])
  return `${[...preface(comparison), ...sections].join('\n').trimEnd()}\n`
}

function preface({ tgtVersion, command, rounds, members, idleCores }: Comparison): string[] {
  const gib = (totalmem() / 1024 ** 3).toFixed(0)
  const idle = [...idleCores].map(([name, cores]) => `${name} ${cores.toFixed(3)}`).join(', ')
  return [
    '# Evenkeel beside tgt',
    '',
    `Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}; do not edit. ${cpus().length} cores (${cpus()[0]?.model.trim()}), ${gib} GiB,`,
    `Linux ${release()}, Node ${process.versions.node}, tgt ${tgtVersion}; everything on one machine over loopback.`,
    '',
    '**Systems.** *tgt*: as it comes, a file as backing store; it answers a write when the page cache has it. *tgt,',
    'write-through*: `--bsoflags sync`; it answers when the write is on the disk. *Evenkeel* always answers when the write is',
    `durable (in the journal), so its writes are to be compared with *write-through*. It is a group of ${members} members; *local*`,
    "uses blocks whose primary is the session's member, *forwarded* only blocks of the other member: the ordinary case lies",
    'between the two. Files of all systems are on one file system, and fit into memory.',
    '',
    `**Method.** ${rounds} rounds; each gives every work to every system in turn. Figures are medians of the rounds, with the least and the`,
    'most in brackets; ratios are taken within each round, and of these the median. One session; the same generator for all (bench/load.ts),',
    'which checks the number in every block that it reads. *CPU* is utime + stime of all processes of the server for each command, to',
    'the end of a rest of 1.2 s behind writes, in which a member brings home what it has journalled. *Generator* is the CPU of',
    'the generator for each command: the targets share the machine with it, and where it nears 1 s a second it sets the pace.',
    '',
    `Cores in use while idle: ${idle} (the same processes serve both Evenkeel rows; the two disks of tgt are of one process).`,
    '',
  ]
}

function table({ measured }: Comparison, work: string): string[] {
  const mine = measured.filter((one) => one.work === work)
  const systems = [...new Set(mine.map(({ system }) => system))].sort()
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
    return `| ${cells.join(' | ')} |`
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
  const rule = names.map((_, i) => (i === 0 ? '---' : '---:'))
  return [`| ${names.join(' | ')} |`, `| ${rule.join(' | ')} |`, ...rows]
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
