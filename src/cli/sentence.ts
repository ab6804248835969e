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
  if (isOfSystem(error)) return sentence(refusedBySystem(error))
  return error instanceof Error ? sentence(error.message) : String(error)
}

interface SystemError extends Error {
  readonly code: string
  readonly syscall: string
  readonly path?: string
}

function isOfSystem(error: unknown): error is SystemError {
  return error instanceof Error && 'syscall' in error && 'code' in error
}

const SYSTEM_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it, or a folder above it, does not exist',
  ENOTDIR: 'it, or what stands above it in its path, is no folder',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
}
const SYSTEM_CALLS: Readonly<Record<string, string>> = {
  open: 'opened',
  scandir: 'read',
  read: 'read',
  write: 'written',
  rename: 'renamed',
}

/** What no other code has put into words: `ENOENT: no such file or directory, open '/x'` says it to programmers. */
function refusedBySystem({ code, syscall, path, message }: SystemError): string {
  const why = SYSTEM_REASONS[code]
  if (why === undefined || path === undefined) return message
  return `${path} cannot be ${SYSTEM_CALLS[syscall] ?? 'used'}: ${why}`
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
