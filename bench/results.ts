// bench/RESULTS.md, and what a short run prints, from what was measured.
import {
  AT_REST,
  copiesWorks,
  HOT_BESIDE_COLD,
  hotVolumeWorks,
  IDLE,
  IN_SYNC,
  MADE_AGAIN,
  type NamedWork,
  RESYNC,
  resyncSystem,
  resyncWorks,
  withoutScene,
} from './cases.ts'
import { type Results, shortFigure, shortRatio, table, withSpread } from './figures.ts'
import type { Machine } from './machine.ts'
import type { FigureName } from './rounds.ts'

export interface Comparison {
  readonly results: Results
  readonly command: string
  readonly date: string
  readonly rounds: number
  readonly machine: Machine
  readonly tgtVersion: string | null
  /** What this checkout is called. */
  readonly ours: string
  /** What the other one is. */
  readonly beside: string | null
  /** Of the last minute before. */
  readonly loadBefore: number
}

export const OURS = 'Evenkeel'
export const BESIDE_PLOT = 'plots/beside.svg'
export const TGT_PLOT = 'plots/tgt.svg'
export const COPIES_PLOT = 'plots/copies.svg'

const TGT = 'tgt'
const TGT_WRITE_THROUGH = 'tgt, write-through'

/** Writes are compared with the disk that answers when they are durable. */
export const peerOf = (name: string) => (name.includes('read') ? TGT : TGT_WRITE_THROUGH)

export const judged: readonly { readonly name: string; readonly figure: FigureName }[] = [
  { name: 'IOPS', figure: 'iops' },
  { name: 'p50', figure: 'p50Us' },
  { name: 'p99', figure: 'p99Us' },
  { name: 'CPU', figure: 'serverUs' },
]

export const resting: readonly { readonly name: string; readonly figure: FigureName }[] = [
  { name: 'cores in use', figure: 'cores' },
  { name: 'wake-ups a second', figure: 'wakeUpsPerSecond' },
  { name: 'resident MiB', figure: 'rssMiB' },
]

/** Pairs of a system of ours and the same of the other checkout. */
export function pairs(results: Results, beside: string) {
  return results.cases.flatMap((name) => {
    const systems = results.systems(name)
    return systems.flatMap((system) => {
      if (system !== OURS && !system.startsWith(`${OURS}, `)) return []
      const peer = beside + system.slice(OURS.length)
      return systems.includes(peer)
        ? [{ name, system, peer, where: system.slice(OURS.length + 2) }]
        : []
    })
  })
}

/** Medians with the least and the most of the rounds. */
export function besideTable(results: Results, beside: string): string[] {
  const rows = pairs(results, beside)
    .filter(({ name, system }) => results.figure(name, system, 'iops') !== null)
    .map(({ name, system, peer, where }) => [
      ...[name, where],
      ...judged.map(({ figure }) =>
        withSpread(results.ratio(name, figure, system, peer), shortRatio),
      ),
    ])
  if (rows.length === 0) return []
  return table([['case', 'where', ...judged.map(({ name }) => `${name} ×`)], ...rows], 2)
}

/** What a run of some cases prints. */
export function brief(results: Results, beside: string | null): string {
  const shown = [...judged.map(({ name, figure }) => ({ name, figure })), ...resting]
  const rows = results.cases.flatMap((name) =>
    results
      .systems(name)
      .toSorted()
      .map((system) => [
        ...[name, system],
        ...shown.map(({ figure }) => {
          const spread = results.figure(name, system, figure)
          return spread === null ? '' : shortFigure(spread.median)
        }),
      ]),
  )
  const used = shown.map((_, i) => rows.some((row) => row[i + 2] !== ''))
  const kept = (row: readonly string[]) => row.filter((_, i) => i < 2 || used[i - 2])
  const medians = table(
    [['case', 'system', ...shown.map(({ name }) => name)], ...rows].map(kept),
    2,
  )
  const ratios =
    beside === null ? [] : ['', `${OURS} ÷ ${beside}:`, ...besideTable(results, beside)]
  const copies = copiesTable(results)
  return [...medians, ...ratios, ...(copies.length === 0 ? [] : ['', ...copies])].join('\n')
}

