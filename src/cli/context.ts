// What every command needs: the API it calls and the screen it prints on, from the global options.
import type { Command } from 'commander'
import { API_PORT_DEFAULT, Caller } from '../api/caller.ts'
import { type Outlet, type OutputForm, Screen } from './screen.ts'

export const API_DEFAULT = `http://127.0.0.1:${API_PORT_DEFAULT}`

export interface Environment {
  readonly EVENKEEL_API?: string | undefined
  readonly NO_COLOR?: string | undefined
  /** Set in whatever npm runs. */
  readonly npm_lifecycle_event?: string | undefined
}

/** The outside of the process, so that tests can be it. */
export interface Outside {
  readonly out: Outlet
  readonly err: Outlet
  readonly environment: Environment
}

export interface Context {
  readonly caller: Caller
  readonly screen: Screen
}

export type ContextOf = (command: Command) => Context

export interface GlobalOptions {
  readonly api: string
  readonly output: OutputForm
}

export function contextFrom(outside: Outside): ContextOf {
  return (command) => {
    const { api, output } = command.optsWithGlobals<GlobalOptions>()
    return { caller: new Caller(api), screen: screenOf(outside, output) }
  }
}

export function screenOf(outside: Outside, form: OutputForm): Screen {
  const { out, err, environment } = outside
  const noColour = environment.NO_COLOR !== undefined && environment.NO_COLOR !== ''
  return new Screen(out, err, form, noColour ? false : undefined)
}
