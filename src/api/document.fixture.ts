// The OpenAPI document as every member of this version serves it, and where it is kept.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { OperatorInMemory } from './operator-in-memory.fixture.ts'
import { buildApi } from './server.ts'

export const DOCUMENT_FILE = fileURLToPath(new URL('../../docs/openapi.json', import.meta.url))
const PACKAGE_FILE = new URL('../../package.json', import.meta.url)

export async function documentText(): Promise<string> {
  const { version } = JSON.parse(await readFile(PACKAGE_FILE, 'utf8')) as { version: string }
  const settings = { host: '127.0.0.1', port: 0, version, failed: () => {} }
  const app = await buildApi(new OperatorInMemory(), settings)
  const document = app.swagger()
  await app.close()
  return `${JSON.stringify(document, null, 2)}\n`
}
