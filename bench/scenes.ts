// The servers that cases need, and who of them is asked. A scene is opened only if one of its cases is wanted; each of its
// acts is a set of cases that goes through all rounds before the next one begins.
import { join } from 'node:path'
import { RUN_BYTES } from '../src/base/sizes.ts'
import { freeRange } from '../test/e2e/running-group.ts'
import {
  AT_REST,
  coldWork,
  HOT_BESIDE_COLD,
  hotVolumeWorks,
  hotWork,
  IDLE,
  IDLE_SESSIONS,
  localWorks,
  mainWorks,
  type NamedWork,
} from './cases.ts'
import type { Load } from './load.ts'
import { type Case, type Figures, measureIdle, measureWork } from './rounds.ts'
import {
  type Checkout,
  connected,
  Group,
  localAndForwarded,
  REST_MS,
  rest,
  type System,
  TGT_WRITE_THROUGH,
  tgtSystems,
  VOLUME_BYTES,
  warmUp,
  wholeVolume,
} from './servers.ts'
import { Tgt } from './tgt.ts'

const IDLE_MS = 4000
const HOT_RUNS = 2
/** Of each of several volumes. */
const HOT_VOLUME_RUNS = 6

export interface Settings {
  readonly folder: string
  readonly checkouts: readonly Checkout[]
  readonly withTgt: boolean
  readonly sampleMs: number
  readonly isWanted: (name: string) => boolean
  readonly say: (line: string) => void
}

/** What a scene has opened is closed in the opposite order. */
type Closers = (() => Promise<unknown>)[]

interface Scene {
  readonly cases: readonly string[]
  acts(settings: Settings, closers: Closers): AsyncGenerator<readonly Case[]>
}

const names = (works: readonly NamedWork[]) => works.map(({ name }) => name)

const scenes: readonly Scene[] = [
  { cases: [...names(mainWorks), ...names(localWorks), HOT_BESIDE_COLD], acts: twoMembers },
  { cases: [...names(hotVolumeWorks), AT_REST, IDLE], acts: oneAndThreeMembers },
]

/** All acts of all scenes that have a wanted case. */
export async function* acts(settings: Settings): AsyncGenerator<readonly Case[]> {
  for (const scene of scenes) {
    if (!scene.cases.some(settings.isWanted)) continue
    const closers: Closers = []
    try {
      yield* scene.acts(settings, closers)
    } finally {
      for (const close of closers.toReversed()) await close()
    }
  }
}

async function* twoMembers(settings: Settings, closers: Closers) {
  const { folder, checkouts, withTgt, sampleMs, isWanted, say } = settings
  const loads: Load[] = []
  closers.push(async () => {
    for (const load of loads) load.close()
  })
  const systems: System[] = []
  if (withTgt && names(mainWorks).some(isWanted)) {
    say('starting and filling tgt')
    const tgt = await Tgt.start(folder, await freeRange(1), VOLUME_BYTES)
    closers.push(() => tgt.stop())
    systems.push(...(await tgtSystems(tgt)))
  }
  const cold: Case['systems'][number][] = []
  for (const checkout of checkouts) {
    const group = await started(settings, closers, checkout, 2)
    const most = Math.max(2, ...localWorks.map(({ sessions }) => sessions))
    const ours = await localAndForwarded(checkout, group, most)
    systems.push(...ours)
    cold.push(...hotBesideCold(checkout, group, ours[0], sampleMs))
  }
  loads.push(...new Set(systems.flatMap(({ sessions }) => sessions.map(({ load }) => load))))
  const asked = (work: NamedWork, who: (name: string) => boolean): Case => ({
    name: work.name,
    systems: systems
      .filter(({ name }) => who(name))
      .map((one) => ({ name: one.name, measure: () => measureWork(work, one, sampleMs) })),
  })
  // Nothing differs between the two disks of tgt when they are read.
  const reads = (name: string) => name !== TGT_WRITE_THROUGH
  yield [
    ...mainWorks.map((work) => asked(work, work.reads === 100 ? reads : () => true)),
    ...localWorks.map((work) => asked(work, (name) => name.endsWith('local'))),
    { name: HOT_BESIDE_COLD, systems: cold },
  ]
}

