// How does a member compare with another version of itself, and with Debian's tgt, on the same machine, in the same minutes,
// under the same load? `npm run bench -- --help` has the options.
import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { checkout as here } from '../test/e2e/running-group.ts'
import { hasText, namesOfCases } from './cases.ts'
import { Results } from './figures.ts'
import { machineAt } from './machine.ts'
import { besidePlot, copiesPlot, tgtPlot } from './ratio-plots.ts'
import { withTable } from './readme-table.ts'
import { BESIDE_PLOT, brief, COPIES_PLOT, OURS, resultsText, TGT_PLOT } from './results.ts'
import { type Case, inRounds, type Measured } from './rounds.ts'
import { acts } from './scenes.ts'
import type { Checkout } from './servers.ts'
import { tgtVersion } from './tgt.ts'

const help = `npm run bench -- [options]

  --beside FOLDER   another checkout of this project, with its own packages installed (git clone, git checkout COMMIT, npm
                    install); both get the same load in the same rounds, and what is told are ratios within a round
  --tgt yes|no      measure Debian's tgt too (yes)
  --only TEXT       only the cases whose names have the text: 'random read, depth 32', '256 KiB', 'write'; may be repeated
  --where TEXT      only the systems whose names have the text: 'local', 'forwarded'
  --rounds N        (5)
  --seconds S       of each sample (0.8)
  --list            print the names of the cases

What two copies cost beside one, in three minutes (three rounds are enough):

  npm run bench -- --tgt no --only 'two copies'

A paired check of one row in less than a minute:

  npm run bench -- --beside FOLDER --tgt no --where local --only 'write, depth 32'

With all cases, all systems and tgt, in about fourteen minutes, it also writes bench/RESULTS.md, its plots, and the table in README.md.
`

const { values: options } = parseArgs({
  options: {
    beside: { type: 'string' },
    tgt: { type: 'string', default: 'yes' },
    only: { type: 'string', multiple: true, default: [''] },
    where: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '0.8' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help || options.list) {
  console.log(options.help ? help : namesOfCases.join('\n'))
  process.exit(0)
}
const rounds = Number(options.rounds)
const sampleMs = Number(options.seconds) * 1000
const withTgt = options.tgt === 'yes'
const isWanted = (name: string) => options.only.some((text) => hasText(name, text))
if (!(rounds >= 1 && sampleMs > 0)) fail('--rounds and --seconds are numbers above 0')
if (!withTgt && options.tgt !== 'no') fail(`--tgt is yes or no, not '${options.tgt}'`)
if (!namesOfCases.some(isWanted)) {
  fail(`no case has '${options.only.join("' or '")}' in its name; --list prints them`)
}
const isWhole = namesOfCases.every(isWanted) && options.where === '' && withTgt
const beside = options.beside === undefined ? null : await checkoutAt(options.beside)
const ours = await nameOf(here)

// What was started is stopped: the round under way ends first.
let isStopped = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    isStopped = true
  })
}
// Groups of the bench are nobody's to remember.
process.env['XDG_STATE_HOME'] = '/dev/null'
const beganMs = performance.now()
const folder = await mkdtemp(join(tmpdir(), 'bench-'))
try {
  const [loadBefore = 0] = loadavg()
  const machine = await machineAt(folder)
  say(
    `${machine.sentence}; O_DSYNC ${machine.syncUs.toFixed(0)} µs; first touch of 4 KiB ${machine.touchUs.toFixed(1)} µs; load average ${loadBefore.toFixed(1)}`,
  )
  const results = new Results(await measured())
  console.log(brief(results, beside?.name ?? null))
  if (isWhole) {
    const comparison = {
      ...{ results, rounds, machine, loadBefore, ours, beside: beside?.name ?? null },
      command: `npm run bench -- ${beside === null ? '' : '--beside FOLDER '}--rounds ${rounds} --seconds ${options.seconds}`,
      date: new Date().toISOString().slice(0, 10),
      tgtVersion: await tgtVersion(),
    }
    await write(results, resultsText(comparison))
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
process.exit(0)

async function measured(): Promise<Measured[]> {
  const checkouts = [{ name: OURS, folder: here }, ...(beside === null ? [] : [beside])]
  const settings = {
    ...{ folder, checkouts, sampleMs, isWanted, say },
    withTgt: withTgt && ('tgt'.includes(options.where) || options.where.includes('tgt')),
  }
  const all: Measured[] = []
  for await (const act of acts(settings)) {
    if (isStopped) throw new Error('stopped')
    const cases: Case[] = act
      .filter(({ name }) => isWanted(name))
      .map((one) => ({
        ...one,
        systems: one.systems.filter(({ name }) => name.includes(options.where)),
      }))
    all.push(...(await inRounds(cases, rounds, tell)))
  }
  if (all.length === 0)
    throw new Error(`no system of these cases has '${options.where}' in its name`)
  return all
}

async function write(results: Results, text: string): Promise<void> {
  const file = (path: string) => new URL(path, import.meta.url)
  await mkdir(file('plots'), { recursive: true })
  await writeFile(file('RESULTS.md'), text)
  await writeFile(file(TGT_PLOT), tgtPlot(results))
  await writeFile(file(COPIES_PLOT), copiesPlot(results))
  if (beside === null) await rm(file(BESIDE_PLOT), { force: true })
  else await writeFile(file(BESIDE_PLOT), besidePlot(results, beside.name))
  const readme = file('../README.md')
  await writeFile(readme, withTable(await readFile(readme, 'utf8'), text))
  say('wrote bench/RESULTS.md, its plots, and the table in README.md')
}

/** Named by its commit. */
async function checkoutAt(path: string): Promise<Checkout> {
  const found = resolve(process.env['INIT_CWD'] ?? process.cwd(), path)
  await access(join(found, 'bin/evenkeel')).catch(() =>
    fail(`${found} is no checkout of this project: it has no bin/evenkeel`),
  )
  return { name: await nameOf(found), folder: found }
}

async function nameOf(checkout: string): Promise<string> {
  const git = async (...args: string[]) =>
    (await promisify(execFile)('git', ['-C', checkout, ...args])).stdout.trim()
  const name = await git('rev-parse', '--short=7', 'HEAD').catch(() => 'unknown')
  const changes = await git('status', '--porcelain', '--untracked-files=no').catch(() => '')
  return changes === '' ? name : `${name} with changes`
}

function tell({ round, case: name, system, figures }: Measured): void {
  const { iops, p50Us, p99Us, serverUs, elsewhereUs, cores } = figures
  const { wakeUpsPerSecond, rssMiB = 0 } = figures
  const asked = (value = 0, unit: string, digits = 0) =>
    `${value.toFixed(digits).padStart(7)} ${unit}`
  const line = [
    `${((performance.now() - beganMs) / 1000).toFixed(0).padStart(4)} s`,
    `round ${round}/${rounds}`,
    name.padEnd(46),
    system.padEnd(30),
    ...(iops === undefined
      ? [asked(cores, 'cores', 3), asked(wakeUpsPerSecond, 'wake-ups/s')]
      : [
          asked(iops, '/s'),
          asked(p50Us, 'p50'),
          asked(p99Us, 'p99'),
          asked(serverUs, 'µs CPU', 1),
          ...(elsewhereUs === undefined ? [] : [asked(elsewhereUs, 'elsewhere', 1)]),
        ]),
    asked(rssMiB, 'MiB'),
  ]
  say(line.join(' '))
  if (isStopped) throw new Error('stopped')
}

function say(line: string): void {
  console.error(line)
}

function fail(sentence: string): never {
  console.error(`bench: ${sentence}`)
  process.exit(2)
}
