// Folders of ours: how they are made, and that nobody else gets at what is in them.
//
// Invariants:
//   P1. A folder is made name by name below one that exists. The recursive mkdir of node:fs is not used: where the kernel
//       has no room for names (/proc/x) it tries for ever, deaf to signals.
//   P2. What is below a folder of ours is for its owner alone, whatever umask and the modes of the folders above are, and
//       however it came there.
import { mkdirSync, statSync } from 'node:fs'
import { chmod, readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

const PRIVATE_FOLDER = 0o700
const OTHERS = 0o077

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENOENT: 'that is no place for files',
  ENAMETOOLONG: 'the name is too long',
}

/** The message is a sentence that names the folder; `code` is the kernel's. */
export class FolderProblem extends Error {
  override readonly name = 'FolderProblem'
  readonly code: string

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Whatever this process makes from now on is for its owner alone (P2), also what SQLite and the log make by themselves. */
export function keepPrivate(): void {
  process.umask(OTHERS)
}

/** Makes the folder, and those above it that are missing (P1); it may be there already. */
export function makeFolder(path: string): void {
  const missing: string[] = []
  let at = resolve(path)
  while (!isThere(at, path)) {
    missing.unshift(at)
    at = dirname(at)
  }
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode: PRIVATE_FOLDER })
    } catch (cause) {
      const code = codeOf(cause)
      // Somebody else was faster.
      if (code === 'EEXIST' && isThere(folder, path)) continue
      const why = REASONS[code] ?? String(cause)
      const where = dirname(folder)
      throw new FolderProblem(
        `The folder ${path} cannot be made in ${where}: ${why}. Name another one.`,
        code,
        { cause },
      )
    }
  }
}

function isThere(folder: string, wanted: string): boolean {
  try {
    if (statSync(folder).isDirectory()) return true
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    const why = REASONS[code] ?? String(error)
    throw new FolderProblem(`The folder ${wanted} cannot be reached: ${why}.`, code, {
      cause: error,
    })
  }
  throw new FolderProblem(`${folder} is a file: name a folder.`, 'ENOTDIR')
}

/** The names in a folder; none if it is not there. A file in its place is refused with a sentence. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  return isThere(resolve(folder), folder) ? readdir(folder) : []
}

/** Takes from others what they could do with what is below this folder (P2): it may have come from a backup. */
export async function makePrivate(folder: string, { deep }: { deep: boolean }): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: deep })
  for (const entry of entries) {
    // What a link points to is not ours.
    if (!entry.isSymbolicLink()) await hide(join(entry.parentPath, entry.name))
  }
}

/** The same for one file or folder; if it is not there, nothing needs to be hidden. */
export async function hide(path: string): Promise<void> {
  try {
    const { mode } = await stat(path)
    if ((mode & OTHERS) !== 0) await chmod(path, mode & PRIVATE_FOLDER)
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'ENOENT') return
    const why = REASONS[code] ?? String(cause)
    const sentence = `Others can reach ${path}, and its mode cannot be changed: ${why}. Is it yours?`
    throw new FolderProblem(sentence, code, { cause })
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
