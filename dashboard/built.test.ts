// What is in the repository is what the sources make, and it is small.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'

const KEPT = fileURLToPath(new URL('built', import.meta.url))
const PAGE_BYTES_MAX = 120 * 1024

async function filesIn(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const names = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort()
  return new Map(
    await Promise.all(
      names.map(
        async (name) => [name.slice(folder.length + 1), await readFile(name)] as [string, Buffer],
      ),
    ),
  )
}

test('the page that is served is the one that its sources make: npm run build', async () => {
  const { build } = await import('vite')
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-page-'))
  // Under a test a library would be built for tests.
  const environment = process.env['NODE_ENV']
  process.env['NODE_ENV'] = 'production'
  try {
    const configFile = fileURLToPath(new URL('vite.config.ts', import.meta.url))
    await build({ configFile, mode: 'production', build: { outDir: folder } })
    const [kept, made] = [await filesIn(KEPT), await filesIn(folder)]
    expect([...made.keys()]).toEqual([...kept.keys()])
    for (const [name, bytes] of made) expect(bytes.equals(kept.get(name) ?? bytes), name).toBe(true)
  } finally {
    process.env['NODE_ENV'] = environment
    await rm(folder, { recursive: true, force: true })
  }
})

test('all of it is at most 120 KiB as it is sent, and names no other place', async () => {
  const files = await filesIn(KEPT)
  expect(files.size).toBeGreaterThan(3)
  const sent = [...files.values()].reduce((sum, bytes) => sum + gzipSync(bytes).length, 0)
  expect(sent).toBeLessThan(PAGE_BYTES_MAX)
  for (const [name, bytes] of files) {
    const places = bytes.toString().match(/https?:\/\/[^\s"'`)]+/g) ?? []
    expect(
      places.filter((place) => !place.startsWith('http://www.w3.org/')),
      name,
    ).toEqual([])
  }
})
