// What the gathered files themselves say of names: which are the group's own, and which are a client's or a host's by the place
// where they stand.
import { hostname } from 'node:os'
import type { Member } from '../../api/schema.ts'
import type { Gathered } from './gathered.ts'
import { Redaction, targetsOf } from './redaction.ts'

const SHAPE = 'record.json'

export function redactionFor(
  gathered: Gathered,
  members: readonly Member[],
  isPlain: boolean,
): Redaction {
  const record = parsed(gathered, SHAPE) as { group?: RecordedGroup } | null
  const { name: group, namingAuthority: authority } = record?.group ?? {}
  const isKnown = group !== undefined && authority !== undefined
  const targets = isKnown ? targetsOf(authority, group) : targetsByVolumes(gathered)
  const ids = gathered.files.flatMap(({ name }) => /\/(m\d+)[.-]/.exec(name)?.[1] ?? [])
  const redaction = new Redaction(
    { targets, members: [...ids, ...members.map(({ id }) => id)] },
    isPlain,
  )
  redaction.learn(hostname(), 'host')
  for (const { name, text } of gathered.files) {
    if (name.startsWith('config/')) learnHosts(text, redaction)
    if (name === SHAPE) continue // it has the kinds of values in the place of names
    for (const [, initiator = ''] of text.matchAll(/"initiator"\s*:\s*"([^"\\]+)"/g))
      redaction.learn(initiator, 'initiator')
  }
  for (const { portal, api } of members) {
    for (const at of [`x://${portal}`, api]) {
      if (URL.canParse(at)) redaction.learn(new URL(at).hostname, 'host')
    }
  }
  return redaction
}

interface RecordedGroup {
  readonly name?: string
  readonly namingAuthority?: string
}

/** By the names of the volumes, when nobody can read the record. */
function targetsByVolumes(gathered: Gathered): RegExp | null {
  const volumes = parsed(gathered, 'api/volumes.json') as { items?: { iqn: string }[] } | null
  const iqn = volumes?.items?.[0]?.iqn
  const parts = iqn === undefined ? null : /^(.*):(.*)-\d+$/.exec(iqn)
  return parts === null ? null : targetsOf(parts[1] ?? '', parts[2] ?? '')
}

function learnHosts(text: string, redaction: Redaction): void {
  const fields = /["']?(?:host|announce|groupAddress)["']?\s*:\s*["']?([\w.-]+)/g
  for (const [, host = ''] of text.matchAll(fields)) redaction.learn(host, 'host')
}

/** Where each member's API is by its configuration. */
export function apisIn(gathered: Gathered): ReadonlyMap<string, string> {
  const apis = new Map<string, string>()
  for (const { name } of gathered.files) {
    if (!/^config\/m\d+\.json$/.test(name)) continue
    const config = parsed(gathered, name) as {
      memberId?: string
      api?: { host: string; port: number }
    }
    const { memberId, api } = config ?? {}
    if (memberId !== undefined && api !== undefined)
      apis.set(memberId, `http://${api.host}:${api.port}`)
  }
  return apis
}

function parsed(gathered: Gathered, name: string): unknown {
  const text = gathered.files.find((file) => file.name === name)?.text
  try {
    return text === undefined ? null : JSON.parse(text)
  } catch {
    return null
  }
}
