// The log of a member, and of the launcher: one line of JSON for each login, move, barrier, problem, change and error, with
// a sentence for people. Nothing per command.
import { join } from 'node:path'
import { pino } from 'pino'
import { LOG_NAME, LogFile } from '../io/log-file.ts'

export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  /** `event` is the kind of line, listed in docs/OPERATING.md. */
  info(event: string, sentence: string, fields?: LogFields): void
  /** Something is wrong, and it is for the operator to decide. */
  warn(event: string, sentence: string, fields?: LogFields): void
  /** What went wrong and is not answered to anybody else: an error, or a sentence. */
  error(event: string, error: unknown, fields?: LogFields): void
  /** Goes on in the file that is at its path, or in a new one. */
  reopen(): void
}

export function openLog(folder: string, writer: string, name = LOG_NAME): Log {
  const file = new LogFile(join(folder, name))
  const logger = pino(
    {
      base: { member: writer, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    file,
  )
  return {
    info: (event, sentence, fields = {}) => logger.info({ event, ...fields }, sentence),
    warn: (event, sentence, fields = {}) => logger.warn({ event, ...fields }, sentence),
    error: (event, error, fields = {}) => {
      if (typeof error === 'string') logger.error({ event, ...fields }, error)
      else logger.error({ event, ...fields, err: error })
    },
    reopen: () => file.reopen(),
  }
}

/** At SIGHUP. A file that cannot be opened (its folder is gone, the disk is full) ends nobody: the log goes on where it was. */
export function reopenLog(log: Log): void {
  try {
    log.reopen()
    log.info('reopened', 'SIGHUP: the log goes on in this file')
  } catch (error) {
    log.error('reopened', error)
  }
}
