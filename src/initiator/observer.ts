// Who wants to know of each transmission of a command: the history that a checker judges (history.ts).
import type { Answer } from './pending-command.ts'

export interface CommandObserver {
  /** Before each transmission; the data to write may be changed now. `login` counts the initiator's logins. */
  sending(login: number): void
  /** The answer to the last transmission, before the caller gets it. Also told of an answer that leads to another try. */
  answered(answer: Answer, login: number): void
}
