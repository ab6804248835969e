// `npm run deb`: a package for Debian and Ubuntu, dist/evenkeel_VERSION_ARCHITECTURE.deb: what `npm run package` makes, the packages
// that it needs, Node.js itself, and the systemd units. Nothing on the machine is touched but dist/. `--version` names another
// version, to try an upgrade. The architecture is that of this machine, unless `--architecture` names the other one; all
// machine code in the package is of it.
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import packageJson from '../package.json' with { type: 'json' }

const run = promisify(execFile)
const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({
  options: { version: { type: 'string' }, architecture: { type: 'string' } },
})
const version = values.version ?? packageJson.version
/** By Debian's name: Node's, and what the head of machine code says. */
const ARCHITECTURES: Readonly<Record<string, { readonly cpu: string; readonly code: number }>> = {
  amd64: { cpu: 'x64', code: 0x3e },
  arm64: { cpu: 'arm64', code: 0xb7 },
}
const architecture = values.architecture ?? (process.arch === 'x64' ? 'amd64' : process.arch)
const machine = ARCHITECTURES[architecture]
if (machine === undefined)
  throw new Error(
    `--architecture ${architecture}: it is one of ${Object.keys(ARCHITECTURES).join(', ')}`,
  )
const { cpu, code } = machine
const isOwn = cpu === process.arch
const staged = join(root, 'dist', 'deb')
const home = join(staged, 'usr', 'lib', 'evenkeel')
const MIB = 2 ** 20
/** What nobody reads at run time. Licenses stay. */
const LEFT_OUT = /\.(d\.[cm]?ts|[cm]?ts|map|md|markdown|flow|tsbuildinfo|yml)$/
const FOLDERS_LEFT_OUT = ['test', 'tests', '.github', 'docs', 'examples', 'benchmark', 'benchmarks']

await run(process.execPath, [...process.execArgv, join(root, 'scripts', 'package.ts')])
await rm(staged, { recursive: true, force: true })
await cp(join(root, 'dist', 'evenkeel'), home, { recursive: true })
const quietly = ['--ignore-scripts', '--no-audit', '--no-fund']
const platform = ['--os=linux', `--cpu=${cpu}`, '--libc=glibc']
await run('npm', ['install', '--omit=dev', ...quietly, ...platform], { cwd: home })
await thinOut(join(home, 'node_modules'))
await bundleNode()
await putFiles()
await checkCode()
await writeControl()
await settleTimes()
const file = join(root, 'dist', `evenkeel_${version}_${architecture}.deb`)
await run('dpkg-deb', ['--root-owner-group', '-Zxz', '-z6', '--build', staged, file])
console.log(file.slice(root.length))

async function thinOut(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    const isLicense = /^(licen[cs]e|copying|notice)/i.test(entry.name)
    if (entry.isDirectory()) {
      // A folder of one of these names may be code all the same, unless it is at the top of a package.
      const isTop = /node_modules\/(@[^/]+\/)?[^/]+$/.test(folder)
      if (isTop && FOLDERS_LEFT_OUT.includes(entry.name)) await rm(path, { recursive: true })
      else await thinOut(path)
    } else if (!isLicense && LEFT_OUT.test(entry.name)) await rm(path)
  }
}

/** The version that everything here is tested with, without its symbols where somebody can take them out. */
async function bundleNode(): Promise<void> {
  const bin = join(home, 'node_modules', '.bin')
  await mkdir(bin, { recursive: true })
  const node = join(bin, 'node')
  const { path, license } = isOwn ? ownNode() : await fetchedNode()
  await cp(path, node)
  await chmod(node, 0o755)
  await put(license, 'usr/share/doc/evenkeel/LICENSE.node')
  const strip = isOwn ? 'strip' : 'aarch64-linux-gnu-strip'
  await run(strip, [node]).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    console.log(`${strip} is not here: Node.js keeps its symbols, which take some 20 MB`)
  })
}

function ownNode() {
  const license = join(root, 'node_modules', `node-linux-${process.arch}`, 'LICENSE')
  return { path: process.execPath, license }
}

async function fetchedNode() {
  const name = `node-linux-${cpu}`
  const wanted = Object.entries(packageJson.optionalDependencies).find(([one]) => one === name)
  if (wanted === undefined) throw new Error(`package.json names no ${name}`)
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-node-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const { stdout } = await run('npm', ['pack', wanted.join('@'), '--loglevel=error'], {
    cwd: folder,
  })
  await run('tar', ['-xf', stdout.trim(), '-C', folder], { cwd: folder })
  const path = join(folder, 'package', 'bin', 'node')
  return { path, license: join(folder, 'package', 'LICENSE') }
}

