// What a simulated run may be asked for on the command line, whatever its world is made from.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { AS_RECORDED, POLICIES, type PolicyName } from '../simulate/policies.ts'

export interface SimulateOptions {
  readonly policy: PolicyName | typeof AS_RECORDED
  readonly seed: number
  readonly set?: Readonly<Record<string, unknown>>
  readonly priced: number
  readonly moves?: true
}

/** `more`: policies that only this command knows. */
export function withRun(command: Command, more: Readonly<Record<string, string>> = {}): Command {
  const policies = { ...POLICIES, ...more }
  return command
    .addOption(
      new Option('--policy <name>', 'who distributes the sessions')
        .choices(Object.keys(policies))
        .default('sgr'),
    )
    .option('--seed <n>', 'what chance draws', wholeNumber, 1)
    .option(
      '--set <key=value>',
      "a setting of the group's policy, for sgr; may be repeated",
      withSetting,
    )
    .option(
      '--priced <times>',
      'what members believe at first that work costs, of what it does',
      times,
      1,
    )
    .option('--moves', 'tell each move, on standard error')
    .addHelpText(
      'after',
      `\nPolicies:\n${Object.entries(policies)
        .map(([name, about]) => `  ${name.padEnd(12)} ${about}`)
        .join('\n')}`,
    )
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a whole number, 0 or more.')
}

function times(text: string): number {
  const value = Number(text)
  if (value >= 0.01 && value <= 100) return value
  throw new InvalidArgumentError('It is a number from 0.01 to 100.')
}

function withSetting(text: string, before: SimulateOptions['set']) {
  const [, key = '', value = ''] = /^(\w+)=(.+)$/.exec(text) ?? []
  if (key === '') throw new InvalidArgumentError("It is written as 'kappa=3'.")
  const given = value === 'true' ? true : value === 'false' ? false : Number(value)
  return { ...before, [key]: Number.isNaN(given) ? value : given }
}

export const RECORDED_TOO = { [AS_RECORDED]: 'what was really done' }
