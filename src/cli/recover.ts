// evenkeel recover: rebuilds the coordination file of a stopped group from its members' folders.

import { resolve } from 'node:path'
import { Command } from 'commander'
import { memberId } from '../base/ids.ts'
import type { Recovered } from '../supervisor/recover.ts'
import { type GlobalOptions, type Outside, screenOf } from './context.ts'
import { dataOption } from './data-folder.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import type { Screen } from './screen.ts'

interface RecoverOptions {
  readonly data: string
  readonly without: readonly string[]
}

export function recoverCommand(outside: Outside): Command {
  return new Command()
    .addOption(dataOption(outside.environment, "the group's folder, as for 'evenkeel up'"))
    .option('--without <members...>', 'go on without these, whose folders are gone for good', [])
    .action(async ({ data, without }: RecoverOptions, command: Command) => {
      const screen = screenOf(outside, command.optsWithGlobals<GlobalOptions>().output)
      const { CannotRecover, recoverRecord } = await import('../supervisor/recover.ts')
      const at = new Date().toISOString()
      try {
        const recovered = await recoverRecord({
          dataFolder: resolve(data),
          without: without.map(memberId),
          at,
        })
        screen.show(recovered, (done) => describe(screen, done))
      } catch (cause) {
        if (!(cause instanceof CannotRecover)) throw cause
        throw new CommandFailed(EXIT.conflict, cause.message, { cause })
      }
    })
}

function describe(screen: Screen, done: Recovered): string {
  const { file, from, seen, revision, members, volumes, setAside, without } = done
  const lost =
    from.revision === seen
      ? 'nothing newer was seen by anybody'
      : `up to revision ${seen} was seen: what is between is sessions and moves, or changes of the last second`
  const lines = [
    `Rebuilt ${file}.`,
    '',
    screen.facts([
      ['from', `the copy of ${from.member}, revision ${from.revision}; ${lost}`],
      ['now at', `revision ${revision}`],
      [
        'members',
        members.join(', ') + (without.length > 0 ? ` (without ${without.join(', ')})` : ''),
      ],
      ['volumes', volumes.length === 0 ? 'none' : volumes.map(({ name }) => name).join(', ')],
      ['set aside', setAside.length === 0 ? 'nothing: there was no file' : setAside.join(', ')],
    ]),
    '',
    'Sessions, claims and moves are not in it: initiators log in again. Start the group as before.',
  ]
  return lines.join('\n')
}
