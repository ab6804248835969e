// A scenario as it stands in a file: what is wrong in it is told with its place in the file.
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { COPIES_MAX } from '../base/sizes.ts'
import { isScenarioName, SCENARIOS } from '../simulate/recorded.ts'
import { type Params, serversOf } from '../simulate/scenario.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import { complaintsOf, parsedFile, wrongFile } from './file-complaints.ts'

const MEMBERS_MAX = 5_000
const SESSIONS_MAX = 1_000_000
const SECONDS_MAX = 30 * 86_400
const FORM = 'scenario'

const amount = z.number().min(0)
const share = z.number().min(0).max(1)
const positive = z.number().positive()
const whole = z.number().int().min(0)
const second = whole.max(SECONDS_MAX)
const server = whole.max(MEMBERS_MAX - 1)
const servers = z.union([
  server,
  z.string().regex(/^\d+\.\.\d+$/, { error: "a range is written as '8..11'" }),
  z.array(server),
])
const onOff = { on: positive, off: positive }

/** Optional ones may be left out, and then are what the form says (docs/OPERATING.md "Scenario files"). */
const params = z
  .object({
    N: whole.min(1).max(MEMBERS_MAX),
    caps: z.array(z.tuple([whole, positive])).optional(),
    explicit: z
      .array(
        z.object({
          q: amount,
          at: server,
          own: z.array(z.tuple([server, share])).optional(),
          from: second.optional(),
          to: second.optional(),
        }),
      )
      .max(SESSIONS_MAX)
      .optional(),
    conns: whole.max(SESSIONS_MAX).optional(),
    meanUtil: amount.max(10).optional(),
    zipf: amount.max(10).optional(),
    capWhale: positive.optional(),
    noise: amount.max(5).optional(),
    noiseTau: positive.optional(),
    horizon: second.min(1).optional(),
    delay: second.max(3_600).optional(),
    loss: share.optional(),
    msgLoss: share.optional(),
    locality: z.enum(['uniform', 'strong', 'explicit']).optional(),
    localStrong: z.tuple([share, share]).optional(),
    ownerZipf: amount.max(10).optional(),
    pause: amount.optional(),
    qd: amount.optional(),
    place: z.enum(['rr', 'skew']).optional(),
    skewFrac: share.optional(),
    skewShare: share.optional(),
    loginRamp: second.optional(),
    onoff: z
      .object({ ...onOff, frac: share, dist: z.enum(['pareto', 'exp', 'exponential']).optional() })
      .optional(),
    whales: z.object({ ...onOff, n: whole.max(SESSIONS_MAX), w: amount }).optional(),
    bigOne: z.object({ w: positive, at: server }).optional(),
    square: z
      .object({ conns: z.array(whole), w: amount, period: positive, duty: share })
      .optional(),
    flash: z
      .object({ t0: amount, t1: amount, servers: whole, frac: share, mult: amount })
      .optional(),
    diurnal: z
      .object({
        period: positive,
        amp: amount,
        groups: whole.min(1),
        /** Of the form; no figure depends on it. */
        correlated: z.boolean().optional(),
      })
      .optional(),
    churn: z.object({ life: positive }).optional(),
    background: z.array(z.object({ s: server, load: amount, t0: amount, t1: amount })).optional(),
    events: z
      .array(
        z.object({
          t: second,
          type: z.enum(['join', 'leave', 'drain']),
          s: servers.optional(),
          servers: servers.optional(),
        }),
      )
      .optional(),
    startDown: servers.optional(),
    net: z
      .object({
        bulkFrac: share,
        bulkRatio: amount,
        capNet: positive,
        meanNet: amount,
        otherRatio: amount.optional(),
        links: z.array(positive.nullable()).optional(),
      })
      .optional(),
    pageMig: z.object({ rate: share }).optional(),
    copies: z.object({ of: whole.min(1).max(COPIES_MAX), writes: share }).optional(),
    speeds: z.array(positive).optional(),
    judgedFrom: second.optional(),
  })
  .check(({ value, issues }) => {
    for (const [path, message] of contradictions(value)) {
      issues.push({ code: 'custom', message, path: [...path], input: value })
    }
  })

interface Scenario {
  readonly name: string
  readonly params: Params
}

const file = z.object({ name: z.string().optional(), description: z.string().optional(), params })

type Complaint = readonly [path: readonly (string | number)[], message: string]