/** One session reads what the page cache holds, alone and while another one reads what it does not. */
function hotBesideCold(
  { name }: Checkout,
  group: Group,
  local: System | undefined,
  ms: number,
): Case['systems'] {
  const [hotSession, coldSession] = local?.sessions ?? []
  if (local === undefined || hotSession === undefined || coldSession === undefined) return []
  const { offsets } = hotSession.region
  const hot = { load: hotSession.load, region: { offsets: offsets.slice(0, HOT_RUNS), RUN_BYTES } }
  const cold = { load: coldSession.load, region: { offsets: offsets.slice(HOT_RUNS), RUN_BYTES } }
  const measure = async (isBeside: boolean): Promise<Figures> => {
    await group.makeCold()
    await hot.load.once({ ...coldWork, order: 'sequential' }, hot.region)
    const beside = isBeside ? [{ work: coldWork, ...cold }] : []
    const figures = await measureWork(hotWork, { ...local, sessions: [hot] }, ms, beside)
    await group.makeWarm(hot.load)
    return figures
  }
  return [
    { name: `${name}, alone`, measure: () => measure(false) },
    { name: `${name}, beside cold reads`, measure: () => measure(true) },
  ]
}

async function* oneAndThreeMembers(settings: Settings, closers: Closers) {
  const { checkouts, sampleMs, isWanted, say } = settings
  const loads: Load[] = []
  closers.push(async () => {
    for (const load of loads) load.close()
  })
  const threes: { readonly checkout: Checkout; readonly group: Group; readonly iqn: string }[] = []
  const hot: System[] = []
  for (const checkout of checkouts) {
    const group = await started(settings, closers, checkout, 3)
    threes.push({ checkout, group, iqn: await group.createVolume('idle') })
    if (!names(hotVolumeWorks).some(isWanted)) continue
    const one = await started(settings, closers, checkout, 1)
    hot.push(...(await hotVolumes(checkout.name, 'one member', one)))
    const three = await hotVolumes(checkout.name, 'three members', group)
    // What is striped is told of this checkout alone: the run is long enough.
    hot.push(...(checkout === checkouts[0] ? three : three.slice(0, 1)))
  }
  loads.push(...new Set(hot.flatMap(({ sessions }) => sessions.map(({ load }) => load))))
  yield hotVolumeWorks.map((work) => ({
    name: work.name,
    systems: hot.map((one) => ({
      name: one.name,
      measure: () => measureWork({ ...work, sessions: one.sessions.length }, one, sampleMs),
    })),
  }))
  const idle = (name: string): Case => ({
    name,
    systems: threes.map(({ checkout, group }) => ({
      name: checkout.name,
      measure: () => measureIdle(group.pids, IDLE_MS),
    })),
    together: true,
  })
  for (const load of loads.splice(0)) load.close()
  for (const { group } of threes) await group.balance()
  await rest(2 * REST_MS)
  yield [idle(AT_REST)]
  if (!isWanted(IDLE)) return
  for (const { checkout, group, iqn } of threes) {
    say(`${checkout.name}: ${IDLE_SESSIONS} sessions log in`)
    const one = (i: number) => group.connect(i, iqn, `host-${i}`)
    loads.push(...(await connected(IDLE_SESSIONS, one)))
  }
  await rest(2 * REST_MS)
  yield [idle(IDLE)]
}

/** A volume for each member, its session there; on what the member has itself, and on all of it. */
async function hotVolumes(checkout: string, what: string, group: Group): Promise<System[]> {
  const offsets = wholeVolume.offsets.slice(0, HOT_VOLUME_RUNS * group.members.length)
  const all: System['sessions'][number][] = []
  const local: System['sessions'][number][] = []
  for (const [i] of group.members.entries()) {
    const load = await group.connect(i, await group.createVolume(`hot${i}`))
    const region = { offsets, RUN_BYTES }
    await load.fill(region)
    await rest(REST_MS)
    all.push({ load, region })
    local.push({ load, region: (await group.regions(i, load, offsets)).local })
    await warmUp({ load, region })
  }
  const rests = { pids: group.pids, settle: () => rest(REST_MS) }
  const own = { name: `${checkout}, ${what}`, sessions: local, ...rests }
  if (group.members.length === 1) return [own]
  return [own, { name: `${checkout}, ${what}, striped`, sessions: all, ...rests }]
}

async function started(
  { folder, say }: Settings,
  closers: Closers,
  checkout: Checkout,
  members: number,
): Promise<Group> {
  say(`starting ${members} ${members === 1 ? 'member' : 'members'} of ${checkout.name}`)
  const data = join(folder, `${checkout.name}-${members}`)
  const group = await Group.start(checkout, data, members).catch((cause: unknown) => {
    const hint = `its packages may be those of another commit: run 'npm install' in ${checkout.folder}`
    throw new Error(`${checkout.name} does not start; ${hint}`, { cause })
  })
  closers.push(() => group.stop())
  return group
}
