// What is wrong in a file that a person gives, with its place in the file.
import type { z } from 'zod'
import { CommandFailed, EXIT } from './exit-code.ts'

const COMPLAINTS_MAX = 5

/** `form`: what the file should be. */
export function parsedFile(path: string, form: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw wrongFile(path, form, [`it is no JSON: ${why}`])
  }
}

export function wrongFile(
  path: string,
  form: string,
  complaints: readonly string[],
): CommandFailed {
  const more = complaints.length - COMPLAINTS_MAX
  const told = complaints.slice(0, COMPLAINTS_MAX).join('; ')
  const rest = more > 0 ? `; and ${more} more` : ''
  return new CommandFailed(EXIT.usage, `${path} is no ${form}: ${told}${rest}`)
}

/** Each with its place, as `params.events[0].t: …`. */
export function complaintsOf(error: z.ZodError): string[] {
  return error.issues.map(({ path, message }) => {
    const place = path
      .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
      .join('')
      .replace(/^\./, '')
    return `${place === '' ? 'the whole of it' : place}: ${message.replace(/^Invalid input: /, '')}`
  })
}
