// A process of its own with two members on a real disk folder and real sockets, which tells what their commands cost in
// what can be counted: for the test of counts. It is started with --expose-gc, and answers each message with its counts.
//
// Bytes allocated are the growth of V8's heap and of what it holds outside, before and between collections: what a
// collection gives back does not count. Bytes copied are those that one typed array took from another.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { GCProfiler, getHeapStatistics } from 'node:v8'
import type { Disk, DiskFile } from '../../src/base/disk.ts'
import { type MemberId, memberId, revision, volumeId } from '../../src/base/ids.ts'
import { RUN_BYTES } from '../../src/base/sizes.ts'
import { EmbeddedCoordinator } from '../../src/coordination/embedded.ts'
import { createVolume } from '../../src/group/volumes.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { FolderDisk } from '../../src/io/disk.ts'
import { SystemNet } from '../../src/io/net.ts'
import { SqliteWorker } from '../../src/io/sqlite-worker.ts'
import { defaultCacheBytes } from '../../src/member/cache-size.ts'
import { Member } from '../../src/member/member.ts'
import { laneOf } from '../../src/slice/lanes.ts'
import { storeDefaults } from '../../src/store/settings.ts'
import { boundsDefaults } from '../../src/target/memory-bounds.ts'

/** Since the start; each only grows. */
export interface Counts {
  /** System calls of all threads that read or write: files, sockets, and wake-ups between threads. */
  readonly readCalls: number
  readonly writeCalls: number
  /** Bytes that went through them. */
  readonly readBytes: number
  readonly writtenBytes: number
  /** Calls on files by which bytes become durable. */
  readonly syncs: number
  readonly allocatedBytes: number
  readonly copiedBytes: number
}

export interface CountedVolume {
  readonly port: number
  readonly iqn: string
  /** Runs of the member with the portal, and runs of the other one. */
  readonly local: readonly number[]
  readonly forwarded: readonly number[]
}

/** `counts` are told when nothing is left to be brought home. */
export interface Told {
  readonly volume?: CountedVolume
  readonly counts?: Counts
}

const MIB = 1024 ** 2
const VOLUME_BYTES = 256 * MIB
const LOOK_MS = 20
/** Sooner than otherwise: the test waits for it. */
const HOME_AFTER_MS = 250
/** As on a machine with 2 GiB. */
const CACHE_BYTES = defaultCacheBytes(2 * 1024 * MIB, 2)
const ids = ['m1', 'm2'].map(memberId)

let copiedBytes = 0
countCopies()
const durable = { syncs: 0 }
const allocated = { bytes: 0, lastBytes: heldBytes() }
let profiler = profiling()
const clock = new SystemClock()
const [folder = ''] = process.argv.slice(2)
const members = await Promise.all(ids.map(start))
process.send?.({ volume: await makeVolume(members[0]) } satisfies Told)
process.on('message', async () => {
  while (members.some(({ store }) => store.usage().overlayPages > 0)) await clockPause()
  process.send?.({ counts: counts() } satisfies Told)
})
process.on('disconnect', () => process.exit(0))

async function start(id: MemberId): Promise<Member> {
  await mkdir(join(folder, id), { recursive: true })
  const worker = new SqliteWorker(join(folder, 'coordination.sqlite'))
  const waits = () => undefined
  const coordinator = await EmbeddedCoordinator.open(worker, clock, { make: true, waits })
  const disk = countedDisk(new FolderDisk(join(folder, id)))
  const member = await Member.open(
    { clock, net: new SystemNet(), disk, coordinator, newId: randomUUID },
    {
      ...{ memberId: id, groupName: 'counts', founders: ids, slices: 32, groupAddress: null },
      namingAuthority: 'iqn.2026-11.dev.evenkeel',
      portal: { kind: 'tcp', host: '127.0.0.1', port: 0 },
      peer: { kind: 'unix', path: join(folder, `${id}.sock`) },
      ...{
        api: '',
        bounds: boundsDefaults,
        store: { ...storeDefaults, homeAfterMs: HOME_AFTER_MS, cacheBytes: CACHE_BYTES },
      },
    },
    () => undefined,
  )
  await member.serve()
  return member
}

