// What the pages of a group on one machine may take. Its members share a file system: if each counted all that is free as
// its own, they would promise it several times over.
import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { JOURNAL_BYTES, memberNames } from './plan.ts'

/** Of `stat`, whatever the blocks of the file system are. */
const STAT_BLOCK_BYTES = 512

/** All that is free, and what the members' pages take already; less the journals that are still to be made. */
export async function roomForPages(dataFolder: string, members: number): Promise<number> {
  const { bavail, bsize } = await statfs(dataFolder)
  let room = bavail * bsize
  for (const member of memberNames(members)) {
    const names = await namesIn(join(dataFolder, member))
    if (!names.includes('journal')) room -= JOURNAL_BYTES
    for (const name of await namesIn(join(dataFolder, member, 'data'))) {
      room += (await stat(join(dataFolder, member, 'data', name))).blocks * STAT_BLOCK_BYTES
    }
  }
  return Math.max(0, room)
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
