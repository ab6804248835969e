// Small programs, every crash state: for programs of at most three operations the power is cut at each operation of the
// disk, and every combination of kept and lost sectors is recovered from, up to a bound past which they are drawn.
import { expect, it } from 'vitest'
import { epoch, generation, memberId, sessionId, sliceId, volumeId } from '../src/base/ids.ts'
import { Prng } from '../src/base/prng.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../src/base/sizes.ts'
import { PageStore } from '../src/store/page-store.ts'
import { storeDefaults } from '../src/store/settings.ts'
import { SimClock } from './clock.ts'
import { SimDisk } from './disk.ts'
import type { Choose } from './inode.ts'
import { Timeline } from './timeline.ts'

const settings = {
  ...storeDefaults,
  groupId: 'g',
  memberId: memberId('m'),
  newFolderId: 'f',
  journalBytes: 96 * 512,
  slotsPerSegment: 1,
  budgetBytes: 1e9,
  overlayBytes: 8 * BLOCK_BYTES,
  cachedPages: 1,
  cacheBytes: 8 * BLOCK_BYTES,
  homeAfterMs: 1,
  checkpointAfterMs: 1,
}

/** Blocks of one volume that the programs touch. */
const PLACES = [0, PAGE_BYTES - BLOCK_BYTES, PAGE_BYTES] as const

/** `value`: null unmaps, 'drop' drops the slice, of which all is, and 'install' installs the first page with its first `blocks` blocks and the stamp of the step before. */
type Step = {
  readonly at: number
  readonly blocks: number
  readonly value: number | null | 'drop' | 'install'
}

const INSTALLED = 9

/** What each place reads after the first k steps, which step was the last of each page, vacated (v) or not, and whether the slice was dropped. */
function stateAfter(steps: readonly Step[], k: number): string {
  let values = PLACES.map(() => 0)
  let stamps = ['-', '-']
  let drops = 0
  for (const [number, step] of steps.slice(0, k).entries()) {
    if (step.value === 'drop') {
      values = PLACES.map(() => 0)
      stamps = ['-', '-']
      drops += 1
      continue
    }
    if (step.value === 'install') {
      values = [step.blocks > 0 ? INSTALLED : 0, 0, ...values.slice(2)]
      stamps[0] = `${step.blocks > 0 ? '' : 'v'}${number - 1}`
    } else change(values, stamps, step, number)
  }
  return [...values, ...stamps, drops].join()
}

function change(values: number[], stamps: string[], step: Step, number: number): void {
  const value = typeof step.value === 'number' ? step.value : null
  const last = Math.floor((step.at + step.blocks * BLOCK_BYTES - 1) / PAGE_BYTES)
  for (let page = Math.floor(step.at / PAGE_BYTES); page <= last; page += 1) {
    if (value !== null) stamps[page] = `${number}`
    else if (stamps[page] !== '-') stamps[page] = `v${number}` // a tombstone is raised, and none is made
  }
  for (const [i, place] of PLACES.entries()) {
    const isInside = place >= step.at && place < step.at + step.blocks * BLOCK_BYTES
    if (isInside) values[i] = value ?? 0
  }
}

async function stateOf(timeline: Timeline, store: PageStore): Promise<string> {
  const values: (number | string)[] = []
  for (const place of PLACES) {
    const into = new Uint8Array(BLOCK_BYTES)
    const result = await timeline.finish(Promise.resolve(store.read(volumeId(1), place, into)))
    const value = into[0] ?? 0
    values.push(
      result === 'done' ? (into.every((byte) => byte === value) ? value : 'torn') : result,
    )
  }
  for (const page of [0, 1]) {
    const stamp = store.stampOf(volumeId(1), page)
    const vacated = store.isTombstone(volumeId(1), page) ? 'v' : ''
    values.push(stamp === null ? '-' : `${vacated}${stamp.seq}`)
  }
  values.push((store.newestOf(sliceId(0))?.epoch ?? 1) - 1)
  return values.join()
}

const origin = { session: sessionId(1), gen: generation(1) }

