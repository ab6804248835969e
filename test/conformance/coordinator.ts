// What every implementation of the Coordinator port must do, by the numbers of src/coordination/coordinator.ts (G1–G6).
// Run by coordinator.test.ts on the embedded and on the simulated one.
import { describe, expect, it } from 'vitest'
import { NO_REVISION, type Revision, revision } from '../../src/base/ids.ts'
import type { Coordinator, Transaction, Versioned } from '../../src/coordination/coordinator.ts'
import { done, increment, listed, pairs, range, settle, take } from './coordinator-calls.ts'

/** One store, and any number of handles on it, as of different members. */
export interface CoordinatorBench {
  handle(): Promise<Coordinator>
  /** The store as it is. */
  image(): Promise<Image>
  /** It is gone from its place. */
  lose(): Promise<void>
  /** Puts a store into a place that is empty. */
  restore(image: Image): Promise<void>
  /** Closes all handles and removes the store. */
  close(): Promise<void>
}

interface Image {
  readonly rev: Revision
  readonly items: readonly Versioned[]
}

export type OpenBench = (settings: { readonly keepRevisions: number }) => Promise<CoordinatorBench>

type Case = (first: Coordinator, second: Coordinator, bench: CoordinatorBench) => Promise<void>
type Cases = Readonly<Record<string, Case>>

/** Few enough that `compacted` is met soon; more than any case but that one writes. */
const KEEP = 5_000
const KEEP_FEW = 100

export function coordinatorConformance(name: string, open: OpenBench): void {
  const run = (title: string, cases: Cases, keepRevisions: number): void => {
    describe(`${name}: ${title}`, () => {
      for (const [invariant, test] of Object.entries(cases)) {
        it(invariant, async () => {
          const bench = await open({ keepRevisions })
          try {
            await test(await bench.handle(), await bench.handle(), bench)
          } finally {
            await bench.close()
          }
        })
      }
    })
  }
  run('transactions', transactions, KEEP)
  run('bounds', { ...refusals(), ...justWithin }, KEEP)
  run('watches', watches, KEEP)
  run('compaction', compaction, KEEP_FEW)
  run('closing', closing, KEEP)
  run('loss', losses, KEEP)
}

