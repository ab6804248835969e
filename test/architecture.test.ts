// The shape of the source, held by machine (docs: ARCHITECTURE, STYLE). Each check is a function from files to complaints:
// it is tried on the real files, which must give none, and on a bad sample, which must give one.
import { describe, expect, test } from 'vitest'
import { cliKnowsOfApi, edge, packages, plan, ports, pure, quiet } from './rooms.ts'
import {
  codeOf,
  headerOf,
  importsOf,
  isTest,
  readSources,
  roomOf,
  type SourceFile,
} from './source-files.ts'

type Check = (files: readonly SourceFile[]) => string[]

const product = (files: readonly SourceFile[]) =>
  files.filter(({ path }) => path.startsWith('src/') && !isTest(path))

const everyRoomIsPlanned: Check = (files) => {
  const rooms = new Set(files.flatMap(({ path }) => roomOf(path) ?? []))
  const strays = files.filter(({ path }) => path.startsWith('src/') && roomOf(path) === null)
  return [
    ...[...rooms]
      .filter((room) => !Object.hasOwn(plan, room))
      .map((room) => `src/${room}/ is not on the plan`),
    ...strays.map(({ path }) => `${path} lies in no room`),
  ]
}

const importsKeepTheirDirection: Check = (files) =>
  product(files).flatMap((file) => {
    const room = roomOf(file.path) ?? ''
    return importsOf(file).flatMap((target) => {
      const other = roomOf(target)
      const allowed = plan[room]?.includes(other ?? '') || other === room
      if (other !== null && !allowed)
        return [`${file.path} imports ${target}: ${room} may not know ${other}`]
      const outside = /^(sim|test|bench|scripts)\//.test(target)
      if (outside) return [`${file.path} imports ${target}: the product knows no tests`]
      if (room === 'cli' && other === 'api' && !cliKnowsOfApi.includes(target)) {
        return [`${file.path} imports ${target}: the CLI knows only the API's schema and caller`]
      }
      return []
    })
  })

/** A fixture of one room knows that room; what needs the simulator is for several, and lies in the kit. */
const simulatedFixturesLieInTheKit: Check = (files) =>
  files.flatMap((file) =>
    /^src\/.*\.fixture\.ts$/.test(file.path) && importsOf(file).some((to) => to.startsWith('sim/'))
      ? [`${file.path} imports the simulator: put it into test/kit/`]
      : [],
  )

/** What nobody uses any more is taken off the plan, or it would be used again. */
const thePlanIsNoWider: Check = (files) => {
  const used = new Set(
    product(files).flatMap((file) =>
      importsOf(file).map((target) => `${roomOf(file.path)} ${roomOf(target) ?? target}`),
    ),
  )
  const allowed = [
    ...Object.entries(plan).flatMap(([room, others]) => others.map((other) => [room, other])),
    ...Object.entries(packages).flatMap(([name, rooms]) => rooms.map((room) => [room, name])),
  ]
  return allowed
    .filter(([room, other]) => !used.has(`${room} ${other}`))
    .map(([room, other]) => `nothing in src/${room}/ imports from ${other}: take it off the plan`)
}

