// The pipe that ties a member to its launcher (docs/decisions/0002), which is its standard input: a line for each word, in JSON. Its
// end says that the launcher is gone, however it went.
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { type MemberId, memberId } from '../base/ids.ts'

const launcherWord = z.discriminatedUnion('word', [
  /** All members of the group are told to stop: nobody goes on. */
  z.object({ word: z.literal('all stop') }),
  /** The launcher has seen the process of that boot end (PD1 of slice/lease.ts). */
  z.object({ word: z.literal('died'), member: z.string().min(1), boot: z.string().min(1) }),
])
export type LauncherWord = z.infer<typeof launcherWord>

/** One process of a member. */
export interface Died {
  readonly member: MemberId
  readonly boot: string
}

export function lineFor(word: LauncherWord): string {
  return `${JSON.stringify(word)}\n`
}

export class LauncherPipe {
  /** Settles when the launcher is gone. */
  readonly ended: Promise<void>
  #allStop = false
  /** Until somebody listens: of each member the last. */
  readonly #untold = new Map<MemberId, Died>()
  #tell: (died: Died) => void = (died) => this.#untold.set(died.member, died)

  constructor(pipe: NodeJS.ReadableStream) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.ended = promise
    const end = () => {
      this.#allStop = true
      resolve()
    }
    pipe.on('end', end).on('error', end)
    createInterface({ input: pipe }).on('line', (line) => this.#heard(line))
  }

  /** The other members stop as well. */
  get allStop(): boolean {
    return this.#allStop
  }

  /** Also of those that died before. */
  whenDied(tell: (died: Died) => void): void {
    this.#tell = tell
    for (const died of this.#untold.values()) tell(died)
    this.#untold.clear()
  }

  #heard(line: string): void {
    const word = parseWord(line)
    if (word?.word === 'all stop') this.#allStop = true
    if (word?.word === 'died') this.#tell({ member: memberId(word.member), boot: word.boot })
  }
}

/** null: of another version, or none. */
function parseWord(line: string): LauncherWord | null {
  try {
    const { success, data } = launcherWord.safeParse(JSON.parse(line))
    return success ? data : null
  } catch {
    return null
  }
}