const transactions: Cases = {
  'G1 what one handle wrote, the other reads': async (first, second) => {
    const put = await done(first, { put: [{ key: 'a', value: 'one' }] })
    expect(await listed(second, 'a')).toEqual([
      { key: 'a', value: 'one', rev: put.rev, created: put.rev },
    ])
  },

  'G1 of two that compare with the same revision, one wins': async (first, second) => {
    const { rev } = await done(first, { put: [{ key: 'a', value: '0' }] })
    const swap = (value: string): Transaction => ({
      compare: [{ key: 'a', rev }],
      put: [{ key: 'a', value }],
      read: ['a'],
    })
    const results = await Promise.all([first.txn(swap('1')), second.txn(swap('2'))])
    expect(results.map(({ kind }) => kind).sort()).toEqual(['done', 'lost'])
    const [one, other] = results
    if (one?.kind === 'unknown' || other?.kind === 'unknown') throw new Error('unknown')
    expect(one?.read).toEqual(other?.read)
  },

  'G1 a key that is compared with revision 0 is created once': async (first, second) => {
    const create: Transaction = {
      compare: [{ key: 'a', rev: NO_REVISION }],
      put: [{ key: 'a', value: '' }],
    }
    const kinds = (await Promise.all([first.txn(create), second.txn(create)])).map(kindOf)
    expect(kinds.sort()).toEqual(['done', 'lost'])
    await done(first, { remove: ['a'] })
    expect(kindOf(await second.txn(create))).toBe('done')
  },

  'G1 increments by compare-and-swap from several handles are all counted': async (
    first,
    second,
  ) => {
    await Promise.all([increment(first, 'n', 100), increment(second, 'n', 100)])
    expect((await listed(first, 'n'))[0]?.value).toBe('200')
  },

  'G1 a transaction changes all of its keys or none': async (first) => {
    const { rev } = await done(first, { put: pairs('k', 50, 'old') })
    const lost = await first.txn({
      compare: [
        { key: 'k00', rev },
        { key: 'k01', rev: revision(rev + 1) },
      ],
      put: pairs('k', 50, 'new'),
      remove: ['k99'],
    })
    expect(lost.kind).toBe('lost')
    expect(new Set((await listed(first, 'k')).map(({ value }) => value))).toEqual(new Set(['old']))
    await done(first, { put: pairs('k', 40, 'new'), remove: ['k40', 'k41'] })
    const values = (await listed(first, 'k')).map(({ value }) => value)
    expect(values).toEqual([...new Array(40).fill('new'), ...new Array(8).fill('old')])
  },

  'G1 `created` stays while a key is changed, and is new when it is created again': async (
    first,
  ) => {
    const { rev: created } = await done(first, { put: [{ key: 'a', value: '1' }] })
    const { rev } = await done(first, { put: [{ key: 'a', value: '2' }] })
    expect(await listed(first, 'a')).toEqual([{ key: 'a', value: '2', rev, created }])
    await done(first, { remove: ['a'] })
    const again = await done(first, { put: [{ key: 'a', value: '3' }] })
    expect((await listed(first, 'a'))[0]?.created).toBe(again.rev)
  },

  'G1 reads are of the same instant, after the changes, also when it is lost': async (first) => {
    const put = await done(first, {
      put: [...pairs('a/', 3, 'x'), { key: 'b', value: 'y' }],
      read: ['a/', 'b', 'none/'],
    })
    expect(put.read.map((items) => items.length)).toEqual([3, 1, 0])
    const removed = await done(first, { remove: ['a/00'], read: ['a/'] })
    expect(removed.read[0]?.map(({ key }) => key)).toEqual(['a/01', 'a/02'])
    const lost = await first.txn({
      compare: [{ key: 'b', rev: NO_REVISION }],
      put: [{ key: 'b', value: 'z' }],
      read: ['b'],
    })
    expect(lost).toEqual({
      kind: 'lost',
      rev: removed.rev,
      read: [[{ key: 'b', value: 'y', rev: put.rev, created: put.rev }]],
    })
  },

  'G3 the revision counts transactions that change something': async (first, second) => {
    const start = (await done(first, {})).rev
    expect((await done(first, { put: pairs('k', 20, '') })).rev).toBe(start + 1)
    expect((await done(second, { put: pairs('k', 1, '') })).rev).toBe(start + 2)
    expect((await done(first, { read: ['k'] })).rev).toBe(start + 2)
    expect((await done(first, { remove: ['none'] })).rev).toBe(start + 2)
    expect((await done(first, { remove: ['k00'] })).rev).toBe(start + 3)
    const list = await first.list('')
    expect(list.kind === 'done' && list.rev).toBe(start + 3)
  },

  'G1 a list is in key order and of its prefix alone': async (first) => {
    for (const key of ['b', 'a/2', 'a/10', 'a0', 'a', 'a/~', 'a/!']) {
      await done(first, { put: [{ key, value: key }] })
    }
    const keysOf = async (prefix: string) => (await listed(first, prefix)).map(({ key }) => key)
    expect(await keysOf('a/')).toEqual(['a/!', 'a/10', 'a/2', 'a/~'])
    expect(await keysOf('')).toEqual(['a', 'a/!', 'a/10', 'a/2', 'a/~', 'a0', 'b'])
  },
}

const justWithin: Cases = {
  'G5 what is just within the bounds is stored': async (first) => {
    const key = 'k'.repeat(1024)
    const value = 'é'.repeat(32_768)
    await done(first, { put: [{ key, value }, ...pairs('p', 99, '')] })
    expect((await listed(first, 'k'))[0]).toMatchObject({ key, value })
  },
}

function refusals(): Cases {
  const cases: { -readonly [title in keyof Cases]: Cases[title] } = {}
  const refuses = (title: string, transaction: Transaction, sentence: RegExp): void => {
    cases[`G5 ${title} is refused with a sentence`] = async (first) => {
      await expect(first.txn(transaction)).rejects.toThrow(sentence)
      expect((await done(first, {})).rev).toBe(0)
    }
  }
  const long = 'k'.repeat(1025)
  refuses('a long key', { put: [{ key: long, value: '' }] }, /1025 bytes; at most 1024/)
  refuses('an empty key', { remove: [''] }, /a key is empty/)
  refuses('a key beyond ASCII', { put: [{ key: 'é', value: '' }] }, /printable ASCII/)
  refuses('a large value', { put: [{ key: 'a', value: 'é'.repeat(32_769) }] }, /65538 bytes/)
  refuses('101 changes', { put: pairs('k', 101, '') }, /changes 101 keys; at most 100/)
  const compare = pairs('k', 101, '').map(({ key }) => ({ key, rev: NO_REVISION }))
  refuses('101 compares', { compare }, /compares 101 keys; at most 100/)
  refuses('a key changed twice', { put: pairs('k', 1, ''), remove: ['k00'] }, /k00 twice/)
  return cases
}

