import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { type HealthCode, healthCode } from '../api/health-schema.ts'
import { epoch, type MemberId, memberId, sliceId, volumeId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'
import { well } from './condition.fixture.ts'
import type { Condition } from './condition.ts'
import { healthOf, problemsOf } from './health.ts'
import type { GroupFacts, MemberFacts } from './health-facts.ts'
import type { Launched } from './launcher-record.ts'

const MIB = 1024 ** 2
const NOW = Date.parse('2026-11-29T22:00:00.000Z')

const launched: Launched = {
  serves: false,
  endings: 4,
  firstAt: '2026-11-29T21:58:00.000Z',
  lastAt: '2026-11-29T21:59:59.000Z',
  lastError: 'The superblock is gone.',
  code: null,
}

function member(id: MemberId, more: Partial<MemberFacts> = {}): MemberFacts {
  return {
    id,
    state: 'up',
    heardMs: NOW - 500,
    link: null,
    condition: well,
    launched: null,
    draining: false,
    slices: 341,
    alone: 341,
    resyncMs: null,
    utilisation: 0.2,
    ...more,
  }
}

const sick = (id: MemberId, more: Partial<Condition>) =>
  member(id, { condition: { ...well, ...more } })
const down = (id: MemberId, more: Partial<MemberFacts> = {}) =>
  member(id, { state: 'down', condition: null, ...more })

/** vol1 lies on m1 and m2, vol2 on m2 alone; session 7 is on m1 and uses vol1, 8 on m1 and vol2. */
function group(...members: MemberFacts[]): GroupFacts {
  return {
    members,
    slices: [],
    volumes: [
      {
        ...{ id: volumeId(1), name: 'vol1', lanes: [sliceId(0), sliceId(1)] },
        members: new Set([memberId('m1'), memberId('m2')]),
      },
      {
        ...{ id: volumeId(2), name: 'vol2', lanes: [sliceId(1)] },
        members: new Set([memberId('m2')]),
      },
    ],
    sessions: [
      { id: '7', volume: volumeId(1), member: memberId('m1') },
      { id: '8', volume: volumeId(2), member: memberId('m1') },
    ],
    balance: 'on',
    trust: { moves: 0, brought: 1, caution: 1 },
  }
}

/** Of one slice, as 'm1* m2 | m1 m2 m3, 2': in sync with the primary marked, wanted, and the least with which writes go on. */
function withSlices(facts: GroupFacts, ...slices: readonly string[]): GroupFacts {
  const records = slices.map((text): SliceRecord => {
    const [inSync = '', want = '', min = '1'] = text.split(/ ?[|,] ?/)
    const ids = (list: string) => list.split(' ').map((id) => memberId(id.replace('*', '')))
    const primary = /(\w+)\*/.exec(inSync)?.[1] ?? ''
    return {
      ...{ epoch: epoch(1), primary: memberId(primary), min: Number(min) },
      ...{ inSync: ids(inSync), want: ids(want) },
    }
  })
  return { ...facts, slices: records }
}

const none = new Map<string, number>()
const look = (...members: MemberFacts[]) => problemsOf(group(...members), none, NOW).problems
const told = (...members: MemberFacts[]) =>
  look(...members).map(({ code, severity, subject }) => `${severity} ${code} ${subject}`)

test('a group without problems is ok', () => {
  expect(look(member(memberId('m1')), member(memberId('m2')))).toEqual([])
  expect(healthOf([])).toBe('ok')
})

test('the operator finds every code in docs/OPERATING.md, and no other', async () => {
  const text = await readFile(new URL('../../docs/OPERATING.md', import.meta.url), 'utf8')
  const listed = [...text.matchAll(/^\| `([A-Z_]{4,})` +\| (?:error|warning) /gm)].map(
    ([, code]) => code,
  )
  expect(listed.toSorted()).toEqual(healthCode.options.toSorted())
})

describe('each code', () => {
  const { utilisation: _, ...rest } = member(memberId('m1'))
  const cases: Readonly<Record<HealthCode, readonly [GroupFacts, says: RegExp, lastsMs?: number]>> =
    {
      STORE_FAILED: [group(sick(memberId('m1'), { storeFailure: 'EIO: write' })), /m1.*EIO: write/],
      OLD_FOLDER: [
        group(
          member(memberId('m1')),
          down(memberId('m2'), { launched: { ...launched, code: 'OLD_FOLDER' } }),
        ),
        /m2 does not start with the data folder that it finds: The superblock is gone/,
      ],
      MEMBER_RESTARTING: [
        group(member(memberId('m1')), down(memberId('m2'), { launched })),
        /m2 has ended 4 times and does not serve now.*The superblock is gone/,
      ],
      MEMBER_DOWN: [
        group(
          member(memberId('m1')),
          down(memberId('m2'), { link: 'm2 belongs to the group g, not to h' }),
        ),
        /m2 does not answer \(m2 belongs to the group g, not to h\): .*341 slices/,
      ],
      MEMBER_SLOW: [
        group(member(memberId('m1')), down(memberId('m2'), { state: 'slow' })),
        /m2 did not answer/,
      ],
      UNAVAILABLE: [
        withSlices(group(member(memberId('m1'))), 'm1* | m1 m2 m3, 2'),
        /^Writes to 1 slice of m1 wait, as fewer copies are in sync/,
      ],
      LAST_COPY: [
        withSlices(group(member(memberId('m1'))), 'm1* | m1 m9', 'm1* | m1 m9'),
        /^m1 has the only copy that is in sync of 2 slices/,
      ],
      DEGRADED: [
        withSlices(group(member(memberId('m1')), member(memberId('m2'))), 'm1* m2 | m1 m2 m9, 2'),
        /^m9 lacks its copies of 1 slice/,
      ],
      RESYNC: [
        withSlices(
          group(...['m1', 'm2', 'm3'].map((id) => member(memberId(id)))),
          'm1* m2 | m1 m3',
          'm1* m3 | m1 m3',
        ),
        /^m3 has 1 of its 2 copies of slices in sync/,
      ],
      MEMBER_EMPTY: [
        withSlices(
          group(member(memberId('m1')), member(memberId('m2'), { slices: 0 })),
          'm1* | m1',
          'm1* | m1',
        ),
        /^m2 has no slices/,
      ],
      DAMAGED: [
        group(sick(memberId('m1'), { damaged: [{ volume: volumeId(1), pages: 3, mendable: 0 }] })),
        /3 pages.*MEDIUM ERROR/,
      ],
      FULL: [group(sick(memberId('m2'), { freeBytes: MIB - 1 })), /m2 is full.*7\/27\/07/],
      NEAR_FULL: [
        group(sick(memberId('m2'), { usedBytes: 850 * MIB, freeBytes: 150 * MIB })),
        /85 %/,
      ],
      RECORD_LOST: [
        group(
          sick(memberId('m1'), { recordLost: 'the file was removed', coordinator: 'lost' }),
          member(memberId('m2')),
        ),
        /^m1 cannot use the coordination file any more: the file was removed/,
      ],
      COORDINATOR_DOWN: [
        group(
          sick(memberId('m1'), { coordinator: 'busy' }),
          sick(memberId('m2'), { coordinator: 'busy' }),
        ),
        /does not answer m1, m2: busy/,
      ],
      SLOW_DISK: [group(sick(memberId('m1'), { commitMs: 350.4 })), /m1 needs 350 ms/, 10_000],
      IMBALANCED: [
        group({ ...rest, utilisation: 0.9 }, member(memberId('m2'), { utilisation: 0.1 })),
        /m1 works at 90 % and m2 at 10 %/,
        300_000,
      ],
      DRAINING: [
        group(
          member(memberId('m1'), {
            draining: true,
            condition: {
              ...well,
              drain: {
                ...{
                  since: '2026-11-29T21:59:00.000Z',
                  left: 3,
                  moved: 2,
                  secondsLeft: 4,
                  stuck: 1,
                },
                reasons: [
                  { session: '9', code: 'PINNED', why: 'it is pinned', action: 'Unpin it.' },
                ],
              },
            },
          }),
        ),
        /m1 is being drained: 3 sessions left, about 4 s. 1 of them cannot leave now/,
      ],
      MISPREDICTING: [
        { ...group(member(memberId('m1'))), trust: { moves: 7, brought: 0.2, caution: 5 } },
        /last 7 moves .* brought 0.2 times what was predicted.* 5 times as much/,
      ],
    }
  test.each(healthCode.options)('%s is told, with what to do', (code) => {
    const [facts, says, lastsMs = 0] = cases[code]
    const { memory } = problemsOf(facts, none, NOW)
    const { problems } = problemsOf(facts, memory, NOW + lastsMs)
    expect(problems.map((problem) => problem.code)).toEqual([code])
    const [problem] = problems
    expect(problem?.sentence).toMatch(says)
    expect(problem?.sentence).toMatch(/[.\w]$/)
    expect(problem?.action).toMatch(/^['A-Z].*\.$/)
  })
})

test('UNAVAILABLE: the primary is down and nobody may take over, or too few are in sync', () => {
  const [up, m2, m3] = [member(memberId('m1')), down(memberId('m2')), down(memberId('m3'))]
  const says = (...slices: string[]) => {
    const { problems } = problemsOf(withSlices(group(up, m2, m3), ...slices), none, NOW)
    return problems
      .filter(({ code }) => code !== 'MEMBER_DOWN')
      .map(({ code, subject, sentence, action }) => [code, subject, sentence, action].join(' / '))
  }
  expect(says('m1* | m1', 'm2* | m2', 'm3* | m3')).toEqual([]) // one copy: as ever
  expect(says('m2* m3 | m2 m3')).toEqual([
    expect.stringMatching(/^UNAVAILABLE .* m2 .*I\/O to 1 slice waits.*Bring back m2 and m3:/),
  ])
  expect(says('m2* m1 | m2 m1')).toEqual([]) // m1 takes over
  expect(says('m2* | m2 m1')).toEqual([expect.stringMatching(/^UNAVAILABLE .* m2 .*m2 does not/)])
  expect(says('m1* | m1 m2 m3, 2', 'm1* m2 | m1 m2 m3, 2')).toEqual([
    expect.stringMatching(/^UNAVAILABLE .* m1 .*writes|Writes to 1 slice of m1/),
    expect.stringMatching(/^DEGRADED .* m3 .*1 slice;/),
  ])
})

test('a member that is down does not stop the slices that others have, too', () => {
  const says = (more: Partial<MemberFacts>) =>
    look(member(memberId('m1')), down(memberId('m2'), more))[0]?.sentence
  expect(says({})).toMatch(/: I\/O to its 341 slices waits, and its sessions stand still\.$/)
  expect(says({ alone: 0 })).toMatch(/: others take over its 341 slices; its sessions stand/)
  expect(says({ alone: 3 })).toMatch(/: I\/O to 3 of its 341 slices waits, and its/)
  expect(says({ slices: 0, alone: 0 })).toMatch(/answer: its sessions stand still\.$/)
})

test('where there are copies, a member that is down may be waiting for the others, and its log says so', () => {
  const action = (more: Partial<MemberFacts>) =>
    look(member(memberId('m1')), down(memberId('m2'), more))[0]?.action
  expect(action({})).toMatch(/must be killed\. See 'evenkeel log m2'\.$/)
  for (const more of [{ alone: 0 }, { slices: 0, alone: 0 }])
    expect(action(more)).toMatch(/'evenkeel log m2', which says so if it waits for the others/)
})

test('RESYNC tells how long it takes, if that is known', () => {
  const at = (resyncMs: number | null) => {
    const facts = group(member(memberId('m1')), member(memberId('m2'), { resyncMs }))
    return problemsOf(withSlices(facts, 'm1* | m1 m2'), none, NOW).problems.find(
      ({ code }) => code === 'RESYNC',
    )?.sentence
  }
  expect(at(null)).toMatch(/to be copied to it\.$/)
  expect(at(240_000)).toMatch(/to be copied to it, in about 4 ?m\w* at the pace of now\.$/)
})

test('volumes that have lanes in the slices are concerned', () => {
  const facts = withSlices(group(member(memberId('m1'))), 'm1* | m1 m9', 'm1* m9 | m1 m9')
  const [problem] = problemsOf(facts, none, NOW).problems
  expect(problem).toMatchObject({ code: 'LAST_COPY', volumes: { names: ['vol1'] } })
  expect(problem?.action).toMatch(/^Bring back m9: see 'evenkeel log m9'/)
})

test('HE1 since is when it was first found, or began, and stays as long as it is found', () => {
  const full = group(sick(memberId('m1'), { freeBytes: 0 }))
  const first = problemsOf(full, none, NOW)
  const second = problemsOf(full, first.memory, NOW + 60_000)
  expect(second.problems[0]?.since).toBe('2026-11-29T22:00:00.000Z')
  const gone = problemsOf(group(member(memberId('m1'))), second.memory, NOW + 70_000)
  expect(gone.problems).toEqual([])
  const again = problemsOf(full, gone.memory, NOW + 80_000)
  expect(again.problems[0]?.since).toBe('2026-11-29T22:01:20.000Z')

  const [silent] = look(member(memberId('m1')), down(memberId('m2')))
  expect(silent?.since).toBe('2026-11-29T21:59:59.500Z')
  const [loop] = look(member(memberId('m1')), down(memberId('m2'), { launched }))
  expect(loop?.since).toBe(launched.firstAt)
})

test('HE1 two members with one code are two problems', () => {
  expect(
    told(sick(memberId('m1'), { freeBytes: 0 }), sick(memberId('m2'), { freeBytes: 0 })),
  ).toEqual(['error FULL m1', 'error FULL m2'])
})

test('HE2 what must last is not told before, and not at all if it was interrupted', () => {
  const slow = group(sick(memberId('m1'), { commitMs: 500 }))
  const first = problemsOf(slow, none, NOW)
  expect(first.problems).toEqual([])
  const nearly = problemsOf(slow, first.memory, NOW + 9_999)
  expect(nearly.problems).toEqual([])
  const [told] = problemsOf(slow, nearly.memory, NOW + 10_000).problems
  expect(told).toMatchObject({ code: 'SLOW_DISK', since: '2026-11-29T22:00:00.000Z' })
  const better = problemsOf(group(member(memberId('m1'))), nearly.memory, NOW + 9_999)
  expect(problemsOf(slow, better.memory, NOW + 10_000).problems).toEqual([])
})

test('HE3 the worst comes first', () => {
  const problems = look(
    sick(memberId('m1'), { usedBytes: 850 * MIB, freeBytes: 150 * MIB }),
    sick(memberId('m2'), { damaged: [{ volume: volumeId(2), pages: 1, mendable: 0 }] }),
  )
  expect(problems.map(({ severity }) => severity)).toEqual(['error', 'warning'])
  expect(healthOf(problems)).toBe('error')
})

test('HE4 names are bounded, counts are not', () => {
  const volumes = Array.from({ length: 30 }, (_, i) => ({
    id: volumeId(i),
    name: `v${i}`,
    lanes: [],
    members: new Set([memberId('m2')]),
  }))
  const sessions = Array.from({ length: 400 }, (_, i) => ({
    id: String(i),
    volume: volumeId(i % 30),
    member: memberId('m1'),
  }))
  const facts = { ...group(member(memberId('m1')), down(memberId('m2'))), volumes, sessions }
  const [problem] = problemsOf(facts, none, NOW).problems
  expect(problem?.volumes.count).toBe(30)
  expect(problem?.volumes.names).toHaveLength(10)
  expect(problem?.sessions.count).toBe(400)
  expect(problem?.sessions.ids).toHaveLength(10)
})

test('volumes that lie on a member and their sessions are concerned, and those it serves', () => {
  const [m2] = look(member(memberId('m1')), down(memberId('m2')))
  expect(m2?.volumes).toEqual({ count: 2, names: ['vol1', 'vol2'] })
  expect(m2?.sessions).toEqual({ count: 2, ids: ['7', '8'] })
  const [m1] = look(down(memberId('m1')), member(memberId('m2')))
  expect(m1?.volumes).toEqual({ count: 1, names: ['vol1'] })
  expect(m1?.sessions).toEqual({ count: 2, ids: ['7', '8'] })
  const [damaged] = look(
    sick(memberId('m2'), { damaged: [{ volume: volumeId(2), pages: 1, mendable: 0 }] }),
  )
  expect(damaged?.sessions).toEqual({ count: 1, ids: ['8'] })
})

test('a member that restarts is not told to be down as well; one that serves again is a warning', () => {
  expect(told(member(memberId('m1')), down(memberId('m2'), { launched }))).toEqual([
    'error MEMBER_RESTARTING m2',
  ])
  expect(told(member(memberId('m1'), { launched: { ...launched, serves: true } }))).toEqual([
    'warning MEMBER_RESTARTING m1',
  ])
  expect(
    told(member(memberId('m1')), down(memberId('m2'), { launched: { ...launched, serves: true } })),
  ).toEqual(['error MEMBER_DOWN m2', 'warning MEMBER_RESTARTING m2'])
})

test('where there are copies, damage is an error of what none of them has', () => {
  const damaged = group(
    sick(memberId('m1'), { damaged: [{ volume: volumeId(1), pages: 3, mendable: 0 }] }),
  )
  const told = (facts: GroupFacts) => problemsOf(facts, none, NOW).problems[0]?.sentence
  expect(told(withSlices(damaged, 'm1* | m1'))).toContain('whoever reads what was there gets')
  expect(told(withSlices(damaged, 'm1* m2 | m1 m2'))).toContain(
    'whoever reads what no copy in sync has gets MEDIUM ERROR',
  )
})

test('what may be taken from another copy is a warning, and told beside what is lost', () => {
  const damaged = (pages: number, mendable: number) =>
    look(sick(memberId('m1'), { damaged: [{ volume: volumeId(1), pages, mendable }] }))[0]
  expect(damaged(2, 2)).toMatchObject({
    ...{ code: 'DAMAGED', severity: 'warning' },
    sentence:
      'Blocks of 2 pages are damaged at m1, and are taken from another copy: reads are answered with what that has.',
  })
  expect(damaged(3, 1)).toMatchObject({
    severity: 'error',
    sentence: expect.stringMatching(
      /^m1 cannot read blocks of 2 pages: .*MEDIUM ERROR.* Blocks of 1 page are damaged at m1, and are taken/,
    ),
  })
})

test('pages that a lost segment file or a folder that was given up had are damage too', () => {
  const [segment] = look(sick(memberId('m1'), { lostSegments: { files: 1, pages: 61 } }))
  expect(segment?.sentence).toMatch(/^1 segment file of m1 with 61 pages cannot be used: whoever/)
  expect(segment?.volumes.names).toEqual(['vol1'])
  const [folder] = look(sick(memberId('m1'), { lostVolumes: [volumeId(2)] }))
  expect(folder?.sentence).toMatch(
    /^the folder that m1 had before was given up, with pages of 1 volume:/,
  )
  expect(folder?.volumes.names).toEqual(['vol2'])
})

test('room is near its end at 80 %, an error from 90 %, and full below one page', () => {
  const at = (usedBytes: number) =>
    told(sick(memberId('m1'), { usedBytes, freeBytes: 1000 * MIB - usedBytes }))
  expect(at(799 * MIB)).toEqual([])
  expect(at(800 * MIB)).toEqual(['warning NEAR_FULL m1'])
  expect(at(900 * MIB)).toEqual(['error NEAR_FULL m1'])
  expect(at(1000 * MIB)).toEqual(['error FULL m1'])
})

test('members at low load, or one whose load is not known, are not out of balance', () => {
  const at = (...loads: (number | null)[]) => {
    const facts = group(
      ...loads.map((utilisation, i) => member(memberId(`m${i + 1}`), { utilisation })),
    )
    return problemsOf(facts, problemsOf(facts, none, NOW).memory, NOW + 300_000).problems.length
  }
  expect(at(0.12, 0.02)).toBe(0)
  expect(at(0.8, 0.7)).toBe(0)
  expect(at(0.9, null)).toBe(0)
  expect(at(0.9, 0.3, 0.6)).toBe(1)
})
