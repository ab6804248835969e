// The dashboard is a caller like any other: of src it knows the words of the API and pure words, and nothing behind them.
import { expect, test } from 'vitest'
import { dashboardKnows } from './rooms.ts'
import { headerOf, importsOf, isTest, readSources, type SourceFile } from './source-files.ts'

function complaints(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => path.startsWith('dashboard/src/') && !isTest(path))
    .flatMap((file) => [
      ...importsOf(file)
        .filter((to) => !to.startsWith('dashboard/src/') && !to.startsWith('src/base/'))
        .filter((to) => !dashboardKnows.includes(to))
        .map((to) => `${file.path} imports ${to}`),
      ...(headerOf(file.text).length > 0 ? [] : [`${file.path} does not say what it is`]),
    ])
}

test('the dashboard knows the words of the API and nothing behind them', async () => {
  const files = await readSources()
  expect(files.filter(({ path }) => path.startsWith('dashboard/src/')).length).toBeGreaterThan(15)
  expect(complaints(files)).toEqual([])
})

test('this can fail', () => {
  const path = 'dashboard/src/x.tsx'
  const text = "import { a } from '../../src/operator/y.ts'\n"
  expect(complaints([{ path, text }])).toHaveLength(2)
  expect(complaints([{ path, text: `// X.\n${text}` }])).toHaveLength(1)
  expect(complaints([{ path, text: "// X.\nimport { a } from '../../src/base/y.ts'\n" }])).toEqual(
    [],
  )
})
