// What vitest's JSON report comes to. A run that crashed, ran nothing, or left tests out did not pass.

export interface Count {
  readonly passed: number
  readonly failed: number
}

export function sum(counts: readonly Count[]): Count {
  return {
    passed: counts.reduce((total, { passed }) => total + passed, 0),
    failed: counts.reduce((total, { failed }) => total + failed, 0),
  }
}

interface TestResult {
  readonly status: string
  readonly fullName: string
}
interface FileResult {
  readonly name: string
  readonly status: string
  readonly message?: string
  readonly assertionResults: readonly TestResult[]
}

/** `report` is null if vitest wrote none; `code` is its exit code. A remark says each thing that counts as failed without being a failed test. */
export function countTests(
  report: string | null,
  code: number | null,
): { count: Count; remarks: readonly string[] } {
  const files = report === null ? null : parse(report)
  if (files === null)
    return { count: { passed: 0, failed: 1 }, remarks: [`vitest crashed (exit code ${code})`] }
  const remarks: string[] = []
  let passed = 0
  let failed = 0
  for (const { name, status, assertionResults } of files) {
    if (assertionResults.length === 0) remarks.push(`${name} ran no test (${status})`)
    for (const test of assertionResults) {
      if (test.status === 'passed') passed += 1
      else failed += 1
      if (test.status !== 'passed' && test.status !== 'failed')
        remarks.push(`${test.fullName}: ${test.status}`)
    }
    failed += assertionResults.length === 0 ? 1 : 0
  }
  if (passed + failed === 0) {
    remarks.push('vitest found no test')
    failed += 1
  }
  if (failed === 0 && code !== 0) {
    remarks.push(
      `vitest ended with exit code ${code}, though every test passed: an error outside of tests`,
    )
    failed += 1
  }
  return { count: { passed, failed }, remarks }
}

function parse(report: string): readonly FileResult[] | null {
  try {
    const { testResults } = JSON.parse(report) as { testResults?: unknown }
    return Array.isArray(testResults) ? (testResults as FileResult[]) : null
  } catch {
    return null
  }
}
