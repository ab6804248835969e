// Mistakes on the command line: which command they were made with, and which option is to blame.
//
// Invariants:
//   P1. An option that does not exist is named before one that is missing: `--sise 1G` is not a missing `--size`.
//   P2. The sentence names the help of the command that was misused, not that of the whole program.
import { type Command, CommanderError } from 'commander'
import type { Outside } from './context.ts'

export class UsageError extends CommanderError {
  override readonly name = 'UsageError'
  /** The command as it is typed: `evenkeel volume create`. */
  readonly command: string

  constructor({ exitCode, code, message }: CommanderError, command: Command) {
    super(exitCode, code, message)
    this.command = typed(command)
  }
}

/** Errors are thrown, from `command` and all below it, and written where the outside says. */
export function settle(command: Command, outside: Outside): void {
  command
    .exitOverride((error) => {
      throw error.exitCode === 0 ? error : new UsageError(error, command)
    })
    .configureOutput({
      writeOut: (text) => outside.out.write(text),
      writeErr: (text) => outside.err.write(text),
      outputError: () => {},
    })
  askForTheMissingLast(command)
  for (const child of command.commands) settle(child, outside)
}

/** P1: Commander looks for what is missing first; here it is looked for when everything else is right. */
function askForTheMissingLast(command: Command): void {
  const needed = command.options.filter(({ mandatory }) => mandatory)
  for (const option of needed) option.mandatory = false
  if (needed.length === 0) return
  command.hook('preAction', () => {
    for (const option of needed) {
      if (command.getOptionValue(option.attributeName()) !== undefined) continue
      const message = `error: required option '${option.flags}' not specified`
      command.error(message, { code: 'commander.missingMandatoryOptionValue' })
    }
  })
}

function typed(command: Command): string {
  const { parent } = command
  return parent === null ? command.name() : `${typed(parent)} ${command.name()}`
}