/** Packages have a file for each kind of machine: only those of this one are there, and Node's own. */
async function checkCode(): Promise<void> {
  const found: string[] = []
  for (const entry of await readdir(staged, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isFile()) continue
    const file = await open(path)
    const head = Buffer.alloc(20)
    await file.read(head, 0, head.length, 0)
    await file.close()
    if (head.toString('latin1', 0, 4) !== '\u007fELF') continue
    if (head.readUInt16LE(18) !== code) throw new Error(`${path} is not for ${architecture}`)
    found.push(path.slice(staged.length))
  }
  if (found.length < 2) throw new Error(`machine code is missing: there is ${found.join(', ')}`)
  console.log(`for ${architecture}: ${found.join(', ')}`)
}

async function putFiles(): Promise<void> {
  await put(join(root, 'deploy', 'deb', 'evenkeel.sh'), 'usr/bin/evenkeel', 0o755)
  for (const unit of ['evenkeel.service', 'evenkeel@.service'])
    await put(join(root, 'deploy', 'systemd', unit), `usr/lib/systemd/system/${unit}`)
  await put(join(root, 'deploy', 'deb', 'copyright'), 'usr/share/doc/evenkeel/copyright')
  await put(join(root, 'docs', 'OPERATING.md'), 'usr/share/doc/evenkeel/OPERATING.md')
  await put(join(root, 'CHANGELOG.md'), 'usr/share/doc/evenkeel/changelog')
  const example = 'usr/share/doc/evenkeel/examples/m1.yaml'
  await put(join(root, 'deploy', 'deb', 'member.yaml'), example)
  for (const kind of ['grafana', 'prometheus']) {
    const examples = join(staged, 'usr/share/doc/evenkeel/examples', kind)
    await cp(join(root, 'deploy', kind), examples, { recursive: true })
  }
  const { stdout } = await run(join(root, 'bin', 'evenkeel'), ['completion', 'bash'])
  await write('usr/share/bash-completion/completions/evenkeel', stdout)
  await mkdir(join(staged, 'etc', 'evenkeel'), { recursive: true })
}

async function writeControl(): Promise<void> {
  const installed = await bytesBelow(staged)
  await write(
    'DEBIAN/control',
    [
      'Package: evenkeel',
      `Version: ${version}`,
      `Architecture: ${architecture}`,
      'Maintainer: The Evenkeel project <evenkeel@localhost>',
      'Section: admin',
      'Priority: optional',
      'Depends: libc6 (>= 2.28), libstdc++6, passwd, util-linux',
      'Recommends: systemd',
      `Installed-Size: ${Math.ceil(installed / 1024)}`,
      `Description: ${packageJson.description}`,
      ' Evenkeel turns a few servers into one iSCSI SAN. It watches the load of each',
      ' and moves established connections so that no server is busy while another',
      ' one is idle. Node.js is part of this package.',
      '',
    ].join('\n'),
  )
  for (const script of ['postinst', 'prerm', 'postrm'])
    await put(join(root, 'deploy', 'deb', script), `DEBIAN/${script}`, 0o755)
  console.log(`installed: ${(installed / 1e6).toFixed(1)} MB (${(installed / MIB).toFixed(1)} MiB)`)
}

/**
 * Which Node runs is remembered in a file that is newer than the packages (scripts/packages.sh): root's first call would make
 * one that no package manager knows of.
 */
async function settleTimes(): Promise<void> {
  const now = Math.floor(Date.now() / 1_000)
  const modules = join(home, 'node_modules')
  for (const [name, at] of [
    ['.bin/node', now - 20],
    ['.package-lock.json', now - 10],
  ] as const)
    await utimes(join(modules, name), at, at)
  await writeFile(join(modules, '.evenkeel-node'), '/usr/lib/evenkeel/node_modules/.bin/node\n')
  await utimes(join(modules, '.evenkeel-node'), now, now)
}

async function put(from: string, to: string, mode = 0o644): Promise<void> {
  await write(to, await readFile(from), mode)
}

async function write(to: string, content: string | Buffer, mode = 0o644): Promise<void> {
  const path = join(staged, to)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  await chmod(path, mode)
}

async function bytesBelow(folder: string): Promise<number> {
  const { stdout } = await run('du', ['-s', '--apparent-size', '-B1', folder])
  return Number(stdout.split('\t')[0])
}