async function makeVolume(member: Member | undefined): Promise<CountedVolume> {
  if (member === undefined) throw new Error('no member')
  const { group, ports, portal } = member
  const wish = { name: 'counts', bytes: VOLUME_BYTES, blockBytes: 512, shared: true } as const
  const made = {
    id: volumeId(1),
    wish,
    counterRev: revision(0),
    at: new Date(clock.wallMs()).toISOString(),
  }
  const { record, change } = createVolume({ ...made, group: group.group, slices: group.slices })
  const result = await ports.coordinator.txn(change)
  if (result.kind !== 'done') throw new Error(`the volume is ${result.kind}`)
  for (const one of members) while (one.group.rev < result.rev) await one.group.changed()
  const offsets = Array.from({ length: VOLUME_BYTES / RUN_BYTES }, (_, run) => run * RUN_BYTES)
  const isOwn = (offset: number) => {
    const slice = record.lanes[laneOf(record, offset / RUN_BYTES)]
    return slice !== undefined && group.slices[slice]?.primary === member.id
  }
  return {
    port: Number(portal.slice(portal.lastIndexOf(':') + 1)),
    iqn: record.iqn,
    local: offsets.filter(isOwn),
    forwarded: offsets.filter((offset) => !isOwn(offset)),
  }
}

function counts(): Counts {
  const io = readFileSync('/proc/self/io', 'latin1')
  const of = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(io)?.[1] ?? 0)
  return {
    readCalls: of('syscr'),
    writeCalls: of('syscw'),
    readBytes: of('rchar'),
    writtenBytes: of('wchar'),
    syncs: durable.syncs,
    allocatedBytes: allocatedBytes(),
    copiedBytes,
  }
}

/** Whatever methods the port has: those that make durable are told by their names. */
function countedDisk(disk: Disk): Disk {
  return forwarding(disk, {
    open: async (path: string, mode: 'existing' | 'create') =>
      countedFile(await disk.open(path, mode)),
  })
}

function countedFile(file: DiskFile): DiskFile {
  const counted = (name: 'sync' | 'writeDurable') => ({
    [name]: (...args: Parameters<DiskFile[typeof name]>) => {
      durable.syncs += 1
      return Reflect.apply(file[name], file, args)
    },
  })
  return forwarding(file, { ...counted('sync'), ...counted('writeDurable') })
}

/** The object with some of its methods replaced; private fields are found by those that are not. */
function forwarding<T extends object>(object: T, own: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const value: unknown = Reflect.get(own, name) ?? Reflect.get(target, name)
      return typeof value === 'function' && !(name in own) ? value.bind(target) : value
    },
  })
}

function countCopies(): void {
  const arrays: Uint8Array = Object.getPrototypeOf(Uint8Array.prototype)
  const { set, slice, copyWithin } = arrays
  arrays.set = function (this: Uint8Array, from, at) {
    if (ArrayBuffer.isView(from)) copiedBytes += from.byteLength
    Reflect.apply(set, this, [from, at])
  }
  arrays.slice = function (this: Uint8Array, ...range) {
    const made = Reflect.apply(slice, this, range)
    copiedBytes += made.byteLength
    return made
  }
  arrays.copyWithin = function (this: Uint8Array, to, from, end) {
    copiedBytes += Math.max(0, (end ?? this.length) - from)
    return Reflect.apply(copyWithin, this, [to, from, end])
  }
  const { concat } = Buffer
  Buffer.concat = (list, total) => {
    const made = concat(list, total)
    copiedBytes += made.length
    return made
  }
  const { copy } = Buffer.prototype
  Buffer.prototype.copy = function (this: Buffer, to: Uint8Array, ...range: number[]) {
    const bytes = Number(Reflect.apply(copy, this, [to, ...range]))
    copiedBytes += bytes
    return bytes
  }
}

function heldBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}

function profiling(): GCProfiler {
  const made = new GCProfiler()
  made.start()
  return made
}

/** Adds what was allocated since the last call. */
function allocatedBytes(): number {
  const { statistics } = profiler.stop()
  for (const { beforeGC, afterGC } of statistics) {
    allocated.bytes += Math.max(0, held(beforeGC) - allocated.lastBytes)
    allocated.lastBytes = held(afterGC)
  }
  const now = heldBytes()
  allocated.bytes += Math.max(0, now - allocated.lastBytes)
  allocated.lastBytes = now
  profiler = profiling()
  return allocated.bytes
}

function held(at: { heapStatistics: { usedHeapSize: number; externalMemory: number } }): number {
  return at.heapStatistics.usedHeapSize + at.heapStatistics.externalMemory
}

function clockPause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_MS))
}