/** Runs the steps one after the other, each answered and brought home; cut at the operation of this number. */
async function cutRun(timeline: Timeline, disk: SimDisk, steps: readonly Step[], cutAt: number) {
  const clock = new SimClock(timeline)
  let cut = false
  let answered = 0
  let ended = false
  void disk.cutAfter(cutAt).then(() => {
    cut = true
  })
  const program = async () => {
    const store = await PageStore.open(disk, clock, settings)
    for (const [i, { at, blocks, value }] of steps.entries()) {
      const bytes = blocks * BLOCK_BYTES
      const drops = steps.slice(0, i + 1).filter((step) => step.value === 'drop').length
      const place = { slice: sliceId(0), epoch: epoch(1 + drops) }
      if (value === 'install') {
        const page = { volume: volumeId(1), slice: place.slice, page: 0, checksums: null }
        const present = new Uint8Array(32).fill(blocks, 0, 1)
        const stamp = { epoch: place.epoch, seq: i - 1 }
        const data = new Uint8Array(bytes).fill(INSTALLED)
        await store.install({ ...page, present, blocks: data, stamp })
      } else if (value === 'drop') await store.dropSlice(place.slice, place.epoch)
      else {
        const data = value === null ? null : new Uint8Array(bytes).fill(value)
        const ids = { ...place, seq: i, ...origin, number: i + 1, acknowledged: 0 }
        await store.write({ volume: volumeId(1), offset: at, bytes, data, edges: null, ...ids })
      }
      answered = i + 1
      await new Promise<void>((resolve) => {
        clock.after(i % 2 === 0 ? 5 : 0, resolve)
      })
    }
    await store.close()
    ended = true
  }
  const running = program()
  running.catch(() => {})
  await timeline.until(() => cut || ended)
  if (ended) await running
  clock.kill()
  return { answered, ended }
}

const STATES_A_CUT = 96

/** Every combination of choices if there are few, else some. */
function* crashChoices(versions: readonly number[], prng: Prng): Generator<Choose> {
  const product = versions.reduce((all, each) => Math.min(1e9, all * each), 1)
  const count = Math.min(product, STATES_A_CUT)
  for (let state = 0; state < count; state += 1) {
    let rest = product <= STATES_A_CUT ? state : -1
    yield (choices) => {
      if (rest < 0) return prng.integer(0, choices - 1)
      const choice = rest % choices
      rest = Math.floor(rest / choices)
      return choice
    }
  }
}

/** Before it the folder is being made, which sim/power-cuts.ts cuts. */
const FIRST_CUT = 24
const CUT_EVERY = 17

/** All states of one cut; false if the program ended before it. */
async function explore(
  steps: readonly Step[],
  cutAt: number,
  prng: Prng,
  explored: { cuts: number; states: number },
  wrong: string[],
): Promise<boolean> {
  const timeline = new Timeline()
  const disk = new SimDisk()
  const { answered, ended } = await cutRun(timeline, disk, steps, cutAt)
  if (ended) return false
  explored.cuts += 1
  const allowed = new Set<string>()
  for (let k = answered; k <= steps.length; k += 1) allowed.add(stateAfter(steps, k))
  for (const choose of crashChoices(disk.unsynced(), prng)) {
    explored.states += 1
    const copy = disk.clone()
    copy.crash(choose)
    const opening = PageStore.open(copy, new SimClock(timeline), settings)
    const state = await stateOf(timeline, await timeline.finish(opening))
    if (!allowed.has(state)) {
      wrong.push(`${JSON.stringify(steps)} cut at ${cutAt}: ${state}, answered ${answered}`)
    }
  }
  return true
}

it('ST1 ST2 ST3 every crash state of small programs recovers to a whole number of steps', async () => {
  const [first, second, third] = PLACES
  const kinds: readonly Step[] = [
    { at: first, blocks: 1, value: 1 },
    { at: first, blocks: 1, value: 2 },
    { at: second, blocks: 2, value: 3 },
    { at: third, blocks: 1, value: 4 },
    { at: first, blocks: 256, value: null },
  ]
  const programs: Step[][] = []
  for (const a of kinds.slice(0, 3)) {
    for (const b of kinds) for (const c of kinds.slice(1)) programs.push([a, b, c])
  }
  const drop: Step = { at: 0, blocks: 0, value: 'drop' }
  for (const a of kinds.slice(0, 3)) for (const b of kinds.slice(1)) programs.push([a, drop, b])
  for (const b of kinds) programs.push([{ at: second, blocks: 2, value: 3 }, b, drop])
  for (const blocks of [0, 1]) {
    const install: Step = { at: 0, blocks, value: 'install' }
    for (const a of kinds.slice(1, 3)) {
      programs.push([a, install])
      for (const b of kinds.slice(1)) programs.push([a, install, b])
    }
  }
  const prng = new Prng(11)
  const explored = { cuts: 0, states: 0 }
  const wrong: string[] = []
  // Neighbouring programs are cut at different operations, and together at all of them.
  for (const [number, steps] of programs.entries()) {
    let at = FIRST_CUT + (number % CUT_EVERY)
    while (await explore(steps, at, prng, explored, wrong)) at += CUT_EVERY
  }
  const { cuts, states } = explored
  console.log(
    `crash states: ${programs.length} programs, ${cuts} cuts, ${states} states, ${wrong.length} wrong`,
  )
  expect(wrong).toEqual([])
  expect(states).toBeGreaterThan(2000)
})
