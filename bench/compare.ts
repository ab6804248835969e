// How does a member compare with another version of itself, and with Debian's tgt, on the same machine, in the same minutes,
// under the same load? `npm run bench -- --help` has the options.
import { access, mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { freeRange, checkout as here } from '../test/e2e/running-group.ts'
import { works } from './cases.ts'
import { brief } from './results.ts'
import { type Case, inRounds, type Measured, measureWork } from './rounds.ts'
import {
  type Checkout,
  Group,
  localAndForwarded,
  type System,
  tgtSystems,
  VOLUME_BYTES,
} from './servers.ts'
import { Tgt } from './tgt.ts'

const help = `npm run bench -- [options]

  --beside FOLDER   another checkout of this project, with its own packages installed (git worktree add FOLDER COMMIT;
                    FOLDER/bin/evenkeel installs them when it is first started); both get the same load in the same rounds
  --tgt yes|no      measure Debian's tgt too (yes)
  --only TEXT       only the cases whose names have the text: 'random read, depth 32', '256 KiB', 'write'; may be repeated
  --where TEXT      only the systems whose names have the text: 'local', 'forwarded'
  --rounds N        (5)
  --seconds S       of each sample (1)
  --list            print the names of the cases

A paired check of one row in half a minute:

  npm run bench -- --beside FOLDER --tgt no --where local --only 'write, depth 32'
`

const { values: options } = parseArgs({
  options: {
    beside: { type: 'string' },
    tgt: { type: 'string', default: 'yes' },
    only: { type: 'string', multiple: true, default: [''] },
    where: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(help)
  process.exit(0)
}
const rounds = Number(options.rounds)
const sampleMs = Number(options.seconds) * 1000
const wanted = works.filter(({ name }) => isWanted(name))
if (options.list) {
  for (const { name } of works) console.log(name)
  process.exit(0)
}
if (wanted.length === 0)
  fail(`no case has '${options.only.join("' or '")}' in its name; --list prints them`)
if (!(rounds >= 1 && sampleMs > 0)) fail('--rounds and --seconds are numbers above 0')

const checkouts: Checkout[] = [{ name: 'this', folder: here }]
if (options.beside !== undefined) {
  const folder = resolve(process.env['INIT_CWD'] ?? process.cwd(), options.beside)
  await access(join(folder, 'bin/evenkeel')).catch(() =>
    fail(`${folder} is no checkout of this project: it has no bin/evenkeel`),
  )
  checkouts.push({ name: 'beside', folder })
}

// Groups of the bench are nobody's to remember.
process.env['XDG_STATE_HOME'] = '/dev/null'
const folder = await mkdtemp(join(tmpdir(), 'bench-'))
const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
try {
  const [loadBefore = 0] = loadavg()
  const systems = (await startAll()).filter(({ name }) => name.includes(options.where))
  const cases: Case[] = wanted.map((work) => ({
    name: work.name,
    systems: systems.map(({ name }) => name),
    measure: (name) => {
      const system = systems.find((one) => one.name === name)
      if (system === undefined) throw new Error(`no system ${name}`)
      return measureWork(work, system, sampleMs)
    },
  }))
  const measured = await inRounds(cases, rounds, tell)
  console.log(`load average before: ${loadBefore.toFixed(1)}`)
  console.log(brief(measured))
} finally {
  for (const close of closers.toReversed()) await close()
}
process.exit(0)

async function startAll(): Promise<System[]> {
  const systems: System[] = []
  closers.push(async () => {
    for (const { load } of systems) load.close()
  })
  if (options.tgt === 'yes') {
    say('starting and filling tgt')
    const tgt = await Tgt.start(folder, await freeRange(1), VOLUME_BYTES)
    closers.push(() => tgt.stop())
    systems.push(...(await tgtSystems(tgt)))
  }
  for (const checkout of checkouts) {
    say(`starting and filling a group of ${checkout.folder}`)
    const group = await Group.start(checkout, join(folder, checkout.name), 2)
    closers.push(() => group.stop())
    systems.push(...(await localAndForwarded(checkout, group)))
  }
  return systems
}

function tell({ round, case: name, system, figures }: Measured): void {
  const { iops = 0, p50Us = 0, p99Us = 0, serverUs = 0 } = figures
  const line = [
    `round ${round}/${rounds}`,
    name.padEnd(36),
    system.padEnd(18),
    `${iops.toFixed(0).padStart(7)}/s`,
    `p50 ${p50Us.toFixed(0).padStart(6)}`,
    `p99 ${p99Us.toFixed(0).padStart(6)}`,
    `${serverUs.toFixed(1).padStart(6)} µs CPU`,
  ]
  say(line.join('  '))
}

function isWanted(name: string): boolean {
  return options.only.some((text) => name.includes(text))
}

function say(line: string): void {
  console.error(line)
}

function fail(sentence: string): never {
  console.error(`bench: ${sentence}`)
  process.exit(2)
}
