// What the launcher's log says of its members: when each serves, what it prints when it is in trouble, how and why it ends.

import type { Log } from '../operator/log.ts'
import type { ChildEvent } from './child.ts'

export function tellChild(log: Log, of: string, event: ChildEvent): void {
  switch (event.kind) {
    case 'serves':
      return log.info('serves', `${of} serves`, { of, childPid: event.pid })
    case 'said':
      return log.warn('said', `${of}: ${event.line}`, { of })
    case 'ended': {
      const { how, words, againMs } = event
      const why = words === null ? '' : `: ${words.replaceAll('\n', ' ').replace(/\.$/, '')}`
      const next = againMs === null ? '' : `; it is started again in ${againMs / 1000} s`
      return log.error('ended', `${of} ended (${how})${why}${next}`, { of, how, words, againMs })
    }
  }
}