const watches: Cases = {
  'G4 changes come in order, whole, with what was removed': async (first, second) => {
    const watch = second.watch('w/', NO_REVISION)
    await done(first, { put: [...pairs('w/', 2, '1'), { key: 'x', value: '' }] })
    await done(first, { put: [{ key: 'w/00', value: '2' }], remove: ['w/01'] })
    const changes = await take(watch, 4)
    expect(changes).toEqual([
      { key: 'w/00', value: '1', rev: 1, created: 1 },
      { key: 'w/01', value: '1', rev: 1, created: 1 },
      { key: 'w/00', value: '2', rev: 2, created: 1 },
      { key: 'w/01', value: null, rev: 2, created: 1 },
    ])
    watch.close()
  },

  'G4 a watch waits for what comes, of its own handle too': async (first) => {
    const watch = first.watch('', NO_REVISION)
    for (let rev = 1; rev <= 3; rev += 1) {
      const waiting = watch.next()
      await done(first, { put: [{ key: 'a', value: '' }] })
      expect(await waiting).toMatchObject({ kind: 'changes', rev })
    }
    watch.close()
  },

  'G4 a watch that is far behind gets whole transactions, each once': async (first, second) => {
    for (let n = 1; n <= 40; n += 1) await done(first, { put: pairs('k', 70, `${n}`) })
    const watch = second.watch('', NO_REVISION)
    let rev = 0
    while (rev < 40) {
      const batch = await watch.next()
      if (batch.kind !== 'changes') throw new Error(batch.kind)
      const revs = range(rev + 1, batch.rev).flatMap((one) => new Array<number>(70).fill(one))
      expect(batch.changes.map((change) => change.rev)).toEqual(revs)
      rev = batch.rev
    }
    watch.close()
  },

  'G4 a watch from an old revision gets what has happened since': async (first, second) => {
    for (let n = 1; n <= 30; n += 1) await done(first, { put: [{ key: 'a', value: `${n}` }] })
    const watch = second.watch('', revision(20))
    expect((await take(watch, 10)).map(({ value }) => Number(value))).toEqual(range(21, 30))
    watch.close()
  },

  'G4 a watch passes over what is not its own': async (first, second) => {
    const watch = second.watch('mine/', NO_REVISION)
    for (let n = 1; n <= 30; n += 1) await done(first, { put: [{ key: 'a', value: `${n}` }] })
    await done(first, { put: [{ key: 'mine/a', value: '' }] })
    expect(await watch.next()).toMatchObject({ kind: 'changes', rev: 31 })
    watch.close()
  },

  'G4 a watch from a revision that is not there yet is told `compacted`': async (first) => {
    expect(await first.watch('', revision(7)).next()).toEqual({ kind: 'compacted' })
  },

  'G4 a closed watch ends, also while it waits': async (first) => {
    const watch = first.watch('', NO_REVISION)
    const waiting = watch.next()
    watch.close()
    expect(await waiting).toEqual({ kind: 'closed' })
    expect(await watch.next()).toEqual({ kind: 'closed' })
  },

  'G4 a watch misses nothing of 10,000 changes by several writers': async (first, second) => {
    const watch = second.watch('', NO_REVISION)
    const taken = take(watch, 10_000)
    const write = async (handle: Coordinator, member: string): Promise<void> => {
      for (let n = 0; n < 100; n += 1)
        await settle(handle, { put: pairs(`${member}/`, 50, `${n}`) })
    }
    await Promise.all([write(first, 'm1'), write(second, 'm2')])
    const changes = await taken
    expect(changes.map(({ rev }) => rev)).toEqual(
      range(1, 200).flatMap((rev) => new Array<number>(50).fill(rev)),
    )
    for (const member of ['m1', 'm2']) {
      const own = changes.filter(({ key }) => key === `${member}/49`)
      expect(own.map(({ value }) => Number(value))).toEqual(range(0, 99))
    }
    watch.close()
  },
}

