// The dashboard: its files are built ahead (dashboard/built) and served from memory by every member. It knows the API and
// nothing else, as every other caller does. Beside it, at /docs, the API is described for people.
//
// Invariants:
//   W1. The page loads from and asks this address alone; it runs no script and no style that is not a file of ours.
//   W2. A file that bears the hash of its contents in its name is kept by browsers; the page that names it is asked for anew.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { referencePage } from './reference.ts'

const REFERENCE_STYLE = new URL('reference.css', import.meta.url)
const BUILT = fileURLToPath(new URL('../../dashboard/built/', import.meta.url))

/** W1. */
const POLICY = [
  "default-src 'none'",
  ...['script-src', 'style-src', 'img-src', 'connect-src'].map((what) => `${what} 'self'`),
  ...['base-uri', 'form-action', 'frame-ancestors'].map((what) => `${what} 'none'`),
].join('; ')

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const KEPT = 'public, max-age=31536000, immutable'
const ASKED_ANEW = 'no-cache'

interface PageFile {
  readonly path: string
  readonly type: string
  readonly cacheControl: string
  readonly etag: string
  readonly whole: Buffer
  readonly zipped: Buffer
}

/** Of a checkout or a package that has none: nothing is at `/`. */
export async function pageRoutes(app: FastifyInstance): Promise<void> {
  const schema = { hide: true }
  const style = pageFile('docs.css', await readFile(REFERENCE_STYLE))
  for (const file of [...(await readPage()), style]) {
    app.get(file.path, { schema }, async (request, reply) => sendPage(request, reply, file))
  }
  let reference: PageFile | null = null
  app.get('/docs', { schema }, async (request, reply) => {
    // The document is whole once every route is known.
    reference ??= pageFile('docs.html', Buffer.from(referencePage(app.swagger())))
    return sendPage(request, reply, reference)
  })
}

function sendPage(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  reply
    .header('content-security-policy', POLICY)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'no-referrer')
    .header('cross-origin-opener-policy', 'same-origin')
    .header('cross-origin-resource-policy', 'same-origin')
    .header('cache-control', file.cacheControl)
    .header('vary', 'accept-encoding')
    .header('etag', file.etag)
  if (request.headers['if-none-match'] === file.etag) return reply.code(304).send()
  reply.type(file.type)
  const zips = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
  return zips ? reply.header('content-encoding', 'gzip').send(file.zipped) : reply.send(file.whole)
}

async function readPage(): Promise<readonly PageFile[]> {
  const names = await readdir(BUILT, { recursive: true }).catch(() => [])
  const known = names.filter((name) => Object.hasOwn(TYPES, extname(name))).sort()
  return Promise.all(known.map(async (name) => pageFile(name, await readFile(BUILT + name))))
}

function pageFile(name: string, whole: Buffer): PageFile {
  return {
    path: name === 'index.html' ? '/' : `/${name}`,
    type: TYPES[extname(name)] ?? '',
    cacheControl: name.startsWith('assets/') ? KEPT : ASKED_ANEW,
    etag: `"${createHash('sha256').update(whole).digest('base64url').slice(0, 22)}"`,
    whole,
    zipped: gzipSync(whole),
  }
}
