import { expect, it } from 'vitest'
import type { SimDisk } from '../../sim/disk.ts'
import { block, settings, World, write } from '../../test/kit/store-world.ts'
import { epoch, sessionId, sliceId } from '../base/ids.ts'
import { paths } from './layout.ts'
import { lookAtStore } from './look.ts'

const none = new Map()
const nothing = { groupId: settings.groupId, session: 0, volume: 0, epochs: none, written: none }

async function contents(world: World, disk: SimDisk) {
  const found = new Map<string, string>()
  for (const path of disk.filePaths()) {
    const file = await world.run(disk.open(path, 'existing'))
    const bytes = new Uint8Array(file.sizeBytes())
    await world.run(file.read(bytes, 0))
    await world.run(file.close())
    found.set(path, Buffer.from(bytes).toString('base64'))
  }
  return found
}

it('LK1 a folder that is looked at stays as it was, open or closed', async () => {
  const world = new World()
  const store = await world.open()
  await world.write(store, 3, 0, block(1))
  const before = await contents(world, world.disk)
  expect(await world.run(lookAtStore(world.disk))).toMatchObject({ session: 5, volume: 3 })
  expect(await contents(world, world.disk)).toEqual(before)
  await world.run(store.close())
  const closed = await contents(world, world.disk)
  await world.run(lookAtStore(world.disk))
  expect(await contents(world, world.disk)).toEqual(closed)
})

it('LK2 what is in the journal alone is told, and what only the checkpoint has', async () => {
  const world = new World()
  const look = () => world.run(lookAtStore(world.disk))
  expect(await look()).toBeNull()
  const store = await world.open()
  expect(await look()).toEqual(nothing)
  const newest = {
    ...write(9, 0, block(1)),
    session: sessionId(77),
    slice: sliceId(6),
    epoch: epoch(4),
  }
  await world.run(store.write(newest))
  await world.write(store, 2, 0, block(2))
  await world.run(store.promise(new Map([[sliceId(8), epoch(3)]])))
  world.disk.crash(() => 0)
  expect(await look()).toMatchObject({ session: 77, volume: 9 })
  expect((await look())?.epochs.get(sliceId(6))).toBe(4)
  expect((await look())?.epochs.get(sliceId(8))).toBe(3)
  expect((await look())?.written.get(sliceId(6))).toBe(4)
  expect((await look())?.written.has(sliceId(8))).toBe(false)
  // Recovery leaves an empty journal.
  const known = { folderId: store.folderId, position: 0, openAs: null, epochs: new Map() }
  await world.run((await world.open({ known })).close())
  const recovered = await look()
  expect(recovered).toMatchObject({ session: 77, volume: 9 })
  expect(recovered?.epochs.get(sliceId(8))).toBe(3)
  expect(recovered?.written.get(sliceId(6))).toBe(4)
})

it('LK2 a store that can give no account of itself tells nothing, and is no error', async () => {
  for (const path of [paths.superblock, ...paths.checkpoints]) {
    const world = new World()
    await world.run((await world.open()).close())
    const file = await world.run(world.disk.open(path, 'existing'))
    await world.run(file.write([new Uint8Array(64).fill(0xff)], 0))
    await world.run(file.write([new Uint8Array(64).fill(0xff)], 4096))
    await world.run(file.close())
    const found = await world.run(lookAtStore(world.disk))
    if (path === paths.superblock) expect(found).toBeNull()
    else expect(found).toEqual(nothing)
  }
})

it('RC5 a record that is refused by what the store knows finds the folder unchanged', async () => {
  const world = new World()
  const store = await world.open()
  await world.write(store, 3, 0, block(1))
  world.disk.crash(() => 0)
  const before = await contents(world, world.disk)
  const judge = ({ session, volume }: { readonly session: number; readonly volume: number }) => {
    throw new Error(`knows ${session} and ${volume}`)
  }
  await expect(world.open({ judge })).rejects.toThrow('knows 5 and 3')
  expect(await contents(world, world.disk)).toEqual(before)
  const again = await world.open()
  expect((await world.read(again, 3, 0)).into).toEqual(block(1))
})