const packagesStandWhereTheyMay: Check = (files) =>
  product(files).flatMap((file) => {
    const room = roomOf(file.path) ?? ''
    return importsOf(file).flatMap((target) => {
      if (/^(src|sim|test|bench|scripts)\//.test(target) || /^\.\.|^package\.json$/.test(target))
        return []
      if (target.startsWith('node:')) {
        return edge.includes(room)
          ? []
          : [`${file.path} imports ${target}: use a port that was handed in`]
      }
      return packages[target]?.includes(room) ? [] : [`${file.path} imports the package ${target}`]
    })
  })

const banned: readonly { word: RegExp; instead: string; rooms: readonly string[] }[] = [
  // A time that was handed in may be printed.
  {
    word: /\bDate\.now\b|\bnew Date(?!\()|\b(new )?Date\(\s*\)/,
    instead: 'the Clock it was given',
    rooms: [...pure, ...quiet],
  },
  { word: /\bperformance\s*\./, instead: 'the Clock it was given', rooms: [...pure, ...quiet] },
  { word: /\bMath\.random\b/, instead: 'the Prng it was given', rooms: [...pure, ...quiet] },
  {
    word: /\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/,
    instead: 'the Clock it was given',
    rooms: [...pure, ...quiet],
  },
  { word: /\bBuffer\b/, instead: 'Uint8Array', rooms: [...pure, ...quiet] },
  { word: /\bprocess\s*[.[]/, instead: 'a setting that was handed in', rooms: [...pure, ...quiet] },
  {
    word: /\bmkdir(Sync)?\b/,
    instead: 'makeFolder of io/folders.ts, which cannot get stuck',
    rooms: ['api', 'operator', 'member', 'supervisor', 'cli'],
  },
  { word: /\bconsole\s*\./, instead: 'a return value', rooms: [...pure, ...quiet] },
  { word: /\b(async|await)\b/, instead: 'a state machine: input in, actions out', rooms: pure },
]

const roomsSayNoBannedWord: Check = (files) =>
  product(files).flatMap(({ path, text }) => {
    const room = roomOf(path) ?? ''
    const code = codeOf(text)
    return banned.flatMap(({ word, instead, rooms }) => {
      if (!rooms.includes(room)) return []
      return linesWith(code, word).map((line) => `${path}:${line} ${word.source}: use ${instead}`)
    })
  })

const forbiddenNames =
  /^(index|utils?|helpers?|common|misc|shared|lib|core|types|constants|interfaces|managers?|services?|handlers?)$/

const fileNamesSaySomething: Check = (files) =>
  files.flatMap(({ path }) => {
    const parts = path.replace(/(\.test|\.fixture)?\.tsx?$/, '').split('/')
    return parts
      .filter((part) => forbiddenNames.test(part))
      .map((part) => `${path}: ${part} says nothing`)
  })

const declaredDoer =
  /\b(class|interface|type|function)\s+\w*(Manager|Service|Handler|Processor|Helper|Impl)\b/

const declaredNamesSaySomething: Check = (files) =>
  files.flatMap(({ path, text }) =>
    linesWith(codeOf(text), declaredDoer).map(
      (line) => `${path}:${line} is named after doing, not after what it is`,
    ),
  )

const linesMax = 500

const filesAreShort: Check = (files) =>
  files.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - 1
    return lines > linesMax ? [`${path} has ${lines} lines`] : []
  })

const typesAreStated: Check = (files) =>
  files.flatMap(({ path, text }) => [
    ...linesWith(codeOf(text), /[:<,|&(=]\s*any\b(?!\s*[:=(])|\bas\s+any\b/).map(
      (line) => `${path}:${line} any`,
    ),
    ...linesWith(text, /^\s*(\/\/|\/\*)\s*@ts-(ignore|expect-error|nocheck)/).map(
      (line) => `${path}:${line} ts-ignore`,
    ),
    ...linesWith(text, /^\s*\/\/ biome-ignore [^:]*:?\s*$/).map(
      (line) => `${path}:${line} biome-ignore without a reason`,
    ),
    ...linesWith(text, /\/\/.*\b(TODO|FIXME|XXX)\b/).map((line) => `${path}:${line} TODO`),
  ])

/** What a change of the group record rests on is said, numbered and tested in the room of the record. */
const comparesAreBuiltInGroup: Check = (files) =>
  product(files).flatMap(({ path, text }) => {
    if (['group', 'coordination', 'io'].includes(roomOf(path) ?? '')) return []
    return linesWith(codeOf(text), /\bcompare\s*[:=]\s*\[/).map(
      (line) => `${path}:${line} builds a comparison: make it a transition of src/group/`,
    )
  })

const onlyErrorsAreInherited: Check = (files) =>
  product(files).flatMap(({ path, text }) =>
    linesWith(codeOf(text), /\bclass\s+\w+\s+extends\s+(?!\w*Error\b)/).map(
      (line) => `${path}:${line} inherits`,
    ),
  )

const filesHaveHeaders: Check = (files) =>
  product(files).flatMap(({ path, text }) =>
    headerOf(text).length > 0 ? [] : [`${path} does not say what it is`],
  )

const everyPortIsSimulated: Check = (files) => {
  const has = (path: string) => files.some((file) => file.path === path)
  const suites = files.filter(({ path }) => path.startsWith('test/conformance/'))
  return ports.flatMap(({ port, real, simulated, suite }) => {
    const both = suites.filter(
      ({ path }) => suite !== null && path.startsWith(`test/conformance/${suite}.`),
    )
    const known = both.flatMap(importsOf)
    return [
      ...[port, real, simulated].filter((path) => !has(path)).map((path) => `${path} is missing`),
      ...(suite === null || (known.includes(real) && known.includes(simulated))
        ? []
        : [`no suite in test/conformance/ tries both ${real} and ${simulated}`]),
    ]
  })
}

const numbered = /^\/\/\s+([A-Z]{1,2}\d+)\.\s/

interface Invariant {
  readonly id: string
  readonly line: string
  readonly path: string
  readonly folder: string
}

function invariantsIn(files: readonly SourceFile[]): Invariant[] {
  return files.flatMap(({ path, text }) => {
    if (isTest(path)) return []
    const folder = path.slice(0, path.lastIndexOf('/'))
    return headerOf(text).flatMap((line) => {
      const id = numbered.exec(line)?.[1]
      return id === undefined ? [] : [{ id, line, path, folder }]
    })
  })
}

/** Invariants that a test names: at the beginning of a title, several separated by blanks. */
function namedIn(text: string): Set<string> {
  const ids = new Set<string>()
  for (const [, list] of text.matchAll(/['"`]((?:[A-Z]{1,2}\d+,? )+)/g)) {
    for (const id of (list ?? '').split(/,? /)) if (id !== '') ids.add(id)
  }
  return ids
}

/** A test speaks for a file if it lies in its folder, or imports it. */
const everyInvariantIsTested: Check = (files) => {
  const tests = files
    .filter(({ path }) => isTest(path))
    .map((file) => ({ path: file.path, imports: importsOf(file), named: namedIn(file.text) }))
  return invariantsIn(files).flatMap(({ id, path, folder }) => {
    const speaking = tests.filter(
      (test) =>
        test.path.slice(0, test.path.lastIndexOf('/')) === folder || test.imports.includes(path),
    )
    return speaking.some(({ named }) => named.has(id)) ? [] : [`${path}: no test is named by ${id}`]
  })
}

/** Several files may hold one invariant together, if the line that states it in one of them names the other. */
const anIdIsOneInvariant: Check = (files) => {
  const owners = new Map<string, Invariant>()
  return invariantsIn(files).flatMap((invariant) => {
    const { id, path, folder, line } = invariant
    const owner = owners.get(`${folder} ${id}`)
    owners.set(`${folder} ${id}`, invariant)
    if (owner === undefined) return []
    const shared = line.includes(nameOf(owner.path)) || owner.line.includes(nameOf(path))
    return shared ? [] : [`${path}: ${id} is an invariant of ${owner.path} too`]
  })
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function linesWith(text: string, form: RegExp): number[] {
  return text.split('\n').flatMap((line, i) => (form.test(line) ? [i + 1] : []))
}

/** `bad` must be found, and changing it into `good` must silence the complaint. */
interface Sample {
  readonly name: string
  readonly check: Check
  readonly bad: readonly [path: string, text: string][]
  readonly good: readonly [path: string, text: string][]
}

const samples: readonly Sample[] = [
  {
    name: 'every folder of src is on the plan',
    check: everyRoomIsPlanned,
    bad: [['src/stuff/x.ts', '']],
    good: [['src/iscsi/x.ts', '']],
  },
  {
    name: 'a room imports only what its line allows',
    check: importsKeepTheirDirection,
    bad: [['src/iscsi/x.ts', "import type {\n  A,\n  B,\n} from '../scsi/y.ts'\n"]],
    good: [
      ['src/iscsi/x.ts', "import { a } from '../base/y.ts'\nimport { b } from './z.ts'\n"],
      ['src/iscsi/x.test.ts', "import { a } from '../scsi/y.ts'\n"],
    ],
  },
  {
    name: 'the product imports no tests, the CLI nothing behind the API',
    check: importsKeepTheirDirection,
    bad: [['src/cli/x.ts', "const a = await import('../api/server.ts')\n"]],
    good: [['src/cli/x.ts', "import { a } from '../api/caller.ts'\n"]],
  },
  {
    name: 'fixtures that need the simulator lie in test/kit/',
    check: simulatedFixturesLieInTheKit,
    bad: [['src/store/x.fixture.ts', "import { SimDisk } from '../../sim/disk.ts'\n"]],
    good: [
      ['src/store/x.fixture.ts', "import { a } from './y.ts'\n"],
      ['test/kit/x.ts', "import { SimDisk } from '../../sim/disk.ts'\n"],
    ],
  },
  {
    name: 'packages and node: modules stand only where they may',
    check: packagesStandWhereTheyMay,
    bad: [['src/peer/x.ts', "import { connect } from 'node:net'\n"]],
    good: [
      ['src/io/x.ts', "import { connect } from 'node:net'\n"],
      ['src/base/y.ts', "import { crc32c } from '@node-rs/crc32'\n"],
    ],
  },
  {
    name: 'pure and quiet rooms say no banned word',
    check: roomsSayNoBannedWord,
    bad: [['src/volume/x.ts', 'const now = Date.now()\n']],
    good: [
      [
        'src/volume/x.ts',
        "// Date.now() is not used; nor 'Buffer'\nconst a = await `Date.now()`\nconst b = /Buffer/\nnew Date(a)\n",
      ],
    ],
  },
  {
    name: 'pure rooms do not wait',
    check: roomsSayNoBannedWord,
    bad: [['src/iscsi/x.ts', 'async function f() {}\n']],
    good: [['src/store/x.ts', 'async function f() {}\n']],
  },
  {
    name: 'file names say something',
    check: fileNamesSaySomething,
    bad: [['src/base/utils.ts', '']],
    good: [['src/base/bytes.ts', '']],
  },
  {
    name: 'declared names say something',
    check: declaredNamesSaySomething,
    bad: [['src/target/x.ts', 'export class SessionManager {}\n']],
    good: [['src/target/x.ts', 'export class Registry {} // not a class SessionManager\n']],
  },
  {
    name: 'files are at most 500 lines long',
    check: filesAreShort,
    bad: [['src/base/x.ts', '\n'.repeat(501)]],
    good: [['src/base/x.ts', '\n'.repeat(500)]],
  },
  {
    name: 'types are stated and nothing is ignored',
    check: typesAreStated,
    bad: [['sim/x.ts', 'function f(a: any) {}\n']],
    good: [['sim/x.ts', '// any\nconst a = { any: 1 }\n']],
  },
  {
    name: 'nothing is left for later',
    check: typesAreStated,
    bad: [['sim/x.ts', `// ${'TO'}DO write it\n`]],
    good: [['sim/x.ts', '// written\n']],
  },
  {
    name: 'a transaction that compares is built in group/',
    check: comparesAreBuiltInGroup,
    bad: [['src/target/x.ts', 'txn({ compare: [{ key, rev }], put })\n']],
    good: [
      ['src/group/x.ts', 'return { compare: [{ key, rev }], put }\n'],
      ['src/target/x.ts', 'const read = { compare: isCompared }\n'],
    ],
  },
  {
    name: 'nothing but errors is inherited from',
    check: onlyErrorsAreInherited,
    bad: [['src/base/x.ts', 'class A extends B {}\n']],
    good: [['src/base/x.ts', 'class A extends Error {}\n']],
  },
  {
    name: 'every file says what it is',
    check: filesHaveHeaders,
    bad: [['src/base/x.ts', 'export const a = 1\n']],
    good: [['src/base/x.ts', '// The first number.\nexport const a = 1\n']],
  },
  {
    name: 'every invariant of a header is named by a test',
    check: everyInvariantIsTested,
    bad: [
      ['src/base/x.ts', '// X.\n//   S1. It holds.\n'],
      ['src/base/x.test.ts', "test('it holds', () => {})\n"],
      ['src/iscsi/x.test.ts', "test('S1 it holds', () => {})\n"],
    ],
    good: [
      ['src/base/x.ts', '// X.\n//   S1. It holds.\n'],
      [
        'test/y.test.ts',
        "import { x } from '../src/base/x.ts'\ntest('S2 S1 it holds', () => {})\n",
      ],
    ],
  },
  {
    name: 'a number is one invariant in its room',
    check: anIdIsOneInvariant,
    bad: [
      ['src/base/x.ts', '//   S1. It holds.\n'],
      ['src/base/y.ts', '//   S1. It holds as well.\n'],
    ],
    good: [
      ['src/base/x.ts', '//   S1. It holds.\n'],
      ['src/base/y.ts', '//   S1. It holds (x.ts).\n'],
      ['src/iscsi/y.ts', '//   S1. It holds as well.\n'],
    ],
  },
]

const files = await readSources()
const asFiles = (pairs: Sample['bad']) => pairs.map(([path, text]) => ({ path, text }))

describe('the checks look at something', () => {
  test('real files were read, with their imports and invariants', () => {
    const paths = files.map(({ path }) => path)
    for (const path of [
      'src/base/clock.ts',
      'src/iscsi/session.ts',
      'sim/net.ts',
      'test/architecture.test.ts',
    ]) {
      expect(paths).toContain(path)
    }
    expect(product(files).length).toBeGreaterThan(100)
    expect(product(files).flatMap(importsOf).length).toBeGreaterThan(300)
    expect(invariantsIn(files).length).toBeGreaterThan(100)
    const session = files.find(({ path }) => path === 'src/iscsi/session.ts')
    expect(session === undefined ? [] : importsOf(session)).toContain('src/iscsi/pdu-writer.ts')
  })

  test('no rooms know each other, not even around a corner', () => {
    const rooms = Object.keys(plan)
    const backwards = rooms.filter((room, at) =>
      plan[room]?.some((other) => !rooms.slice(0, at).includes(other)),
    )
    expect(backwards).toEqual([])
  })

  test('this can fail: the plan is as wide as the house', () => {
    const without = files.filter(({ path }) => roomOf(path) !== 'distribution')
    const wide = ['base', 'group', 'load'].map(
      (other) => `nothing in src/distribution/ imports from ${other}: take it off the plan`,
    )
    expect(thePlanIsNoWider(without)).toEqual(expect.arrayContaining(wide))
  })

  test('every room is pure, quiet or edge', () => {
    expect([...pure, ...quiet, ...edge].sort()).toEqual(Object.keys(plan).sort())
  })

  test('code is told from comments, strings and regular expressions', () => {
    const text = "a // Date\nb /* Date\n */ c 'Da\\'te' \"Date\" `Date` d = /Da'te/g, e / f / g\n"
    expect(codeOf(text).match(/\w+/g)).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
    expect(codeOf(text).split('\n')).toHaveLength(text.split('\n').length)
    const withoutSlips = files.filter(({ text: whole }) => codeOf(whole).length !== whole.length)
    expect(withoutSlips).toEqual([])
  })

  test.each(samples)('this can fail: $name', ({ check, bad, good }) => {
    expect(check(asFiles(bad)).length).toBeGreaterThan(0)
    expect(check(asFiles(good))).toEqual([])
  })

  test('this can fail: every port is simulated', () => {
    const without = files.filter(({ path }) => path !== 'sim/net.ts')
    expect(everyPortIsSimulated(without)).toContain('sim/net.ts is missing')
    const untested = files.filter(({ path }) => !path.startsWith('test/conformance/net'))
    expect(everyPortIsSimulated(untested).join()).toContain('no suite')
  })
})

describe('the source', () => {
  const checks = new Map(samples.map(({ check, name }) => [check, name]))
  checks.set(thePlanIsNoWider, 'the plan is as wide as the house')
  checks.set(
    everyPortIsSimulated,
    'every port has a real and a simulated implementation that pass one suite',
  )
  test.each([...checks].map(([check, name]) => ({ check, name })))('$name', ({ check }) => {
    expect(check(files)).toEqual([])
  })
})
