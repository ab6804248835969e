import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { Quiesce, type QuiesceEnd } from './quiesce.ts'

const LIMIT_MS = 4_000
/** What an answer to a NOP-In takes here: longer than a turn. */
const ROUND_MS = 6

interface Initiator {
  /** It answers NOP-Ins, this long after they left. */
  answersAfterMs: number | null
  /** Commands that it has numbered and that have not come. */
  numbered: number
}

function scene(initiator: Partial<Initiator> = {}) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const sight = {
    windowNarrow: false,
    pending: false,
    unwritten: false,
    windowUsedUp: false,
    expCmdSn: 7,
    responses: 0,
  }
  const it: Initiator = { answersAfterMs: ROUND_MS, numbered: 0, ...initiator }
  const asked: number[] = []
  const ends: [QuiesceEnd, number][] = []
  const quiet = new Quiesce(
    clock,
    () => sight,
    (tag) => {
      asked.push(tag)
      if (it.answersAfterMs === null) return
      timeline.after(it.answersAfterMs, () => quiet.answered(tag, sight.expCmdSn + it.numbered))
    },
  )
  const wait = (limitMs = LIMIT_MS) =>
    void quiet.wait(limitMs).then((end) => ends.push([end, timeline.nowMs]))
  const at = (ms: number, change: () => void) =>
    timeline.after(ms - timeline.nowMs, () => {
      change()
      quiet.look()
    })
  /** A command comes at `ms` and is answered 20 ms later. */
  const command = (ms: number) => {
    at(ms, () => Object.assign(sight, { pending: true, expCmdSn: sight.expCmdSn + 1 }))
    at(ms + 20, () => Object.assign(sight, { pending: false }))
  }
  return { timeline, clock, sight, quiet, it, asked, ends, wait, at, command }
}

const kinds = (ends: readonly [QuiesceEnd, number][]) => ends.map(([end]) => end)

it('K1 an answer to a NOP-In that left while something was pending proves nothing', async () => {
  const { timeline, quiet, sight, asked, ends, wait, at } = scene({ answersAfterMs: null })
  sight.pending = true
  wait()
  quiet.answered(0x8000_0001, 7)
  await timeline.run(100)
  expect(asked).toEqual([])
  at(200, () => Object.assign(sight, { pending: false }))
  await timeline.run(201)
  expect(asked.length).toBe(1)
  expect(ends).toEqual([])
})

it('K1 a round in which a command came is not still, though it was answered before the round ended', async () => {
  const { timeline, quiet, sight, asked, ends, wait } = scene({ answersAfterMs: null })
  const round = async () => {
    quiet.answered(asked.at(-1) ?? 0, sight.expCmdSn)
    await timeline.run(timeline.nowMs + 5)
  }
  wait()
  await round()
  sight.expCmdSn += 1
  await round()
  await round()
  expect(ends).toEqual([])
  sight.responses += 1 // of an immediate command
  await round()
  await round()
  expect(ends).toEqual([])
  await round()
  expect(kinds(ends)).toEqual(['quiet'])
  expect(asked.length).toBe(6)
})

it('K1 an initiator that has numbered what has not come is not still', async () => {
  const { timeline, it, ends, wait, command } = scene({ numbered: 1 })
  wait()
  command(100)
  timeline.after(100, () => {
    it.numbered = 0
  })
  await timeline.run(119)
  expect(ends).toEqual([])
  await timeline.run(180)
  expect(kinds(ends)).toEqual(['quiet'])
})

it('K2 an initiator whose window is used up is quiet as soon as all responses have left', async () => {
  const { timeline, sight, asked, ends, wait, at } = scene()
  Object.assign(sight, { pending: true, unwritten: true, windowUsedUp: true })
  wait()
  at(500, () => Object.assign(sight, { pending: false }))
  await timeline.run(600)
  expect(ends).toEqual([])
  at(700, () => Object.assign(sight, { unwritten: false }))
  await timeline.run(701)
  expect(ends).toEqual([['quiet', 700]])
  expect(asked).toEqual([])
})

it('K2 two still rounds in a row are quiet, and a command makes them begin anew', async () => {
  const { timeline, asked, ends, wait, command } = scene()
  wait()
  command(9) // after the first answer, before the second
  await timeline.run(1_000)
  const [[end, atMs] = ['gone', 0]] = ends
  expect(end).toBe('quiet')
  expect(atMs).toBeGreaterThanOrEqual(29 + 2 * ROUND_MS)
  expect(atMs).toBeLessThan(60)
  expect(asked.length).toBe(4)
  expect(new Set(asked).size).toBe(4)
})

