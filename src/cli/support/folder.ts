// What `evenkeel support` finds in a group's data folder, whether anybody runs or not: configurations, logs, the launcher's
// record, the group record's shape, and which files there are. Reads, and changes nothing.
//
// Invariants:
//   SF1. What cannot be read costs itself alone, and is told.
//   SF2. Of each log only the newest lines are taken, and of the folder's files only so many are named.
import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statfsSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { filesOf } from '../../io/log-file.ts'
import { recordShape, seenBy } from '../../supervisor/record-shape.ts'
import { sourcesIn } from '../log-reader.ts'
import type { Gathered } from './gathered.ts'

const LOG_BYTES_MAX = 4 * 2 ** 20
/** Of all logs together. */
const LOGS_BYTES_MAX = 48 * 2 ** 20
const CONFIG_BYTES_MAX = 64 * 1024
const CONFIG_NAME_MAX = 50
const FILES_NAMED_MAX = 2_000
const DEPTH_MAX = 4
const MEMBER_CONFIG = /^m[1-9]\d*\.json$/

export async function gatherFolder(
  dataFolder: string,
  configs: readonly string[],
  gathered: Gathered,
): Promise<void> {
  for (const file of configs) {
    // As much of its name as any tar takes.
    const name = basename(file)
      .replaceAll(/[^\w.-]/g, '_')
      .slice(-CONFIG_NAME_MAX)
    gathered.take(`config/${name}`, () => configText(file))
  }
  if (!existsSync(dataFolder)) {
    gathered.miss('the data folder', `${dataFolder} does not exist: name it with --data`)
    return
  }
  const names = readNames(dataFolder, gathered)
  for (const name of names.filter((one) => MEMBER_CONFIG.test(one) || one === 'launcher.json')) {
    gathered.take(`config/${name}`, () => configText(join(dataFolder, name)))
  }
  gathered.take('files.json', () => JSON.stringify(filesBelow(dataFolder), null, 1))
  gathered.take('record.json', () => JSON.stringify(recordShape(dataFolder), null, 1))
  const members = names.filter((name) => /^m[1-9]\d*$/.test(name))
  try {
    const seen = await seenBy(dataFolder, members)
    gathered.take('record-seen.json', () => JSON.stringify(seen, null, 1))
  } catch (error) {
    gathered.miss('record-seen.json', String(error))
  }
  const sources = sourcesIn(dataFolder)
  if (sources.length === 0) gathered.miss('logs', `there are none in ${dataFolder}`)
  const share = Math.min(LOG_BYTES_MAX, Math.floor(LOGS_BYTES_MAX / Math.max(1, sources.length)))
  for (const { name, path } of sources) {
    gathered.take(`logs/${name}.log`, () => lastLines(path, share))
  }
}

function readNames(folder: string, gathered: Gathered): readonly string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    gathered.miss('the data folder', String(error))
    return []
  }
}

function configText(file: string): string {
  const text = readFileSync(file, 'utf8')
  return text.length <= CONFIG_BYTES_MAX ? text : `${text.slice(0, CONFIG_BYTES_MAX)}\n(cut off)\n`
}

/** SF2: whole lines, of the newest file and of those before it. */
export function lastLines(log: string, bytesMax: number): string {
  const parts: string[] = []
  let left = bytesMax
  for (const file of filesOf(log).toReversed()) {
    if (left <= 0 || !existsSync(file)) continue
    const { text, isWhole } = endOf(file, left)
    left -= Buffer.byteLength(text)
    parts.unshift(isWhole ? text : text.slice(text.indexOf('\n') + 1))
    if (!isWhole) break
  }
  return parts.join('')
}

function endOf(file: string, bytesMax: number): { text: string; isWhole: boolean } {
  const fd = openSync(file, 'r')
  try {
    const { size } = fstatSync(fd)
    const bytes = Buffer.alloc(Math.min(size, bytesMax))
    const read = readSync(fd, bytes, 0, bytes.length, size - bytes.length)
    return { text: bytes.subarray(0, read).toString('utf8'), isWhole: bytes.length === size }
  } finally {
    closeSync(fd)
  }
}

interface FoundFile {
  readonly path: string
  readonly bytes: number
  /** What it takes of the disk: files of pages have holes. */
  readonly takenBytes: number
  readonly mode: string
  readonly changedAt: string
}

function filesBelow(dataFolder: string): object {
  const { bsize, blocks, bavail, type } = statfsSync(dataFolder)
  const files: FoundFile[] = []
  let unnamed = 0
  const look = (folder: string, within: string, depth: number) => {
    for (const name of readdirSync(folder).sort()) {
      const path = join(folder, name)
      const status = lstatSync(path)
      const inside = within === '' ? name : `${within}/${name}`
      if (files.length >= FILES_NAMED_MAX) unnamed += 1
      else {
        files.push({
          path: inside,
          bytes: status.size,
          takenBytes: status.blocks * 512,
          mode: (status.mode & 0o170_777).toString(8),
          changedAt: status.mtime.toISOString(),
        })
      }
      if (status.isDirectory() && depth < DEPTH_MAX) look(path, inside, depth + 1)
    }
  }
  look(dataFolder, '', 1)
  const disk = { bytes: bsize * blocks, freeBytes: bsize * bavail, type: type.toString(16) }
  return { dataFolder, disk, files, unnamed }
}
