// The command line as a whole: global options, the commands by noun, and how an error ends it.
//
// Invariants:
//   P3. For programs one object is printed, also when the command fails: that of the failed thing, if it was printed, or
//       that of the error. What is printed again and again (--watch) is one object each time.
import { Command, CommanderError, Option } from 'commander'
import { ApiRefusal } from '../api/caller.ts'
import { COMMANDS, type Entry } from './commands.ts'
import { API_DEFAULT, contextFrom, type GlobalOptions, type Outside, screenOf } from './context.ts'
import { EndWith, EXIT, exitCodeOf } from './exit-code.ts'
import { OUTPUT_FORMS, type Outlet } from './screen.ts'
import { sentenceOf } from './sentence.ts'
import { settle } from './usage.ts'

/** Runs one command line (without node and script) and settles with its exit code. */
export async function run(
  args: readonly string[],
  outside: Outside,
  version: string,
): Promise<number> {
  const { out, hasPrinted } = watchedOutlet(outside.out)
  const watched = { ...outside, out }
  const program = await buildProgram(watched, version, (entry, noun) => isCalled(entry, noun), args)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return EXIT.ok
  } catch (error) {
    const code = exitCodeOf(error)
    if (code !== EXIT.ok) tell(error, program, watched, hasPrinted())
    return code
  }
}

/** `wants` says which commands are loaded; of the others only name and description are known. */
export async function buildProgram(
  outside: Outside,
  version: string,
  wants: (entry: Entry, noun: string) => boolean,
  args: readonly string[] = [],
): Promise<Command> {
  const program = new Command('evenkeel')
    .description(
      'Scale-out iSCSI block storage that keeps every member level by moving live connections.',
    )
    .version(version, '-v, --version', 'print the version')
    .addOption(
      new Option('--api <urls>', 'the API to call; several, by commas, of one group').default(
        outside.environment.EVENKEEL_API ?? API_DEFAULT,
      ),
    )
    .addOption(
      new Option('-o, --output <form>', 'print for people or programs')
        .choices(OUTPUT_FORMS)
        .default('table'),
    )
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nNames and ids may be shortened to a beginning that nothing else has.' +
        '\nExit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 conflict, 5 unreachable;' +
        '\nof status: 0 all is well, 10 a warning, 20 an error.',
    )
  settle(program, outside)
  // `help volume`, `complete -- volume` and `volume` alike need that command.
  const [first = '', second = ''] = operandsOf(program, args)
  const noun = first === 'help' || first === 'complete' ? second : first
  const contextOf = contextFrom(outside)
  for (const entry of COMMANDS) {
    const { name, about, aliases = [], nameless, make } = entry
    const command = wants(entry, noun) ? await make(outside, contextOf) : new Command()
    if (nameless) command.hook('preAction', refuseNames)
    program.addCommand(
      command
        .name(name)
        .description(about)
        .aliases([...aliases]),
    )
  }
  if (first === 'complete') {
    const { completeCommand } = await import('./completion.ts')
    const complete = completeCommand(outside, () => program)
    program.addCommand(complete.name(first), { hidden: true })
  }
  program.addCommand(versionCommand(outside, version))
  program.addCommand(helpCommand(program))
  settle(program, outside)
  return program
}

/** The words that are neither the program's options nor their values. */
function operandsOf(program: Command, args: readonly string[]): string[] {
  const operands: string[] = []
  for (let i = 0; i < args.length; i += 1) {
    const word = args[i] ?? ''
    const option = program.options.find((one) => one.short === word || one.long === word)
    if (option?.required === true) i += 1
    else if (!word.startsWith('-')) operands.push(word)
  }
  return operands
}

function refuseNames(command: Command, acting: Command): void {
  if (acting.optsWithGlobals<GlobalOptions>().output !== 'name') return
  command.error(`error: nothing that '${command.name()}' prints has a name: choose another form`)
}

function isCalled({ name, aliases = [] }: Entry, noun: string): boolean {
  return name === noun || aliases.includes(noun)
}

function versionCommand(outside: Outside, version: string): Command {
  return new Command('version')
    .description('print the version')
    .action((_options: object, command: Command) => {
      const screen = screenOf(outside, command.optsWithGlobals<GlobalOptions>().output)
      screen.show({ name: 'evenkeel', version }, () => version)
    })
}

function helpCommand(program: Command): Command {
  return new Command('help')
    .description('show what a command does, and its options')
    .argument('[command...]')
    .action((words: readonly string[]) => {
      let command = program
      for (const word of words) {
        const next = command.commands.find(
          (child) => child.name() === word || child.aliases().includes(word),
        )
        if (next === undefined) return command.error(`error: unknown command '${word}'`)
        command = next
      }
      command.outputHelp()
    })
}

function watchedOutlet(outlet: Outlet): { out: Outlet; hasPrinted: () => boolean } {
  let hasPrinted = false
  const out: Outlet = {
    write: (text) => {
      hasPrinted = true
      outlet.write(text)
    },
    isTTY: outlet.isTTY,
    get columns() {
      return outlet.columns
    },
    get rows() {
      return outlet.rows
    },
    ...(outlet.onResize === undefined ? {} : { onResize: outlet.onResize }),
  }
  return { out, hasPrinted: () => hasPrinted }
}

function tell(error: unknown, program: Command, outside: Outside, hasPrinted: boolean): void {
  // Help that was asked for by leaving the command out has been printed already.
  if (error instanceof CommanderError && error.code === 'commander.help') return
  if (error instanceof EndWith) return
  const screen = screenOf(outside, program.opts<GlobalOptions>().output)
  const sentence = sentenceOf(error)
  if (!hasPrinted && (screen.form === 'json' || screen.form === 'yaml')) {
    const code = error instanceof ApiRefusal ? error.problem.code : codeOf(error)
    screen.show({ error: { code, exitCode: exitCodeOf(error), sentence } }, () => '')
  }
  screen.note(`evenkeel: ${sentence}`)
}

/** Of an error that has one for programs, such as a data folder that is refused (OLD_FOLDER). */
function codeOf(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return typeof code === 'string' && /^[A-Z_]+$/.test(code) ? code : null
}
