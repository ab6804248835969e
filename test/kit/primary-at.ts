// Where a byte of a volume lives, as `volume show` tells it.
import type { VolumeDetail } from '../../src/api/schema.ts'
import { sliceId, volumeId } from '../../src/base/ids.ts'
import { RUN_BYTES } from '../../src/base/sizes.ts'
import { laneOf } from '../../src/slice/lanes.ts'

/** The member that holds the run of 16 MiB in which the byte at `offset` lies. */
export function primaryAt({ id, lanes }: VolumeDetail, offset: number): string {
  const slices = lanes.map(({ slice }) => sliceId(slice))
  const lane = laneOf({ id: volumeId(Number(id)), lanes: slices }, Math.floor(offset / RUN_BYTES))
  return lanes[lane]?.primary ?? ''
}