/** What each value alone does not show. */
function contradictions(p: Params): Complaint[] {
  const found: Complaint[] = []
  const expect = (isSo: boolean, path: Complaint[0], message: string) => {
    if (!isSo) found.push([path, message])
  }
  const isMember = (s: number, path: Complaint[0]) =>
    expect(s < p.N, path, `there is no server ${s}: N is ${p.N}, and they are numbered from 0`)
  const counted = p.caps?.reduce((sum, [count]) => sum + count, 0) ?? p.N
  expect(counted === p.N, ['caps'], `the counts sum to ${counted}, and N is ${p.N}`)
  expect((p.speeds?.length ?? p.N) === p.N, ['speeds'], `it must name all ${p.N} servers`)
  const links = p.net?.links?.length ?? p.N
  expect(links === p.N, ['net', 'links'], `it must name all ${p.N} servers`)
  const drawn = (p.explicit?.length ?? 0) === 0
  expect(!drawn || p.conns !== undefined, ['conns'], "'conns', or 'explicit', is needed")
  expect(
    !drawn || (p.conns ?? 0) === 0 || p.meanUtil !== undefined,
    ['meanUtil'],
    "it is needed with 'conns'",
  )
  const isStrong = p.locality === 'strong'
  expect(!isStrong || p.localStrong !== undefined, ['localStrong'], 'locality strong needs it')
  const [least = 0, most = 1] = p.localStrong ?? []
  expect(least <= most, ['localStrong'], 'the first must not exceed the second')
  p.explicit?.forEach(({ at, own, from = 0, to }, i) => {
    isMember(at, ['explicit', i, 'at'])
    for (const [k, [s]] of (own ?? []).entries()) isMember(s, ['explicit', i, 'own', k, 0])
    const named = own?.reduce((sum, [, v]) => sum + v, 0) ?? 0
    expect(named <= 1 + 1e-9, ['explicit', i, 'own'], `the shares sum to ${named}, above 1`)
    expect(to === undefined || to > from, ['explicit', i, 'to'], "it must be after 'from'")
  })
  if (p.bigOne) isMember(p.bigOne.at, ['bigOne', 'at'])
  for (const [i, { s }] of (p.background ?? []).entries()) isMember(s, ['background', i, 's'])
  p.events?.forEach(({ s, servers: list }, i) => {
    expect((s ?? list) !== undefined, ['events', i], "'s' or 'servers' is needed")
    for (const one of serversOf(s ?? list))
      isMember(one, ['events', i, s === undefined ? 'servers' : 's'])
  })
  const down = new Set(serversOf(p.startDown))
  for (const one of down) isMember(one, ['startDown'])
  expect(down.size < p.N, ['startDown'], 'one server at least must live')
  const sessions = (p.explicit?.length || (p.conns ?? 0)) + (p.whales?.n ?? 0)
  for (const [i, c] of (p.square?.conns ?? []).entries()) {
    expect(c < sessions, ['square', 'conns', i], `there is no session ${c}: there are ${sessions}`)
  }
  expect(!p.bigOne || sessions > 0, ['bigOne'], 'there is no session that could be it')
  return found
}

/** The scenario in a file, or a recorded one of that name. `note`: what was passed over. */
export async function readScenario(path: string, note: (line: string) => void): Promise<Scenario> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && isScenarioName(path)) return null
    throw error.code === 'ENOENT' ? noScenario(path) : error
  })
  if (text === null) return { name: path, params: SCENARIOS[path as keyof typeof SCENARIOS] }
  const value = parsedFile(path, FORM, text)
  const read = file.safeParse(value)
  if (!read.success) throw wrongFile(path, FORM, complaintsOf(read.error))
  const { name = path, params } = read.data
  for (const key of unknownKeys((value as { readonly params: unknown }).params, params, 'params'))
    note(`${path}: ${key} is not known, and is passed over`)
  return { name, params }
}

function noScenario(path: string): CommandFailed {
  const names = Object.keys(SCENARIOS).join(', ')
  return new CommandFailed(
    EXIT.notFound,
    `there is no file ${path}, and no recorded scenario of that name. There are: ${names}`,
  )
}

/** What was given and not read, however deep it lies. */
function unknownKeys(given: unknown, read: unknown, path: string): string[] {
  if (typeof given !== 'object' || given === null) return []
  const known = new Map<string, unknown>(Object.entries(read ?? {}))
  return Object.entries(given).flatMap(([key, value]) => {
    const at = `${path}.${key}`
    return known.has(key) ? unknownKeys(value, known.get(key), at) : [at]
  })
}
