// The tests of libiscsi against two members at once: the families that the first release holds to, one process a test.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestGroup, tool } from '../kit/group.ts'

const FAMILIES = [
  ...['Mandatory', 'Inquiry', 'TestUnitReady', 'ModeSense6', 'ReadCapacity10', 'ReadCapacity16'],
  ...['Read6', 'Read10', 'Read12', 'Read16', 'Write10', 'Write12', 'Write16'],
  ...['WriteVerify10', 'WriteVerify12', 'WriteVerify16', 'Verify10', 'Verify12', 'Verify16'],
  ...['iSCSIcmdsn', 'iSCSIResiduals'],
]
const TESTS = 108
/** Each has a volume of its own. */
const RUNNERS = 4
const VOLUME_BYTES = 256 * 2 ** 20
const TOOL_LIMIT_MS = 60_000

type Result = 'passed' | 'skipped' | 'failed'

let group: TestGroup

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
})
afterAll(async () => {
  await group.stop()
})

/** All tests of the tool, `ALL.Family.Name`. */
async function listTests(): Promise<readonly string[]> {
  const { said } = await tool('iscsi-test-cu', ['-l'])
  return said.split('\n').filter((line) => /^ALL\.[^.]+\.[^.]+$/.test(line))
}

/** Of the tests with several paths, the one of a reset: every nexus hears of it, also the one that sent it. */
const isOurs = (name: string) =>
  FAMILIES.includes(familyOf(name)) || name === 'ALL.MultipathIO.Reset'

const familyOf = (name: string) => name.split('.')[1] ?? ''

function judgeOutput({ code, said }: { code: number | null; said: string }): Result {
  const summary = /^\s*tests\s+1\s+1\s+(\d)\s+(\d)\s/m.exec(said)
  if (code !== 0 || summary?.[1] !== '1' || summary[2] !== '0') return 'failed'
  // Before and after each test the tool wants to clear persistent reservations, which it says are not here yet.
  const ofTest = said
    .slice(said.indexOf('Suite: '))
    .replaceAll('[SKIPPED] PERSISTENT RESERVE IN is not implemented.', '')
  return ofTest.includes('[SKIPPED]') ? 'skipped' : 'passed'
}

test('libiscsi finds nothing to fail or to skip in the families of the first mark', async () => {
  const names = (await listTests()).filter(isOurs)
  expect(names).toHaveLength(TESTS)
  const results = new Map<string, Result>()
  const problems: string[] = []
  const waiting = names.toReversed()
  const beganMs = performance.now()

  const runner = async (n: number) => {
    const { iqn } = await group.createVolume(`conformance-${n}`, VOLUME_BYTES)
    const urls = [group.url('m1', iqn), group.url('m2', iqn)]
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const args = ['-d', '-S', '-v', '-t', name, ...urls]
      const ended = await tool('iscsi-test-cu', args, TOOL_LIMIT_MS)
      const result = judgeOutput(ended)
      results.set(name, result)
      if (result !== 'passed') problems.push(`${name} ${result}: ${ended.said}`)
    }
  }
  await Promise.all(Array.from({ length: RUNNERS }, (_, n) => runner(n)))

  const score = [...FAMILIES, 'MultipathIO'].map((family) => {
    const ofFamily = [...results].filter(([name]) => familyOf(name) === family)
    const passed = ofFamily.filter(([, result]) => result === 'passed').length
    return `${family} ${passed}/${ofFamily.length}`
  })
  const passed = [...results.values()].filter((result) => result === 'passed').length
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(0)
  console.log(`iscsi-test-cu: ${passed} of ${TESTS} passed in ${seconds} s: ${score.join(', ')}`)
  expect(problems).toEqual([])
  expect(results.size).toBe(TESTS)
}, 240_000)
