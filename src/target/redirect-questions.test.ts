import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { Post } from '../../test/kit/session-records.ts'
import { memberId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import {
  type RedirectQuestion,
  RedirectQuestions,
  readRedirectQuestion,
} from './redirect-questions.ts'

/** Three members; `b` is asked and takes sessions. */
function members() {
  const timeline = new Timeline()
  const post = new Post(new SimClock(timeline))
  const [a, b, c] = [1, 2, 3].map(() => new RedirectQuestions(post.clock, post))
  if (a === undefined || b === undefined || c === undefined) throw new Error('three members')
  const at = { takes: true }
  post.members.set('b', (kind, body) => {
    if (kind === 'login-back') return b.takenBack(readRedirectQuestion(body)) && null
    return { yes: b.answer(readRedirectQuestion(body), at.takes).yes }
  })
  const ask = (from: RedirectQuestions, question: RedirectQuestion) =>
    timeline.finish(from.ask(memberId('b'), question))
  return { timeline, post, a, b, c, at, ask }
}

describe('the question before a redirect', () => {
  it('Q1 a login that was asked for 1–60 s ago and has not arrived is refused, whoever asks', async () => {
    const { timeline, a, c, ask } = members()
    expect(await ask(a, a.question(memberId('a'), 'k', false))).toBe('yes')
    await timeline.run(timeline.nowMs + 900)
    expect(await ask(c, c.question(memberId('c'), 'k', false))).toBe('yes')
    await timeline.run(1_100)
    expect(await ask(c, c.question(memberId('c'), 'k', false))).toBe('no')
    expect(await ask(c, c.question(memberId('c'), 'another', false))).toBe('yes')
    await timeline.run(59_900)
    expect(await ask(a, a.question(memberId('a'), 'k', false))).toBe('no')
    await timeline.run(60_100)
    expect(await ask(a, a.question(memberId('a'), 'k', false))).toBe('yes')
  })

  it('Q1 neither would a session come by a move, and asking that leaves no mark', async () => {
    const { timeline, a, b, ask } = members()
    expect(b.isUnreached('k')).toBe(false)
    expect(await ask(a, a.question(memberId('a'), 'k', false))).toBe('yes')
    expect(b.isUnreached('k')).toBe(false)
    await timeline.run(timeline.nowMs + 1_100)
    expect(b.isUnreached('k')).toBe(true)
    b.arrived('k')
    expect(b.isUnreached('k')).toBe(false)
  })

  it('Q1 a login that arrived is expected again', async () => {
    const { timeline, a, b, ask } = members()
    expect(await ask(a, a.question(memberId('a'), 'k', false))).toBe('yes')
    b.arrived('k')
    await timeline.run(5_000)
    expect(await ask(a, a.question(memberId('a'), 'k', false))).toBe('yes')
  })

  it('Q2 a question that was taken back leaves no mark', async () => {
    const { timeline, a, c, ask } = members()
    const question = a.question(memberId('a'), 'k', true)
    expect(await ask(a, question)).toBe('yes')
    a.takeBack(memberId('b'), question)
    await timeline.run(5_000)
    expect(await ask(c, c.question(memberId('c'), 'k', false))).toBe('yes')
  })

  it('Q2 a question that arrives after it was taken back leaves no mark', async () => {
    const { timeline, b, a } = members()
    const question = a.question(memberId('a'), 'k', false)
    b.takenBack({ ...question })
    b.answer({ ...question }, true)
    await timeline.run(5_000)
    expect(b.answer({ ...a.question(memberId('a'), 'k', false) }, true).yes).toBe(true)
  })

  it('Q2 a question taken back leaves the mark of another', async () => {
    const { timeline, a, c, ask } = members()
    expect(await ask(a, a.question(memberId('a'), 'k', false))).toBe('yes')
    const second = c.question(memberId('c'), 'k', false)
    expect(await ask(c, second)).toBe('yes')
    c.takeBack(memberId('b'), second)
    await timeline.run(5_000)
    expect(await ask(c, c.question(memberId('c'), 'k', false))).toBe('no')
  })

  it('Q3 an answer counts within 500 ms, and none after', async () => {
    const { timeline, post, a, ask } = members()
    post.delayMs = 249
    expect(await ask(a, a.question(memberId('a'), 'near', false))).toBe('yes')
    post.delayMs = 251
    const startMs = timeline.nowMs
    expect(await ask(a, a.question(memberId('a'), 'far', false))).toBe('silent')
    expect(timeline.nowMs - startMs).toBe(500)
  })

  it('Q3 a member that takes no sessions says no, and what is no answer is none', async () => {
    const { post, a, at, ask } = members()
    at.takes = false
    expect(await ask(a, a.question(memberId('a'), 'k', false))).toBe('no')
    for (const reply of [true, 'yes', [], { yes: 1 }, {}]) {
      post.members.set('b', () => reply)
      expect(await ask(a, a.question(memberId('a'), 'k', false))).toBe('no')
    }
    expect(() => readRedirectQuestion({ id: 1, key: 'k' })).toThrow(ProtocolError)
  })
})
