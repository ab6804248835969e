// What kind of machine figures are of: enough to judge them by, and nothing by which one machine is known.
import { execFile } from 'node:child_process'
import { constants, open, rm } from 'node:fs/promises'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { median } from './figures.ts'

const { O_CREAT, O_DSYNC, O_WRONLY } = constants
const SYNCS = 64
const PART_BYTES = 4096
const TOUCHED_BYTES = 64 * 1024 ** 2

export interface Machine {
  readonly sentence: string
  /** Of a write of 4 KiB with O_DSYNC, in µs. */
  readonly syncUs: number
  /** Of the first touch of 4 KiB of memory, in µs of CPU: a page fault, which is dear where a hypervisor takes back what its guest does not use. */
  readonly touchUs: number
}

export async function machineAt(folder: string): Promise<Machine> {
  const [cpu] = cpus()
  const gib = (totalmem() / 1024 ** 3).toFixed(0)
  const guest = await isGuest()
  return {
    sentence:
      `${cpus().length} cores (${cpu?.model.trim() ?? 'of an unknown model'})${guest ? ' of a virtual machine' : ''}, ` +
      `${gib} GiB, Linux ${/^\d+\.\d+/.exec(release())?.[0] ?? ''}, Node ${process.versions.node}`,
    syncUs: await syncUs(join(folder, 'sync')),
    touchUs: touchUs(),
  }
}

/** The processor says so to every program. */
async function isGuest(): Promise<boolean> {
  const { stdout } = await promisify(execFile)('grep', [
    '-cw',
    'hypervisor',
    '/proc/cpuinfo',
  ]).catch(() => ({ stdout: '0' }))
  return Number(stdout) > 0
}

/** In a file that has its blocks already, as a journal has. */
async function syncUs(path: string): Promise<number> {
  const handle = await open(path, O_CREAT | O_WRONLY | O_DSYNC)
  const block = new Uint8Array(PART_BYTES).fill(1)
  for (let i = 0; i < SYNCS; i += 1) await handle.write(block, 0, PART_BYTES, i * PART_BYTES)
  const times: number[] = []
  for (let i = 0; i < SYNCS; i += 1) {
    const fromMs = performance.now()
    await handle.write(block, 0, PART_BYTES, i * PART_BYTES)
    times.push((performance.now() - fromMs) * 1000)
  }
  await handle.close()
  await rm(path)
  return median(times)
}

function touchUs(): number {
  const memory = new Uint8Array(TOUCHED_BYTES)
  const before = process.cpuUsage()
  for (let at = 0; at < memory.length; at += PART_BYTES) memory[at] = 1
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * PART_BYTES) / TOUCHED_BYTES
}