it('K2 only the answer to the last NOP-In counts', async () => {
  const { timeline, quiet, asked, ends, wait, command } = scene({ answersAfterMs: null })
  wait()
  const [first = 0] = asked
  command(2)
  await timeline.run(40)
  quiet.answered(first, 8)
  quiet.answered(first, 8)
  await timeline.run(50)
  expect(ends).toEqual([])
})

it('K3 an initiator that has never answered is quiet after 100 ms of silence', async () => {
  const { timeline, ends, wait, command } = scene({ answersAfterMs: null })
  wait()
  command(60)
  await timeline.run(175)
  expect(ends).toEqual([])
  await timeline.run(190)
  expect(kinds(ends)).toEqual(['quiet'])
})

it('K3 one that has answered before is given 2 s', async () => {
  const { timeline, quiet, it, ends, wait } = scene()
  quiet.acquaint()
  await timeline.run(10)
  it.answersAfterMs = null
  wait()
  await timeline.run(1_990)
  expect(ends).toEqual([])
  await timeline.run(2_030)
  expect(kinds(ends)).toEqual(['quiet'])
})

it('K4 a member that stood still does not take what it has not read for silence', async () => {
  const { timeline, clock, ends, wait } = scene({ answersAfterMs: null })
  const after = clock.after.bind(clock)
  const stoodStillUntilMs = 3_000
  clock.after = (delayMs, f) => after(Math.max(delayMs, stoodStillUntilMs - timeline.nowMs), f)
  wait(9_000)
  await timeline.run(3_090)
  expect(ends).toEqual([])
  await timeline.run(3_110)
  expect(kinds(ends)).toEqual(['quiet'])
})

it('K5 a stop that comes upon a move shares its wait, with the later limit', async () => {
  const { timeline, sight, ends, wait } = scene()
  sight.pending = true
  wait(1_000)
  await timeline.run(800)
  wait(2_000)
  await timeline.run(2_700)
  expect(ends).toEqual([])
  await timeline.run(2_900)
  expect(ends).toEqual([
    ['busy', 2_800],
    ['busy', 2_800],
  ])
})

it('K6 a command that came right behind the answer counts', async () => {
  const { timeline, quiet, sight, asked, ends, wait } = scene({ answersAfterMs: null })
  wait()
  quiet.answered(asked[0] ?? 0, 7)
  await timeline.run(5)
  quiet.answered(asked[1] ?? 0, 7)
  Object.assign(sight, { expCmdSn: 8, pending: true })
  await timeline.run(100)
  expect(ends).toEqual([])
})

it('K2 of an initiator that was at work, rounds are believed after 100 ms of silence', async () => {
  const { timeline, quiet, sight, ends, wait } = scene()
  sight.windowNarrow = true
  void quiet.narrowed()
  await timeline.run(10)
  wait()
  await timeline.run(100)
  expect(ends).toEqual([])
  await timeline.run(125)
  expect(kinds(ends)).toEqual(['quiet'])
})

it('K7 the window is narrow when what was given is used up, or the initiator idle, or a second has passed', async () => {
  const narrowedAfter = async (change: (s: ReturnType<typeof scene>) => void) => {
    const s = scene()
    change(s)
    let atMs = Number.NaN
    void s.quiet.narrowed().then(() => {
      atMs = s.timeline.nowMs
    })
    await s.timeline.run(2_000)
    return atMs
  }
  const every40Ms = (s: ReturnType<typeof scene>) => {
    for (let ms = 20; ms < 2_000; ms += 40) s.at(ms, () => Object.assign(s.sight, { expCmdSn: ms }))
  }
  expect(await narrowedAfter(() => {})).toBe(100)
  expect(await narrowedAfter(every40Ms)).toBe(1_000)
  const used = await narrowedAfter((s) => {
    every40Ms(s)
    s.at(230, () => Object.assign(s.sight, { windowNarrow: true }))
  })
  expect(used).toBe(232)
})

it('a wait whose connection is gone ends at once', async () => {
  const { timeline, sight, quiet, ends, wait } = scene()
  sight.pending = true
  wait(1_000)
  quiet.over('gone')
  await timeline.run(5_000)
  expect(kinds(ends)).toEqual(['gone'])
})
