// What `evenkeel support` asks the members: each question of any of them, since each answers for the whole group; its own
// metrics and health of each.
//
// Invariants:
//   SQ1. Nobody who is silent is asked again and again: if no member answers the first question, no other is put.
import { type Caller, isUnavailable, ownAnswer } from '../../api/caller.ts'
import type { Member } from '../../api/schema.ts'
import { sentenceOf } from '../sentence.ts'
import type { Gathered } from './gathered.ts'

const DAY_MS = 86_400_000
const OWN_WAIT_MS = 3_000

interface Question {
  readonly file: string
  readonly path: string
}

const month = () => new Date(Date.now() - 29 * DAY_MS).toISOString()
const QUESTIONS: readonly Question[] = [
  { file: 'status.json', path: '/api/v1/status' },
  { file: 'members.json', path: '/api/v1/members' },
  { file: 'volumes.json', path: '/api/v1/volumes' },
  { file: 'sessions.json', path: '/api/v1/sessions?limit=1000' },
  { file: 'moves.json', path: '/api/v1/moves?limit=200' },
  { file: 'balance.json', path: '/api/v1/balance' },
  { file: 'plan.json', path: '/api/v1/balance/plan' },
  { file: 'layout.json', path: '/api/v1/layout' },
  { file: 'events.json', path: '/api/v1/events/kept?limit=1000' },
  { file: 'load.json', path: '/api/v1/top' },
  { file: 'history-hour.json', path: '/api/v1/history?points=600' },
  { file: 'history-month.json', path: `/api/v1/history?points=600&from=${month()}` },
]

/** `apis`: where members are by their configurations, for when nobody tells. Settles with what is known of the members. */
export async function gatherAnswers(
  caller: Caller,
  apis: ReadonlyMap<string, string>,
  gathered: Gathered,
): Promise<readonly Member[]> {
  const members = await askAll(caller, gathered)
  const told = new Map(members.map(({ id, api }) => [id, api]))
  const all = new Map([...apis, ...told])
  await Promise.all([...all].map(([id, api]) => askOne(id, api, gathered)))
  return members
}

async function askAll(caller: Caller, gathered: Gathered): Promise<readonly Member[]> {
  let members: readonly Member[] = []
  for (const { file, path } of QUESTIONS) {
    try {
      const answer = await caller.answerOf(path)
      if (file === 'members.json') members = (answer as { items: readonly Member[] }).items
      gathered.take(`api/${file}`, () => JSON.stringify(answer, null, 1))
    } catch (error) {
      gathered.miss(`api/${file}`, sentenceOf(error))
      if (!isUnavailable(error) || file !== 'status.json') continue
      gathered.miss('all other answers of the API', 'no member answered the first question')
      return []
    }
  }
  return members
}

async function askOne(id: string, api: string, gathered: Gathered): Promise<void> {
  for (const [file, path] of [
    [`members/${id}-metrics.txt`, '/metrics'],
    [`members/${id}-health.json`, '/healthz'],
  ] as const) {
    try {
      const text = await ownAnswer(api, path, OWN_WAIT_MS)
      gathered.take(file, () => text)
    } catch {
      gathered.miss(file, `${id} does not answer at ${api}`)
    }
  }
}
