// What the exit code of a command says. Documented in docs/OPERATING.md.
import { CommanderError } from 'commander'
import { ApiRefusal, ApiUnreachable } from '../api/caller.ts'

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  unreachable: 5,
  /** Of `status`: the worst problem of the group. */
  warning: 10,
  error: 20,
} as const

/** A mistake on the command line, or something that went wrong; the message is for people and says what to do. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly exitCode: number

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** A command that has said all it has to say, and whose exit code is its answer. */
export class EndWith extends Error {
  override readonly name = 'EndWith'
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`)
    this.exitCode = exitCode
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandFailed || error instanceof EndWith) return error.exitCode
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof ApiUnreachable) return EXIT.unreachable
  if (!(error instanceof ApiRefusal)) return EXIT.failed
  switch (error.problem.status) {
    case 400:
      return EXIT.usage
    case 404:
      return EXIT.notFound
    case 409:
      return EXIT.conflict
    case 503:
      return EXIT.unreachable
    default:
      return EXIT.failed
  }
}
