import { describe, expect, it } from 'vitest'
import { generation, revision, sessionId, sliceId } from '../base/ids.ts'
import { SessionMarks } from './session-marks.ts'

/** By plain numbers, for short. */
function newMarks() {
  const marks = new SessionMarks<string>()
  return {
    admit: (session: number, gen: number) => marks.admit(sessionId(session), generation(gen)),
    fence: (session: number, gen: number) => marks.fence(sessionId(session), generation(gen)),
    isRetired: (session: number) => marks.isRetired(sessionId(session)),
    load: (list: readonly (readonly [number, number])[], rev: number) =>
      marks.load(
        list.map(([session, gen]) => [sessionId(session), generation(gen)] as const),
        revision(rev),
      ),
  }
}

describe('session marks', () => {
  it('G1 a request raises the generation, and a lower one is refused', () => {
    const marks = newMarks()
    expect(marks.admit(5, 2)).not.toBeNull()
    expect(marks.admit(5, 1)).toBeNull()
    expect(marks.admit(5, 3)).not.toBeNull()
    expect(marks.admit(5, 2)).toBeNull()
  })

  it('G1 a FENCE raises it too, also of a session that is not known yet', () => {
    const marks = newMarks()
    marks.fence(9, 4)
    expect(marks.admit(9, 3)).toBeNull()
    expect(marks.admit(9, 4)).not.toBeNull()
    marks.fence(9, 2)
    expect(marks.admit(9, 4)).not.toBeNull()
  })

  it('G2 a session neither listed nor newer than the list is refused, and no FENCE brings it back', () => {
    const marks = newMarks()
    marks.load([[10, 3]], 100)
    expect(marks.admit(50, 1)).toBeNull()
    marks.fence(50, 7)
    expect(marks.admit(50, 7)).toBeNull()
    expect(marks.admit(101, 1)).not.toBeNull()
    expect(marks.admit(10, 2)).toBeNull()
    expect(marks.admit(10, 3)).not.toBeNull()
  })

  it('G2 a later list retires what it lacks, and an older one changes nothing', () => {
    const marks = newMarks()
    marks.load([[10, 3]], 100)
    marks.admit(101, 1)
    marks.admit(150, 1)
    marks.load([[101, 2]], 120)
    expect([10, 101, 119, 121, 150].filter((session) => marks.isRetired(session))).toEqual([
      10, 119,
    ])
    expect(marks.admit(10, 3)).toBeNull()
    expect(marks.admit(101, 1)).toBeNull()
    expect(marks.admit(150, 1)).not.toBeNull()
    marks.load([[10, 9]], 110)
    expect(marks.admit(10, 9)).toBeNull()
  })

  it('G2 listing never lowers a generation', () => {
    const marks = newMarks()
    marks.admit(10, 5)
    marks.load([[10, 3]], 100)
    expect(marks.admit(10, 4)).toBeNull()
  })

  it('G3 answers are kept until acknowledged, and end with their generation', () => {
    const marks = newMarks()
    const window = marks.admit(5, 1)?.window(sliceId(7))
    window?.answers.set(1, 'done')
    window?.answers.set(2, 'done')
    expect(window?.acknowledge(1)).toBe(true)
    expect(window?.acknowledge(1)).toBe(false)
    expect([...(marks.admit(5, 1)?.window(sliceId(7)).answers.keys() ?? [])]).toEqual([2])
    expect(marks.admit(5, 2)?.window(sliceId(7)).answers.size).toBe(0)
  })
})
