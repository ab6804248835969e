// evenkeel support: one archive with what somebody who helps needs to see, without names of clients.
//
// Invariants:
//   SU1. It is for its owner alone, and replaces nothing.
//   SU2. It is made whatever is down: what could not be had is told, here and in the archive.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, freemem, loadavg, release, totalmem, uptime } from 'node:os'
import { resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Command } from 'commander'
import packageJson from '../../../package.json' with { type: 'json' }
import { formatSize } from '../../base/figures.ts'
import type { ContextOf, Outside } from '../context.ts'
import { dataOption } from '../data-folder.ts'
import { CommandFailed, EXIT } from '../exit-code.ts'
import type { Screen } from '../screen.ts'
import { Gathered, type Missing } from './gathered.ts'
import { apisIn, redactionFor } from './known.ts'
import { gatherAnswers } from './questions.ts'
import type { Kind, Redaction } from './redaction.ts'
import { tarOf } from './tar.ts'

interface SupportOptions {
  readonly data: string
  readonly config: readonly string[]
  readonly plain: boolean
}

interface Packed {
  readonly file: string
  readonly bytes: number
  readonly files: readonly string[]
  readonly missing: readonly Missing[]
  readonly redacted: Readonly<Record<Kind, number>> | null
}

export function supportCommand({ environment }: Outside, contextOf: ContextOf): Command {
  return new Command()
    .argument('[file]', 'a new .tar.gz; a name with the time, here, unless it is given')
    .addOption(dataOption(environment, "the group's folder, as for 'evenkeel up'"))
    .option('--config <files...>', "configurations of members, as for 'evenkeel serve'", [])
    .option('--plain', 'keep names of initiators, addresses, hosts and users as they are', false)
    .action(async (file: string | undefined, options: SupportOptions, command: Command) => {
      const { caller, screen } = contextOf(command)
      const at = new Date()
      const to = resolve(file ?? `evenkeel-support-${compact(at)}.tar.gz`)
      if (existsSync(to)) throw taken(to)
      const gathered = new Gathered()
      gathered.take('machine.json', () => JSON.stringify(machine(at), null, 1))
      // Only this part needs the code that reads a group's record.
      const { gatherFolder } = await import('./folder.ts')
      await gatherFolder(
        resolve(options.data),
        options.config.map((one) => resolve(one)),
        gathered,
      )
      const hasFolder = gathered.files.length > 1
      const members = await gatherAnswers(caller, apisIn(gathered), gathered)
      if (!hasFolder && members.length === 0) {
        throw new CommandFailed(
          EXIT.notFound,
          `no member answers, and there is no group in ${resolve(options.data)}: name its folder with --data, or its API with --api`,
        )
      }
      const redaction = redactionFor(gathered, members, options.plain)
      screen.show(pack(to, at, gathered, redaction), (packed) => describe(screen, packed))
    })
}

/** SU1. */
function pack(to: string, at: Date, gathered: Gathered, redaction: Redaction): Packed {
  const files = gathered.files.map(({ name, text }) => ({
    name: redaction.text(name),
    text: redaction.text(text),
  }))
  const missing = gathered.missing.map(({ what, why }) => ({ what, why: redaction.text(why) }))
  const manifest = {
    madeAt: at.toISOString(),
    files: files.map(({ name, text }) => ({ name, bytes: Buffer.byteLength(text) })),
    missing,
    redacted: redaction.isPlain ? null : redaction.counts,
  }
  const all = [{ name: 'manifest.json', text: JSON.stringify(manifest, null, 1) }, ...files]
  const folder = `evenkeel-support-${compact(at)}`
  const inFolder = all.map(({ name, text }) => ({ name: `${folder}/${name}`, text }))
  const bytes = gzipSync(tarOf(inFolder, at.getTime()))
  try {
    writeFileSync(to, bytes, { flag: 'wx', mode: 0o600 })
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') throw taken(to)
    throw cause
  }
  return {
    file: to,
    bytes: bytes.length,
    files: all.map(({ name }) => name),
    missing,
    redacted: manifest.redacted,
  }
}

function taken(file: string): CommandFailed {
  return new CommandFailed(EXIT.conflict, `${file} exists: name a new file`)
}

function machine(at: Date): object {
  const { node, v8, uv, sqlite, openssl } = process.versions
  return {
    evenkeel: packageJson.version,
    at: at.toISOString(),
    versions: { node, v8, uv, sqlite, openssl },
    system: systemName(),
    kernel: release(),
    processor: cpus()[0]?.model ?? null,
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    freeMemoryBytes: freemem(),
    load: loadavg(),
    uptimeSeconds: Math.floor(uptime()),
  }
}

function systemName(): string | null {
  try {
    const text = readFileSync('/etc/os-release', 'utf8')
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1] ?? null
  } catch {
    return null
  }
}

/** 20261130T162500Z */
function compact(at: Date): string {
  return at.toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

function describe(screen: Screen, { file, bytes, files, missing, redacted }: Packed): string {
  const names =
    redacted === null
      ? 'Names and addresses are in it as they are.'
      : `Numbers stand for ${countsOf(redacted)}. Names of volumes are in it as they are.`
  return [
    `Wrote ${file}: ${files.length} files, ${formatSize(bytes)}. Look at it before you send it.`,
    screen.paragraph(names),
    ...missing.map(({ what, why }) => screen.paragraph(`Not in it: ${what}: ${why}`)),
  ].join('\n')
}

const PLURALS: Readonly<Record<Kind, string>> = {
  initiator: 'initiators',
  address: 'addresses',
  host: 'hosts',
  user: 'users',
}

function countsOf(redacted: Readonly<Record<Kind, number>>): string {
  const kinds = Object.keys(PLURALS) as Kind[]
  return kinds
    .map((kind) => `${redacted[kind]} ${redacted[kind] === 1 ? kind : PLURALS[kind]}`)
    .join(', ')
}