export function resultsText(comparison: Comparison): string {
  const { results, beside } = comparison
  const inSections = [
    ...[HOT_BESIDE_COLD, AT_REST, IDLE, RESYNC],
    ...[...hotVolumeWorks, ...copiesWorks].map((work) => work.name),
  ]
  const loads = results.cases.filter((name) => !inSections.includes(name))
  const sections = [
    ...preface(comparison),
    ...besideSection(comparison),
    ...(comparison.tgtVersion === null
      ? []
      : ['## Beside tgt', '', `![Ratios to tgt by case](${TGT_PLOT})`, '']),
    ...loads.flatMap((name) => [`### ${name}`, '', ...loadTable(results, name), '']),
    ...copiesSection(results),
    ...hotVolumesSection(results, beside),
    ...coldSection(results),
    ...restSection(results),
  ]
  return `${sections.join('\n').trimEnd()}\n`
}

function preface(comparison: Comparison): string[] {
  const { command, date, ours, rounds, machine, tgtVersion, beside, loadBefore } = comparison
  const peers = [beside === null ? null : `its commit ${beside}`, tgtVersion === null ? null : TGT]
  return [
    `# Evenkeel beside ${peers.filter((peer) => peer !== null).join(' and ')}`,
    '',
    `Written by \`${command}\` on ${date}, at commit ${ours}, and not by hand.`,
    `${machine.sentence}${tgtVersion === null ? '' : `, tgt ${tgtVersion}`}; a write of 4 KiB with O_DSYNC takes ${shortFigure(machine.syncUs)} µs, and`,
    `the first touch of 4 KiB of memory ${shortFigure(machine.touchUs)} µs of CPU. Everything is on one machine, over`,
    `loopback. Its load average was ${loadBefore.toFixed(1)} when the run began: the more beside it, the more the figures spread, and the less`,
    'absolute rates mean.',
    '',
    '**Systems.** _Evenkeel_ answers every write when it is durable. It is a group of two members: _local_ uses blocks whose primary',
    "is the session's member, _forwarded_ only blocks of the other one; a session of a group does some of both. _tgt_: as it comes,",
    'with a file behind it; it answers a write when the page cache has it. _tgt, write-through_: with `--bsoflags sync`; it answers',
    'when the write is on the disk, so writes are compared with it. All files are on one file system, and fit into memory; before the',
    'first round everything is read until what a server keeps of it in its own memory is all that it will keep.',
    '',
    `**Method.** ${rounds} rounds; in each, every system is given every case in turn, another one first each time. Figures are medians of the`,
    'rounds, with the least and the most in brackets. Ratios are taken within a round, and the median of these is shown. One generator',
    'for all (`bench/load.ts`), which checks the number in every block that it reads. _CPU_ is the time on a core of all processes of',
    'the servers for each command, to the end of a rest of 1.2 s behind writes, in which a member brings home what it has journalled;',
    "what the kernel's own threads write back for tgt is in no figure. _Generator_ is the generator's CPU for each command: it has to",
    'share the cores with the servers, and where IOPS × generator nears a second, it is what sets the pace. _RSS_ is the most resident',
    'memory of all processes of the servers together.',
    '',
  ]
}

function besideSection({ results, beside }: Comparison): string[] {
  if (beside === null) return []
  return [
    `## Beside ${beside}`,
    '',
    `Multiples of what ${beside} has: of IOPS more is better, of the others less.`,
    '',
    `![Ratios to ${beside} by case](${BESIDE_PLOT})`,
    '',
    ...besideTable(results, beside),
    '',
  ]
}

