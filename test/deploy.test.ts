// What is in deploy/ names things of the program and of Debian: that they are there is checked here. Whether systemd, dpkg and
// podman take it is tried by hand (docs/TESTING.md).
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import packageJson from '../package.json' with { type: 'json' }
import { memberConfig } from '../src/member/config.ts'

const deploy = fileURLToPath(new URL('../deploy', import.meta.url))
const read = (...path: string[]) => readFileSync(join(deploy, ...path), 'utf8')
const units = ['evenkeel.service', 'evenkeel@.service']
const launcher = join(deploy, '..', 'bin', 'evenkeel')

function settings(unit: string): ReadonlyMap<string, readonly string[]> {
  const pairs = [...read('systemd', unit).matchAll(/^(\w+)=(.*)$/gm)].map(
    ([, key = '', value = '']) => ({ key, value }),
  )
  const byKey = Map.groupBy(pairs, ({ key }) => key)
  return new Map([...byKey].map(([key, of]) => [key, of.map(({ value }) => value)]))
}

describe('units', () => {
  test.each(units)('%s runs a command that there is, with options that there are', (unit) => {
    const [command = ''] = settings(unit).get('ExecStart') ?? []
    const [program, name = '', ...words] = command.split(' ')
    expect(program).toBe('/usr/bin/evenkeel')
    const help = execFileSync(launcher, ['help', name], { encoding: 'utf8' })
    const options = words.filter((word) => word.startsWith('--'))
    expect(options.length).toBeGreaterThan(0)
    for (const option of options) expect(help).toContain(`${option} <`)
  })

  test('both are shut in alike, and told alike', () => {
    const [group, member] = units.map(settings)
    const own = ['Description', 'Conflicts', 'RequiresMountsFor', 'ExecStart', 'TimeoutStopSec']
    for (const key of new Set([...(group?.keys() ?? []), ...(member?.keys() ?? [])])) {
      if (own.includes(key) || key === 'EnvironmentFile') continue
      expect(group?.get(key), key).toEqual(member?.get(key))
    }
    expect(group?.get('Type')).toEqual(['notify'])
    expect(group?.size).toBeGreaterThan(30)
  })
})

test('the example of a member is a configuration, in the folder that the unit may write', () => {
  const config = memberConfig.parse(parse(read('deb', 'member.yaml')))
  expect(config.dataFolder).toBe('/var/lib/evenkeel/m1')
  expect(config.coordinationFile).toBe('/var/lib/evenkeel/coordination.sqlite')
})

test('the shell scripts are scripts', () => {
  const scripts = readdirSync(join(deploy, 'deb')).filter((name) => !/\.yaml$|copyright/.test(name))
  expect(scripts).toHaveLength(4)
  for (const name of scripts) execFileSync('sh', ['-n', join(deploy, 'deb', name)])
  for (const name of ['deb-trial.sh', 'systemd-trial.sh', 'docs.sh'])
    execFileSync('sh', ['-n', join(deploy, '..', 'scripts', name)])
})

test('the container runs the package that is built, as the user whom the compose file lets write', () => {
  const container = read('container', 'Containerfile')
  const compose = parse(read('container', 'compose.yaml'))
  const { build, tmpfs } = compose.services.evenkeel
  expect(readFileSync(join(deploy, 'container', build.context, build.dockerfile), 'utf8')).toBe(
    container,
  )
  const uid = /--uid (\d+)/.exec(container)?.[1]
  expect(tmpfs.join()).toContain(`uid=${uid}`)
  expect(container).toContain('COPY dist/evenkeel_*.deb')
})

test('the Node.js that is bundled is one version on all architectures', () => {
  const versions = Object.entries(packageJson.optionalDependencies)
  expect(versions.every(([name]) => name.startsWith('node-linux-'))).toBe(true)
  expect(new Set(versions.map(([, version]) => version)).size).toBe(1)
})
