// evenkeel completion bash | zsh | fish: the script for the shell, which asks `evenkeel complete -- WORDS` at each Tab.
// What can be typed is taken from the commands themselves; names of volumes, sessions, members and moves from the API.
import { fileURLToPath } from 'node:url'
import { RootCommand } from '@bomb.sh/tab'
import { Argument, type Command, type Option, Command as Program } from 'commander'
import { Caller } from '../api/caller.ts'
import { type GlobalOptions, type Outside, screenOf } from './context.ts'
import { type Kind, namesOf } from './names.ts'

/** Who presses Tab does not wait longer for names. */
const NAMES_WITHIN_MS = 1_000

/** What the library's script takes from the package bash-completion, which not every machine has. */
const WITHOUT_BASH_COMPLETION = `declare -F _get_comp_words_by_ref >/dev/null || _get_comp_words_by_ref() {
    local line=\${COMP_LINE:0:COMP_POINT}
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    cword=$((\${#words[@]} - 1))
    cur=\${words[cword]}
    prev=\${words[cword - 1]}
}
`

/** Whose name an argument is, by noun and argument. */
const ARGUMENTS: Readonly<Record<string, Kind>> = {
  'volume name': 'volume',
  'session id': 'session',
  'session member': 'member',
  'member id': 'member',
  'move id': 'move',
  'balance move': 'move',
  'balance session': 'session',
}
const OPTIONS: Readonly<Record<string, Kind>> = {
  '--volume': 'volume',
  '--session': 'session',
  '--member': 'member',
}

type Names = ReadonlyMap<Kind, readonly string[]>

export function completionCommand(outside: Outside): Command {
  return new Program()
    .addArgument(new Argument('<shell>', 'whose script to print').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
For now:  bash: source <(evenkeel completion bash)      fish: evenkeel completion fish | source
          zsh:  source <(evenkeel completion zsh)
Always:   write it to a file that your shell reads, as ~/.local/share/bash-completion/completions/evenkeel
          or ~/.config/fish/completions/evenkeel.fish, or put the line into ~/.bashrc or ~/.zshrc.`,
    )
    .action((shell: string) => {
      // Whichever way the command is typed, it is this one that is asked.
      const executable = fileURLToPath(new URL('../../bin/evenkeel', import.meta.url))
      if (shell === 'bash') outside.out.write(WITHOUT_BASH_COMPLETION)
      printing(outside, () => new RootCommand().setup('evenkeel', executable, shell))
    })
}

/** Hidden: only the scripts call it. */
export function completeCommand(outside: Outside, program: () => Command): Command {
  return new Program().argument('[words...]').action(async (words: string[], _: object, self) => {
    const { api } = (self as Command).optsWithGlobals<GlobalOptions>()
    const typed = inFull(program(), words)
    const tree = treeOf(program(), await knownNames(apiIn(typed) ?? api, typed))
    printing(outside, () => tree.parse(typed))
  })
}

/** Aliases by the names that they stand for, so that no list offers a thing twice. */
function inFull(program: Command, words: readonly string[]): string[] {
  let command: Command | undefined = program
  return words.map((word, i) => {
    const next: Command | undefined = command?.commands.find(
      (child) => child.name() === word || child.aliases().includes(word),
    )
    // The last one is still being typed.
    if (next === undefined || i === words.length - 1) return word
    command = next
    return next.name()
  })
}

function apiIn(words: readonly string[]): string | null {
  const at = words.indexOf('--api')
  return at < 0 ? null : (words[at + 1] ?? null)
}

/** Of the kinds that may be meant; nothing of what the API does not tell in time. */
async function knownNames(api: string, words: readonly string[]): Promise<Names> {
  const caller = new Caller(api)
  const taken = Object.entries(ARGUMENTS).map(([key, kind]) => [key.split(' ')[0], kind] as const)
  const noun = words.find((word) => taken.some(([one]) => one === word))
  const kinds = new Set([
    ...taken.filter(([one]) => one === noun).map(([, kind]) => kind),
    ...words.flatMap((word) => OPTIONS[word] ?? []),
  ])
  const late = new Promise<string[]>((resolve) => {
    setTimeout(resolve, NAMES_WITHIN_MS, []).unref()
  })
  const told = [...kinds].map(async (kind): Promise<[Kind, string[]]> => {
    const names = namesOf(caller, kind).catch(() => [])
    return [kind, await Promise.race([names, late])]
  })
  return new Map(await Promise.all(told))
}

/** The commands as the library wants them: each by its whole path. */
function treeOf(program: Command, names: Names): RootCommand {
  const root = new RootCommand()
  const global = program.createHelp().visibleOptions(program)
  addOptions(root, global, names)
  const everywhere = global.filter(({ required }) => required)
  const add = (command: Command, path: string, noun: string) => {
    const node = root.command(path, command.description())
    addOptions(node, [...command.createHelp().visibleOptions(command), ...everywhere], names)
    for (const argument of command.registeredArguments) {
      const kind = command.name() === 'create' ? undefined : ARGUMENTS[`${noun} ${argument.name()}`]
      const known = kind === undefined ? [] : (names.get(kind) ?? [])
      const offers =
        noun === 'help' ? visible(program).map((one) => one.name()) : argument.argChoices
      node.argument(argument.name(), offering(offers ?? known), argument.variadic)
    }
    for (const child of visible(command)) add(child, `${path} ${child.name()}`, noun)
  }
  for (const command of visible(program)) add(command, command.name(), command.name())
  return root
}

function visible(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(command)
}

function addOptions(node: Node, options: readonly Option[], names: Names): void {
  for (const { long, short, description, required, optional, argChoices } of options) {
    if (long === undefined || long === null) continue
    const kind = OPTIONS[long]
    const offers = argChoices ?? (kind === undefined ? [] : (names.get(kind) ?? []))
    const alias = short?.slice(1)
    if (required || optional) node.option(long.slice(2), description, offering(offers), alias)
    else if (alias === undefined) node.option(long.slice(2), description)
    else node.option(long.slice(2), description, alias)
  }
}

type Node = ReturnType<RootCommand['command']>

type Offer = (complete: (word: string, about: string) => void) => void

function offering(words: readonly string[]): Offer {
  return (complete) => {
    for (const word of words) complete(word, '')
  }
}

/** The library writes to the console. */
function printing(outside: Outside, work: () => void): void {
  const { log } = console
  const screen = screenOf(outside, 'table')
  console.log = (text: string) => screen.print(`${text}\n`)
  try {
    work()
  } finally {
    console.log = log
  }
}