function loadTable(results: Results, name: string): string[] {
  const systems = results.systems(name)
  const peer = peerOf(name)
  const peers = systems.includes(peer) ? [...new Set([peer, TGT])] : []
  const ratio = (figure: FigureName, system: string, to: string) => {
    const spread = results.ratio(name, figure, system, to)
    return spread === null ? '' : shortRatio(spread.median)
  }
  const middle = (system: string, figure: FigureName) => {
    const spread = results.figure(name, system, figure)
    return spread === null ? '' : shortFigure(spread.median)
  }
  const rows = systems
    .toSorted(tgtFirst)
    .map((system) => [
      ...[system, withSpread(results.figure(name, system, 'iops'))],
      ...peers.map((to) => ratio('iops', system, to)),
      ...[middle(system, 'p50Us'), middle(system, 'p99Us')],
      withSpread(results.figure(name, system, 'serverUs')),
      ...peers.slice(0, 1).map((to) => ratio('serverUs', system, to)),
      ...[middle(system, 'generatorUs'), middle(system, 'rssMiB')],
    ])
  const names = [
    ...['system', 'IOPS', ...peers.map((to) => `× ${to}`), 'p50 µs', 'p99 µs', 'CPU µs'],
    ...[...peers.slice(0, 1).map((to) => `CPU × ${to}`), 'generator µs', 'RSS MiB'],
  ]
  return table([names, ...rows])
}

function tgtFirst(one: string, other: string): number {
  const place = (name: string) => [TGT, OURS].findIndex((start) => name.startsWith(start)) >>> 0
  return place(one) - place(other)
}

/** IOPS per CPU second against one member's: how much of a member is lost when there are more. */
function hotVolumesSection(results: Results, beside: string | null): string[] {
  const rows = hotVolumeWorks.flatMap(({ name }) =>
    [OURS, beside].flatMap((who) => {
      if (who === null) return []
      const one = `${who}, one member`
      return results
        .systems(name)
        .toSorted()
        .filter((system) => system === one || system.startsWith(`${who}, three`))
        .map((system) => {
          const cpu = results.figure(name, system, 'serverUs')
          const ratio = results.ratio(name, 'serverUs', one, system)
          return [
            ...[withoutScene(name), system, withSpread(results.figure(name, system, 'iops'))],
            ...[withSpread(cpu), cpu === null ? '' : shortFigure(1e6 / cpu.median)],
            withSpread(ratio, shortRatio),
          ]
        })
    }),
  )
  if (rows.length === 0) return []
  const names = ['case', 'system', 'IOPS', 'CPU µs', 'IOPS per CPU second', '× one member']
  return [
    '## Three members, a hot volume each',
    '',
    "Each member has one session, on a volume of its own: on blocks that are the member's own, and _striped_ over all three. The",
    'machine has fewer cores than there are processes: what counts is IOPS per CPU second, against one member that is alone.',
    '',
    ...table([names, ...rows], 2),
    '',
  ]
}

export interface Pair {
  readonly row: string
  readonly series: string
  readonly case: string
  readonly system: string
  readonly peer: string
  /** What each of the two is called in a table of this section. */
  readonly names: { readonly system: string; readonly peer: string }
}

/** Two copies beside one, and beside themselves while one of them is made again. */
export function copiesPairs(results: Results): Pair[] {
  const of = (where: string) => (work: NamedWork) => ({
    ...{ row: withoutScene(work.name), series: where, case: work.name },
    system: `${OURS}, two copies, ${where}`,
    peer: `${OURS}, one copy, ${where}`,
    names: { system: 'two copies', peer: 'one copy' },
  })
  const beside = (work: NamedWork) => ({
    ...{ row: resyncSystem(work, MADE_AGAIN), series: 'local', case: RESYNC },
    system: resyncSystem(work, MADE_AGAIN),
    peer: resyncSystem(work, IN_SYNC),
    names: { system: 'one of two is made again', peer: 'two copies' },
  })
  const all = [
    ...copiesWorks.flatMap((work) => [of('local')(work), of('forwarded')(work)]),
    ...resyncWorks.map(beside),
  ]
  return all.filter((one) => results.ratio(one.case, 'iops', one.system, one.peer) !== null)
}

