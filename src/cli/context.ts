// What every command needs: the API it calls and the screen it prints on, from the global options.
import type { Command } from 'commander'
import { API_PORT_DEFAULT, Caller } from '../api/caller.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import { KnownGroups } from './known-groups.ts'
import { type Outlet, type OutputForm, Screen } from './screen.ts'

export const API_DEFAULT = `http://127.0.0.1:${API_PORT_DEFAULT}`

export interface Environment {
  readonly EVENKEEL_API?: string | undefined
  readonly EVENKEEL_DATA?: string | undefined
  /** Of a desktop. */
  readonly DISPLAY?: string | undefined
  readonly WAYLAND_DISPLAY?: string | undefined
  readonly NO_COLOR?: string | undefined
  readonly HOME?: string | undefined
  readonly USER?: string | undefined
  readonly XDG_STATE_HOME?: string | undefined
  /** Set in whatever npm runs. */
  readonly npm_lifecycle_event?: string | undefined
}

/** The keys of a terminal, one by one: 'q', 'ctrl-c', 'left' …; the terminal is as before once it is closed. */
export interface Keyboard {
  open(pressed: (key: string) => void): () => void
  /** The line that is typed behind the question; null if the terminal was closed instead. */
  ask(question: string): Promise<string | null>
}

/** The outside of the process, so that tests can be it. */
export interface Outside {
  readonly out: Outlet
  readonly err: Outlet
  readonly environment: Environment
  /** null: nobody sits there. */
  readonly keyboard: Keyboard | null
}

export interface Context {
  readonly caller: Caller
  readonly screen: Screen
  readonly outside: Outside
}

export type ContextOf = (command: Command) => Context

export interface GlobalOptions {
  readonly api: string
  readonly output: OutputForm
}

export function contextFrom(outside: Outside): ContextOf {
  return (command) => {
    const { api, output } = command.optsWithGlobals<GlobalOptions>()
    const screen = screenOf(outside, output)
    const memory = KnownGroups.of(outside.environment) ?? undefined
    const note = (line: string) => {
      if (!screen.isLive) screen.note(`evenkeel: ${line}`)
    }
    return {
      caller: new Caller(urlsIn(api), { memory, note, agent: agentOf(outside) }),
      screen,
      outside,
    }
  }
}

/** Who asks: for the members' logs, not for any permission. */
function agentOf({ environment: { USER = '' } }: Outside): string {
  const user = USER.replaceAll(/[^\w.@-]/g, '')
  return user === '' ? 'evenkeel' : `evenkeel, ${user}`
}

/** Several are separated by commas; what has no scheme is HTTP. */
function urlsIn(text: string): readonly string[] {
  const urls = text
    .split(/[,\s]+/)
    .filter((url) => url !== '')
    .map((url) => (url.includes('://') ? url : `http://${url}`))
  const wrong = urls.find((url) => !/^https?:/.test(url) || !URL.canParse(url))
  if (urls.length > 0 && wrong === undefined) return urls
  throw new CommandFailed(
    EXIT.usage,
    `'${wrong ?? text}' is no URL of an API: name it as ${API_DEFAULT}; several are separated by commas`,
  )
}

export function screenOf(outside: Outside, form: OutputForm): Screen {
  const { out, err, environment } = outside
  const noColour = environment.NO_COLOR !== undefined && environment.NO_COLOR !== ''
  return new Screen(out, err, form, noColour ? false : undefined)
}
