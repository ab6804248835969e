// The keys of the terminal that the command was started from.
import { emitKeypressEvents } from 'node:readline'
import { createInterface } from 'node:readline/promises'
import type { ReadStream } from 'node:tty'
import type { Keyboard } from './context.ts'

interface Key {
  readonly name?: string | undefined
  readonly sequence?: string | undefined
  readonly ctrl: boolean
}

export function terminalKeyboard(input: ReadStream, output: NodeJS.WritableStream): Keyboard {
  return {
    open(pressed) {
      const heard = (text: string | undefined, { name, ctrl }: Key) => {
        pressed(ctrl ? `ctrl-${name}` : text !== undefined && text > ' ' ? text : (name ?? ''))
      }
      emitKeypressEvents(input)
      input.setRawMode(true)
      input.on('keypress', heard).resume()
      return () => {
        input.removeListener('keypress', heard)
        input.setRawMode(false)
        input.pause()
      }
    },
    async ask(question) {
      const lines = createInterface({ input, output, terminal: true })
      const closed = new Promise<null>((resolve) => {
        lines.once('close', () => resolve(null)).once('SIGINT', () => lines.close())
      })
      try {
        return await Promise.race([lines.question(question), closed])
      } finally {
        lines.close()
      }
    },
  }
}
