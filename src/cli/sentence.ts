// An error as one sentence for people: what is the matter, and what to do.
import type { CommanderError } from 'commander'
import { ApiRefusal, ApiUnreachable } from '../api/caller.ts'
import { UsageError } from './usage.ts'

export function sentenceOf(error: unknown): string {
  if (error instanceof UsageError) return `${usage(error)} See '${error.command} --help'.`
  if (error instanceof ApiRefusal) {
    const { code, detail, action } = error.problem
    // The API names the field of its request, and where its form is described; here it is an option.
    return code === 'badRequest'
      ? sentence(detail.replaceAll(/(^|; )[\w.]+: /g, '$1'))
      : `${sentence(detail)} ${action}`
  }
  if (error instanceof ApiUnreachable) {
    return `${sentence(error.message)} ${whereToLook(error)}`
  }
  return error instanceof Error ? sentence(error.message) : String(error)
}

function whereToLook({ isSilent }: ApiUnreachable): string {
  return isSilent
    ? "A process is there and does not answer: see 'evenkeel log', or kill it, and 'evenkeel up' starts it again."
    : "Start a group with 'evenkeel up', or name its API with --api or EVENKEEL_API."
}

function usage({ message }: CommanderError): string {
  return sentence(message.replace(/^error: /, ''))
}

function sentence(text: string): string {
  const whole = /[.!?)]$/.test(text) ? text : `${text}.`
  return whole.replaceAll(/\s*\n\s*/g, ' ')
}
