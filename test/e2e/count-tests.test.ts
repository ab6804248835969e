import { describe, expect, test } from 'vitest'
import { countTests, sum } from '../../scripts/count-tests.ts'

const file = (...statuses: string[]) => ({
  name: 'a.test.ts',
  status: 'passed',
  assertionResults: statuses.map((status, i) => ({ status, fullName: `test ${i}` })),
})
const report = (...testResults: object[]) => JSON.stringify({ testResults })

describe('the line that npm test ends with', () => {
  test('counts every test', () => {
    expect(countTests(report(file('passed', 'failed'), file('passed')), 1)).toEqual({
      count: { passed: 2, failed: 1 },
      remarks: [],
    })
    expect(
      sum([
        { passed: 2, failed: 1 },
        { passed: 1, failed: 0 },
      ]),
    ).toEqual({ passed: 3, failed: 1 })
  })

  test('a run that crashed, or left no whole report, failed', () => {
    for (const broken of [null, '', '{"testResu', '{}']) {
      expect(countTests(broken, 134), String(broken)).toEqual({
        count: { passed: 0, failed: 1 },
        remarks: ['vitest crashed (exit code 134)'],
      })
    }
  })

  test('nothing that ran, a file without tests and a skipped test are failures', () => {
    expect(countTests(report(), 0).count).toEqual({ passed: 0, failed: 1 })
    expect(countTests(report(file('passed'), file()), 1).count).toEqual({ passed: 1, failed: 1 })
    expect(countTests(report(file('passed', 'pending')), 0)).toEqual({
      count: { passed: 1, failed: 1 },
      remarks: ['test 1: pending'],
    })
  })

  test('an error outside of tests is a failure', () => {
    expect(countTests(report(file('passed')), 1).count).toEqual({ passed: 1, failed: 1 })
  })
})
