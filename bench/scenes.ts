// The servers that cases need, and who of them is asked. A scene is opened only if one of its cases is wanted; each of its
// acts is a set of cases that goes through all rounds before the next one begins.
import { join } from 'node:path'
import { RUN_BYTES } from '../src/base/sizes.ts'
import { freeRange } from '../test/e2e/running-group.ts'
import {
  AT_REST,
  coldWork,
  copiesWorks,
  HOT_BESIDE_COLD,
  hotVolumeWorks,
  hotWork,
  IDLE,
  IDLE_SESSIONS,
  IN_SYNC,
  localWorks,
  MADE_AGAIN,
  mainWorks,
  type NamedWork,
  RESYNC,
  resyncSystem,
  resyncWorks,
} from './cases.ts'
import type { Load } from './load.ts'
import { Resync } from './resync.ts'
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
/** What copies cost is told with fewer: each round of it is long. */
const COPIES_ROUNDS = 3
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
  { cases: [...names(copiesWorks), RESYNC], acts: twoCopies },
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
    const group = await started(settings, closers, checkout, { members: 2, copies: 1 })
    const most = Math.max(2, ...localWorks.map(({ sessions }) => sessions))
    const ours = await localAndForwarded(checkout.name, group, most)
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

/** Of this checkout alone: two copies beside one, and two beside themselves while one of them is made again. */
async function* twoCopies(settings: Settings, closers: Closers) {
  const { checkouts, sampleMs, isWanted } = settings
  const [checkout] = checkouts
  if (checkout === undefined) return
  const systems: System[] = []
  const start = async (copies: 1 | 2) => {
    const group = await started(settings, closers, checkout, { members: 2, copies })
    const name = `${checkout.name}, ${copies === 1 ? 'one copy' : 'two copies'}`
    const ours = await localAndForwarded(name, group, 1)
    const elsewhere = group.members.slice(1).map(({ pid }) => pid)
    systems.push(...ours.map((one) => ({ ...one, elsewhere })))
    await group.inSync()
    return group
  }
  closers.push(async () => {
    for (const { sessions } of systems) for (const { load } of sessions) load.close()
  })
  const group = await start(2)
  const [local] = systems
  if (names(copiesWorks).some(isWanted)) await start(1)
  yield copiesWorks.map(
    (work): Case => ({
      name: work.name,
      systems: systems.map((one) => ({
        name: one.name,
        measure: () => measureWork(work, one, sampleMs),
      })),
      roundsMost: COPIES_ROUNDS,
    }),
  )
  if (isWanted(RESYNC) && local !== undefined) yield [besideResync(settings, group, local)]
}

/** One case, so that a copy is made again once a round for all works. */
function besideResync({ say, sampleMs }: Settings, group: Group, local: System): Case {
  const [writer] = local.sessions
  const [, member] = group.members
  if (writer === undefined || member === undefined) throw new Error('no session, or no copy')
  const resync = new Resync(group, member.pid, writer)
  const alone = async (work: NamedWork) => {
    await group.inSync()
    await local.settle()
    return measureWork(work, local, sampleMs)
  }
  const beside = async (work: NamedWork) => {
    await resync.begin()
    let isUnderWay = false
    const settle = async () => {
      isUnderWay = await resync.isUnderWay()
      await local.settle()
    }
    const figures = await measureWork(work, { ...local, settle }, sampleMs)
    if (isUnderWay) return figures
    say('the copy was made again before the sample had ended: it does not count')
    return {}
  }
  const named = (state: string, measure: (work: NamedWork) => Promise<Figures>) =>
    resyncWorks.map((work) => ({
      name: resyncSystem(work, state),
      measure: () => measure(work),
    }))
  return {
    name: RESYNC,
    systems: [...named(IN_SYNC, alone), ...named(MADE_AGAIN, beside)],
    roundsMost: COPIES_ROUNDS,
  }
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
    const group = await started(settings, closers, checkout, { members: 3, copies: 1 })
    threes.push({ checkout, group, iqn: await group.createVolume('idle') })
    if (!names(hotVolumeWorks).some(isWanted)) continue
    const one = await started(settings, closers, checkout, { members: 1, copies: 1 })
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
  of: { readonly members: number; readonly copies: number },
): Promise<Group> {
  const { members, copies } = of
  const many = copies === 1 ? '' : `, with ${copies} copies`
  say(`starting ${members} ${members === 1 ? 'member' : 'members'} of ${checkout.name}${many}`)
  const data = join(folder, `${checkout.name}-${members}-${copies}`)
  const group = await Group.start(checkout, data, of).catch((cause: unknown) => {
    const hint = `its packages may be those of another commit: run 'npm install' in ${checkout.folder}`
    throw new Error(`${checkout.name} does not start; ${hint}`, { cause })
  })
  closers.push(() => group.stop())
  return group
}
