// Debian's tgt as the peer of the comparison: unpacked into a cache and never installed, on free ports of its own, with a
// control socket and a lock in the folder that it is given.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const READY_TRIES = 100
const READY_EVERY_MS = 50
/** Beside the C library; the rest of what tgtd links against comes with every Debian. */
const LIBRARIES = ['libaio1', 'libibverbs1', 'librdmacm1', 'libnl-3-200', 'libnl-route-3-200']

export interface Disk {
  readonly iqn: string
  readonly file: string
}

export class Tgt {
  readonly port: number
  readonly plain: Disk
  readonly writeThrough: Disk
  readonly pid: number
  readonly #process: ChildProcess

  /** One tgtd with two disks of so many bytes, each in a file of its own in `folder`. */
  static async start(folder: string, port: number, bytes: number): Promise<Tgt> {
    const root = await unpacked()
    const library = await libraryPath(root)
    const env = { LD_LIBRARY_PATH: library, TGT_IPC_SOCKET: join(folder, 'tgtd.socket') }
    const process = spawn(
      join(root, 'usr/sbin/tgtd'),
      ['-f', '-C', '0', '--iscsi', `portal=127.0.0.1:${port}`],
      { env, stdio: 'ignore' },
    )
    const admin = async (...args: string[]) => {
      await run(join(root, 'usr/sbin/tgtadm'), ['-C', '0', '--lld', 'iscsi', ...args], { env })
    }
    try {
      await answers(() => admin('--mode', 'target', '--op', 'show'))
      const plain = await disk(admin, { folder, number: 1, bytes, flags: [] })
      const flags = ['--bsoflags', 'sync']
      const writeThrough = await disk(admin, { folder, number: 2, bytes, flags })
      return new Tgt(process, port, { plain, writeThrough })
    } catch (error) {
      process.kill('SIGKILL')
      throw error
    }
  }

  private constructor(
    process: ChildProcess,
    port: number,
    rest: Pick<Tgt, 'plain' | 'writeThrough'>,
  ) {
    if (process.pid === undefined) throw new Error('tgtd did not start')
    this.#process = process
    this.port = port
    this.pid = process.pid
    this.plain = rest.plain
    this.writeThrough = rest.writeThrough
  }

  /** It does not end by SIGTERM while it has targets, and what it holds is thrown away. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const closed = once(this.#process, 'close')
    this.#process.kill('SIGKILL')
    await closed
  }
}

export async function tgtVersion(): Promise<string> {
  const root = await unpacked()
  const env = { LD_LIBRARY_PATH: await libraryPath(root) }
  const { stdout } = await run(join(root, 'usr/sbin/tgtd'), ['--version'], { env })
  return stdout.trim()
}

interface Wanted {
  readonly folder: string
  readonly number: number
  readonly bytes: number
  readonly flags: readonly string[]
}

async function disk(
  admin: (...args: string[]) => Promise<void>,
  { folder, number, bytes, flags }: Wanted,
): Promise<Disk> {
  const file = join(folder, `tgt${number}.img`)
  const handle = await open(file, 'w')
  await handle.truncate(bytes)
  await handle.close()
  const iqn = `iqn.2026-11.dev.evenkeel.bench:tgt${number}`
  const tid = ['--tid', String(number)]
  await admin('--mode', 'target', '--op', 'new', ...tid, '-T', iqn)
  await admin('--mode', 'logicalunit', '--op', 'new', ...tid, '--lun', '1', '-b', file, ...flags)
  await admin('--mode', 'target', '--op', 'bind', ...tid, '-I', 'ALL')
  return { iqn, file }
}

async function answers(ask: () => Promise<void>): Promise<void> {
  for (let i = 0; ; i += 1) {
    try {
      await ask()
      return
    } catch (cause) {
      if (i === READY_TRIES) throw new Error('tgtd does not answer', { cause })
    }
    await new Promise((resolve) => setTimeout(resolve, READY_EVERY_MS))
  }
}

function cacheFolder(): string {
  const { XDG_CACHE_HOME = join(homedir(), '.cache') } = process.env
  return join(XDG_CACHE_HOME, 'evenkeel')
}

/** The folder that holds the unpacked package, and what of its libraries the machine lacks. */
async function unpacked(): Promise<string> {
  const cache = cacheFolder()
  const root = join(cache, 'tgt')
  try {
    await access(join(root, 'usr/sbin/tgtd'))
    return root
  } catch {
    await mkdir(cache, { recursive: true })
  }
  const making = await mkdtemp(join(cache, 'tgt-'))
  try {
    await fetchInto(making, ['tgt'])
    const { stdout } = await run('ldd', [join(making, 'usr/sbin/tgtd')])
    if (stdout.includes('not found')) await fetchInto(making, LIBRARIES)
    await rename(making, root)
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return root
}

async function fetchInto(root: string, packages: readonly string[]): Promise<void> {
  await run('apt-get', ['download', ...packages], { cwd: root })
  for (const file of await readdir(root)) {
    if (!file.endsWith('.deb')) continue
    await run('dpkg-deb', ['-x', join(root, file), root])
    await rm(join(root, file))
  }
}

/** Where the unpacked libraries lie: `lib` and `usr/lib`, each with a folder named after the machine. */
async function libraryPath(root: string): Promise<string> {
  const folders: string[] = []
  for (const lib of ['lib', 'usr/lib']) {
    const names = await readdir(join(root, lib)).catch(() => [])
    folders.push(...names.filter((name) => name.includes('-linux-')).map((n) => join(root, lib, n)))
  }
  return folders.join(':')
}
