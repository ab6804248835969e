// Whether a folder may be used: it is new, empty, or was used by us before. What else is in it is somebody's, who would
// not know that it is a data folder.
import { FolderProblem, makeFolder, namesIn } from '../io/folders.ts'

/** What mkfs leaves in a new file system. */
const OF_THE_FILE_SYSTEM = ['lost+found']
const NAMES_SHOWN = 3

/** Makes the folder if it is not there. `isOurs` tells a name that only a folder of ours has. */
export async function takeFolder(folder: string, isOurs: (name: string) => boolean): Promise<void> {
  const names = (await namesIn(folder)).filter((name) => !OF_THE_FILE_SYSTEM.includes(name))
  if (names.length > 0 && !names.some(isOurs)) {
    const some = names.toSorted().slice(0, NAMES_SHOWN).join(', ')
    const more = names.length > NAMES_SHOWN ? ', …' : ''
    throw new FolderProblem(
      `The folder ${folder} is not empty (${some}${more}), and nothing in it is of Evenkeel: is its disk mounted? For a new one, name an empty folder, or one that does not exist yet.`,
      'EEXIST',
    )
  }
  makeFolder(folder)
}