const compaction: Cases = {
  'G4 a watch that has fallen behind the log is told `compacted`': async (first, second) => {
    for (let n = 1; n <= 200; n += 1) await done(first, { put: [{ key: 'a', value: `${n}` }] })
    const late = second.watch('', revision(10))
    expect(await late.next()).toEqual({ kind: 'compacted' })
    const list = await second.list('')
    expect(list.kind === 'done' && list.rev).toBe(200)
    const kept = second.watch('', revision(100))
    expect((await take(kept, 100)).map(({ rev }) => rev)).toEqual(range(101, 200))
    kept.close()
  },
}

const closing: Cases = {
  'G2 after close calls are unknown and watches closed': async (first) => {
    const watch = first.watch('', NO_REVISION)
    const waiting = watch.next()
    await first.close()
    expect(await waiting).toEqual({ kind: 'closed' })
    expect((await first.txn({ put: [{ key: 'a', value: '' }] })).kind).toBe('unknown')
    expect((await first.list('')).kind).toBe('unknown')
    await first.close()
  },
}

const losses: Cases = {
  'G6 a store that is gone answers nobody, is told, and is not made anew': async (
    first,
    second,
    bench,
  ) => {
    await done(first, { put: [{ key: 'a', value: '1' }] })
    expect([first.lost, second.lost]).toEqual([null, null])
    await bench.lose()
    const put = await first.txn({ put: [{ key: 'a', value: '2' }] })
    expect(put).toMatchObject({ kind: 'unknown', reason: expect.stringMatching(RECOVER) })
    expect(first.lost).toMatch(RECOVER)
    expect((await second.list('')).kind).toBe('unknown')
    expect(second.lost).toMatch(RECOVER)
    expect((await first.txn({ put: [{ key: 'a', value: '3' }] })).kind).toBe('unknown')
  },

  'G6 a watch that waits learns of the loss': async (first, _second, bench) => {
    const { rev } = await done(first, { put: [{ key: 'a', value: '1' }] })
    const watch = first.watch('', rev)
    const waiting = watch.next()
    await bench.lose()
    first.nudge()
    await expect.poll(async () => (await first.list('')).kind === 'unknown').toBe(true)
    watch.close()
    expect(await waiting).toEqual({ kind: 'closed' })
  },

  'G6 an older store in its place answers nobody who has seen a later revision': async (
    first,
    second,
    bench,
  ) => {
    await done(first, { put: [{ key: 'a', value: 'old' }] })
    const image = await bench.image()
    await done(first, { put: [{ key: 'a', value: 'new' }] })
    await done(second, { read: [''] })
    await bench.lose()
    await bench.restore(image)
    for (const handle of [first, second]) {
      expect((await handle.list('')).kind).toBe('unknown')
      expect((await handle.txn({ put: [{ key: 'b', value: '' }] })).kind).toBe('unknown')
      expect(handle.lost).toMatch(RECOVER)
    }
  },

  'G6 G3 a store that was rebuilt goes on above where it begins, beyond 2^40': async (
    _first,
    _second,
    bench,
  ) => {
    const rev = revision(2 ** 40)
    await bench.lose()
    await bench.restore({ rev, items: [{ key: 'a', value: 'x', rev, created: rev }] })
    const handle = await bench.handle()
    expect(await listed(handle, '')).toEqual([{ key: 'a', value: 'x', rev, created: rev }])
    expect(await handle.watch('', revision(7)).next()).toEqual({ kind: 'compacted' })
    const watch = handle.watch('', rev)
    const compare = [{ key: 'a', rev }]
    const put = await done(handle, { compare, put: [{ key: 'a', value: 'y' }] })
    expect(put.rev).toBe(rev + 1)
    await done(handle, { put: [{ key: 'b', value: 'z' }] })
    expect(await take(watch, 2)).toEqual([
      { key: 'a', value: 'y', rev: rev + 1, created: rev },
      { key: 'b', value: 'z', rev: rev + 2, created: rev + 2 },
    ])
    watch.close()
  },
}

const RECOVER = /evenkeel recover/

function kindOf(result: { readonly kind: string }): string {
  return result.kind
}
