// evenkeel backup record: the group record as one whole file, of a group that may run.
import { resolve } from 'node:path'
import { Command } from 'commander'
import { formatSize } from '../base/figures.ts'
import { type GlobalOptions, type Outside, screenOf } from './context.ts'
import { dataOption } from './data-folder.ts'
import { CommandFailed, EXIT } from './exit-code.ts'

interface BackupOptions {
  readonly data: string
}

export function backupCommand(outside: Outside): Command {
  const backup = new Command()
  backup
    .command('record')
    .description('write the group record into a new file; the group may run')
    .argument('<file>', 'must not exist')
    .addOption(dataOption(outside.environment, "the group's folder, as for 'evenkeel up'"))
    .action(async (file: string, { data }: BackupOptions, command: Command) => {
      const screen = screenOf(outside, command.optsWithGlobals<GlobalOptions>().output)
      const { backUpRecord } = await import('../supervisor/backup.ts')
      const to = resolve(file)
      try {
        screen.show(
          backUpRecord(resolve(data), to),
          ({ revision, bytes, volumes }) =>
            `Wrote ${to}: the group record at revision ${revision}, ${volumes} volumes, ${formatSize(bytes)}. It holds no data of volumes.`,
        )
      } catch (cause) {
        if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
        throw new CommandFailed(EXIT.conflict, `${to} exists: name a new file`, { cause })
      }
    })
  return backup
}
