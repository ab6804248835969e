// `npm run package`: what a person installs, made from this checkout: dist/evenkeel/ and
// dist/evenkeel-VERSION.tgz, the same for npm. In it is what a member, the CLI and the dashboard need to run, and no more.
// It is JavaScript with the types blanked out, since Node strips no types below node_modules; lines and columns stay as they are
// here. Packages are pinned as they are here, those of the run time alone. A Node is not among them: who installs with npm has one.
import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import packageJson from '../package.json' with { type: 'json' }

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')
const target = join(dist, 'evenkeel')
const AS_THEY_ARE = [
  'bin/evenkeel',
  'scripts/packages.sh',
  'dashboard/built',
  'docs/OPERATING.md',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
]

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>
}

// Other scripts have their results beside it.
for (const name of await readdir(dist).catch(() => []))
  if (name === 'evenkeel' || name.endsWith('.tgz')) await rm(join(dist, name), { recursive: true })
for (const path of AS_THEY_ARE) await cp(join(root, path), join(target, path), { recursive: true })
for (const path of await readdir(join(root, 'src'), { recursive: true })) {
  const source = join(root, 'src', path)
  if (/\.(md|test\.ts|fixture\.ts)$/.test(path) || (await stat(source)).isDirectory()) continue
  const file = join(target, 'src', path.replace(/\.ts$/, '.js'))
  await mkdir(dirname(file), { recursive: true })
  // What is no code (a style sheet) is read beside the code.
  await writeFile(file, path.endsWith('.ts') ? await asJavaScript(source) : await readFile(source))
}
await writePackageFiles()
const options = ['--pack-destination', dist, '--loglevel=error']
const { stdout } = await promisify(execFile)('npm', ['pack', target, ...options], { cwd: dist })
console.log(join('dist', stdout.trim()))

/** The module in `file` without its types. */
async function asJavaScript(file: string): Promise<string> {
  const text = stripTypeScriptTypes(await readFile(file, 'utf8'), { mode: 'strip' })
  const path = /(from |import |import\(|new URL\()'((?:\.{1,2}\/)?[\w./-]+)\.ts'/g
  const renamed = text.replace(path, "$1'$2.js'")
  const left = /^(?!\s*(?:\/\/|\*)).*(?:\bfrom|\bimport|\bURL\()\s*\(?['"`][^'"`]*\.ts['"`]/m.exec(
    renamed,
  )
  if (left !== null) throw new Error(`${file} names a module in a way not known here: ${left[0]}`)
  return renamed
}

async function writePackageFiles(): Promise<void> {
  const { name, version, description, license, type, bin, dependencies } = packageJson
  const outline = { name, version, license, bin, dependencies, engines: { node: '>=24' } }
  await write('package.json', { ...outline, description, type })
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock
  const needed = Object.entries(lock.packages).filter(
    ([path, { dev }]) =>
      path !== '' && dev !== true && !path.startsWith('node_modules/node-linux-'),
  )
  await write('npm-shrinkwrap.json', {
    ...lock,
    packages: { '': outline, ...Object.fromEntries(needed) },
  })
}

async function write(path: string, content: object): Promise<void> {
  await writeFile(join(target, path), `${JSON.stringify(content, null, 2)}\n`)
}
