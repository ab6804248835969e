// The command line as a whole: global options, the commands by noun, and how an error ends it.
import { Command, CommanderError, Option } from 'commander'
import { ApiRefusal } from '../api/caller.ts'
import { SCHEMA } from '../api/errors.ts'
import { balanceCommand } from './balance.ts'
import { API_DEFAULT, contextFrom, type GlobalOptions, type Outside, screenOf } from './context.ts'
import { demoCommand } from './demo/demo.ts'
import { EndWith, EXIT, exitCodeOf } from './exit-code.ts'
import { serveCommand } from './serve.ts'
import { sessionCommand } from './session.ts'
import { statusCommand } from './status.ts'
import { topCommand } from './top.ts'
import { upCommand } from './up.ts'
import { volumeCommand } from './volume.ts'

/** Runs one command line (without node and script) and settles with its exit code. */
export async function run(
  args: readonly string[],
  outside: Outside,
  version: string,
): Promise<number> {
  const program = buildProgram(outside, version)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return EXIT.ok
  } catch (error) {
    const code = exitCodeOf(error)
    if (code !== EXIT.ok) tell(error, program, outside)
    return code
  }
}

export function buildProgram(outside: Outside, version: string): Command {
  const program = new Command('evenkeel')
    .description(
      'Scale-out iSCSI block storage that keeps every member level by moving live connections.',
    )
    .version(version, '--version', 'print the version')
    .addOption(
      new Option('--api <url>', 'the API to call').default(
        outside.environment.EVENKEEL_API ?? API_DEFAULT,
      ),
    )
    .addOption(
      new Option('-o, --output <form>', 'print for people or programs')
        .choices(['table', 'json'])
        .default('table'),
    )
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nExit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 conflict, 5 unreachable;\nof status: 0 all is well, 10 a warning, 20 an error.',
    )
  const contextOf = contextFrom(outside)
  program.addCommand(upCommand(outside))
  program.addCommand(serveCommand(outside))
  program.addCommand(demoCommand(outside))
  for (const make of [volumeCommand, sessionCommand, balanceCommand, topCommand, statusCommand]) {
    program.addCommand(make(contextOf))
  }
  settle(program, outside)
  return program
}

/** Errors are thrown, here and in every command below, and written where the outside says. */
function settle(command: Command, outside: Outside): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => outside.out.write(text),
    writeErr: (text) => outside.err.write(text),
    outputError: () => {},
  })
  for (const child of command.commands) settle(child, outside)
}

function tell(error: unknown, program: Command, outside: Outside): void {
  // Help that was asked for by leaving the command out has been printed already.
  if (error instanceof CommanderError && error.code === 'commander.help') return
  if (error instanceof EndWith) return
  const { output } = program.opts<GlobalOptions>()
  const sentence = sentenceOf(error)
  if (output === 'json') {
    const code = error instanceof ApiRefusal ? error.problem.code : null
    const body = { code, exitCode: exitCodeOf(error), sentence }
    outside.out.write(`${JSON.stringify({ schema: SCHEMA, error: body })}\n`)
  }
  const screen = screenOf(outside, output)
  screen.note(`evenkeel: ${sentence}`)
}

function sentenceOf(error: unknown): string {
  if (error instanceof ApiRefusal)
    return `${sentence(error.problem.detail)} ${error.problem.action}`
  if (error instanceof CommanderError) {
    return `${sentence(error.message.replace(/^error: /, ''))} See 'evenkeel --help'.`
  }
  if (error instanceof Error && error.name === 'ApiUnreachable') {
    return `${sentence(error.message)} Start a group with 'evenkeel up', or name its API with --api or EVENKEEL_API.`
  }
  return error instanceof Error ? sentence(error.message) : String(error)
}

function sentence(text: string): string {
  const whole = /[.!?]$/.test(text) ? text : `${text}.`
  return whole.replaceAll(/\s*\n\s*/g, ' ')
}
