// The project's own source as the architecture test sees it: files with their text, their code without comments and
// strings, and what they import.
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface SourceFile {
  /** From the project's root, with '/'. */
  readonly path: string
  readonly text: string
}

const root = fileURLToPath(new URL('..', import.meta.url))
export const sourceFolders = ['src', 'sim', 'test', 'bench', 'scripts', 'dashboard'] as const

export async function readSources(): Promise<SourceFile[]> {
  const files: SourceFile[] = []
  for (const folder of sourceFolders) {
    const names = await readdir(join(root, folder), { recursive: true }).catch(() => [])
    for (const name of names) {
      if (!/\.tsx?$/.test(name)) continue
      const path = `${folder}/${name.replaceAll('\\', '/')}`
      files.push({ path, text: await readFile(join(root, path), 'utf8') })
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** 'src/iscsi/pdu.ts' is of room 'iscsi'; null outside src, and for a file that lies in src itself. */
export function roomOf(path: string): string | null {
  const [top, room, ...rest] = path.split('/')
  return top === 'src' && room !== undefined && rest.length > 0 ? room : null
}

/** Tests and what only they use. */
export function isTest(path: string): boolean {
  return /\.(test|fixture)\.ts$/.test(path) || path.startsWith('test/')
}

/** The comment lines at the head of a file. */
export function headerOf(text: string): string[] {
  const lines = text.split('\n')
  const end = lines.findIndex((line) => !line.startsWith('//') && !line.startsWith('#!'))
  return lines.slice(0, end === -1 ? lines.length : end)
}

// A slash begins a regular expression where no value can have ended before it.
const regexMayFollow = /(^|[(,=:[!&|?{};+\-*%<>~^\n]|\b(return|typeof|case|of|in))\s*$/
const regexForm = /^\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/

/** The text with comments, and what is between quotes or in a regular expression, replaced by blanks; lines stay where they are. */
export function codeOf(text: string): string {
  let code = ''
  let at = 0
  const blank = (end: number) => {
    code += text.slice(at, end).replace(/[^\n]/g, ' ')
    at = end
  }
  while (at < text.length) {
    const two = text.slice(at, at + 2)
    const one = text[at] ?? ''
    if (two === '//') blank(endOf(text, '\n', at))
    else if (two === '/*') blank(endOf(text, '*/', at) + 2)
    else if (one === "'" || one === '"' || one === '`') blank(endOfString(text, at))
    else if (one === '/' && regexMayFollow.test(code.slice(-40))) {
      blank(at + (regexForm.exec(text.slice(at))?.[0].length ?? 1))
    } else {
      code += one
      at += 1
    }
  }
  return code
}

function endOf(text: string, mark: string, from: number): number {
  const end = text.indexOf(mark, from)
  return end === -1 ? text.length : end
}

function endOfString(text: string, from: number): number {
  const quote = text[from]
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === quote) return at + 1
  }
  return text.length
}

const importForms = [
  /^\s*(?:import|export)\b[^'"\n]*?\bfrom\s+['"]([^'"]+)['"]/gm,
  /^\}\s+from\s+['"]([^'"]+)['"]/gm,
  /^\s*import\s+['"]([^'"]+)['"]/gm,
  /\bimport\(\s*['"]([^'"]+)['"]/g,
]

/** What a file imports, by any form: paths from the project's root for its own files, names as written for others. */
export function importsOf({ path, text }: SourceFile): string[] {
  const found = new Set<string>()
  for (const form of importForms) {
    for (const [, target] of text.matchAll(form)) {
      if (target === undefined) continue
      found.add(target.startsWith('.') ? normalize(join(dirname(path), target)) : target)
    }
  }
  return [...found]
}
