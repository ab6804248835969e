// The configuration of a member as a file: read, with paths relative to it, and with sentences about what is wrong (C2 of
// config.ts).
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import type { z } from 'zod'
import type { Accept } from '../store/settings.ts'
import { type MemberConfig, memberConfig } from './config.ts'

/** The file or its content is wrong; the message is for people. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Relative paths in the file are relative to the file. `insecure` and `announce` are as good as said in it; `accept` is a word for one start, so it cannot stand there. */
export async function loadConfig(
  file: string,
  { insecure = false, announce, accept = 'nothing' }: SaidBesides = {},
): Promise<MemberConfig> {
  const raw = await readYaml(file)
  const said = { ...(insecure && { insecure }), ...(announce !== undefined && { announce }) }
  const config = typeof raw === 'object' && raw !== null ? { ...raw, ...said } : raw
  return { ...parseConfig(config, file), accept }
}

interface SaidBesides {
  readonly insecure?: boolean
  readonly announce?: string | undefined
  readonly accept?: Accept
}

async function readYaml(file: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    const isThere = !(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')
    const what = isThere ? 'cannot be read' : 'does not exist'
    throw new ConfigError(`the configuration ${file} ${what}`, { cause })
  }
  try {
    return parse(text)
  } catch (cause) {
    const [first = ''] = cause instanceof Error ? cause.message.split('\n') : [String(cause)]
    const reason = first.replace(/[.:]+$/, '')
    throw new ConfigError(`${file} is neither YAML nor JSON: ${reason}`, { cause })
  }
}

export function parseConfig(raw: unknown, file: string): MemberConfig {
  const folder = dirname(resolve(file))
  const parsed = memberConfig.safeParse(resolvePaths(raw, folder))
  if (parsed.success) return parsed.data
  const sentences = parsed.error.issues.map((issue) => sentenceOf(issue, raw))
  throw new ConfigError(`${file}: ${sentences.join('; ')}`)
}

function sentenceOf(issue: z.core.$ZodIssue, raw: unknown): string {
  const { code, path, message } = issue
  const name = path.join('.')
  if (code === 'unrecognized_keys') {
    const unknown = issue.keys.map((key) => [...path, key].join('.'))
    return `there is no setting ${unknown.join(', ')}`
  }
  if (code === 'invalid_type' && valueAt(raw, path) === undefined) return `${name} is needed`
  return name === '' ? message : `${name}: ${message}`
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined,
    raw,
  )
}

function resolvePaths(raw: unknown, folder: string): unknown {
  if (typeof raw !== 'object' || raw === null) return raw
  const config: Record<string, unknown> = { ...raw }
  for (const key of ['dataFolder', 'coordinationFile', 'launcherFile', 'peer']) {
    const path = config[key]
    if (typeof path === 'string' && path !== '') config[key] = resolve(folder, path)
  }
  return config
}
