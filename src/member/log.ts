// The member's log: one line of JSON for each login, move, barrier and error, in member.log in its data folder. Nothing
// per command.
import { join } from 'node:path'
import { destination, pino } from 'pino'

export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  /** `event` is the kind of line: login, end, redirect, reject, barrier, move, start, stop. */
  info(event: string, fields: LogFields): void
  /** What went wrong and is not answered to anybody else. */
  error(event: string, error: unknown, fields?: LogFields): void
  /** Writes out what is buffered; for the end of the process, however it comes. */
  flush(): void
}

export const LOG_NAME = 'member.log'

export function openLog(dataFolder: string, memberId: string): Log {
  const file = destination({ dest: join(dataFolder, LOG_NAME), sync: true })
  const logger = pino(
    { base: { member: memberId, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    file,
  )
  return {
    info: (event, fields) => logger.info({ event, ...fields }),
    error: (event, error, fields = {}) => logger.error({ event, ...fields, err: error }),
    flush: () => file.flushSync(),
  }
}