function copiesTable(results: Results): string[] {
  const rows = copiesPairs(results).map(({ row, series, system, peer, case: name }) => [
    ...[row, series],
    ...judged.map(({ figure }) =>
      withSpread(results.ratio(name, figure, system, peer), shortRatio),
    ),
  ])
  if (rows.length === 0) return []
  return table([['case', 'where', ...judged.map(({ name }) => `${name} ×`)], ...rows], 2)
}

function copiesSection(results: Results): string[] {
  const ratios = copiesTable(results)
  if (ratios.length === 0) return []
  const amounts = copiesPairs(results).flatMap(({ row, series, names, case: name, ...of }) =>
    (['peer', 'system'] as const).map((one) => [
      ...[row, series, names[one]],
      ...absolute.map(({ figure }) => withSpread(results.figure(name, of[one], figure))),
    ]),
  )
  return [
    '## Two copies',
    '',
    'Two members with two copies of everything, beside two with one copy: multiples of what one copy takes, of IOPS more is better,',
    'of the others less. With two copies a write is answered when both members have it on their disks; here both share one disk',
    'and two cores. Writes _while a copy is made again_ are told as multiples of the same with both in sync: the other member stood',
    'still, was left out, and copies what was written meanwhile; the CPU has what that takes.',
    '',
    `![Ratios of two copies to one](${COPIES_PLOT})`,
    '',
    ...ratios,
    '',
    'In figures; _elsewhere_ is the part of the CPU that is of the member without the session: it has the copy of what is local, and',
    'is the primary of what is forwarded.',
    '',
    ...table([['case', 'where', 'copies', ...absolute.map(({ name }) => name)], ...amounts], 3),
    '',
  ]
}

const absolute: readonly { readonly name: string; readonly figure: FigureName }[] = [
  { name: 'IOPS', figure: 'iops' },
  { name: 'p50 µs', figure: 'p50Us' },
  { name: 'p99 µs', figure: 'p99Us' },
  { name: 'CPU µs', figure: 'serverUs' },
  { name: 'elsewhere', figure: 'elsewhereUs' },
]

function coldSection(results: Results): string[] {
  const systems = results.systems(HOT_BESIDE_COLD).toSorted()
  if (systems.length === 0) return []
  const rows = systems.map((system) => {
    const alone = system.replace(/, .*/, ', alone')
    return [
      ...[system, withSpread(results.figure(HOT_BESIDE_COLD, system, 'iops'))],
      ...(['p50Us', 'p99Us'] as const).flatMap((figure) => [
        withSpread(results.figure(HOT_BESIDE_COLD, system, figure)),
        withSpread(results.ratio(HOT_BESIDE_COLD, figure, system, alone), shortRatio),
      ]),
    ]
  })
  const names = ['system', 'IOPS', 'p50 µs', '× alone', 'p99 µs', '× alone']
  return [
    '## A hot session beside cold reads',
    '',
    'The hot one reads 4 KiB at depth 1 from what was just read; beside it, another session of the same member reads 64 KiB at depth 4',
    'from what was taken out of the page cache.',
    '',
    ...table([names, ...rows]),
    '',
  ]
}

function restSection(results: Results): string[] {
  const rows = [AT_REST, IDLE].flatMap((name) =>
    results
      .systems(name)
      .toSorted()
      .map((system) => [
        ...[name, system],
        ...resting.map(({ figure }) => withSpread(results.figure(name, system, figure))),
      ]),
  )
  if (rows.length === 0) return []
  return [
    '## At rest',
    '',
    'Three members and their launcher together, with placement off and balance on, after the load of the cases before.',
    '',
    ...table([['case', 'system', ...resting.map(({ name }) => name)], ...rows], 2),
    '',
  ]
}
