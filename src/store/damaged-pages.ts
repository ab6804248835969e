// Pages of which a block was found to have no good copy here: by a read, by scrubbing or by a round. At most a thousand are listed.
import type { VolumeId } from '../base/ids.ts'

const LISTED = 1000

export interface DamagedPage {
  readonly volume: VolumeId
  readonly page: number
}

export class DamagedPages {
  readonly #pages = new Map<string, DamagedPage>()

  /** Until they are mended. */
  list(): readonly DamagedPage[] {
    return [...this.#pages.values()]
  }

  found(volume: VolumeId, page: number): void {
    if (this.#pages.size < LISTED) this.#pages.set(`${volume}/${page}`, { volume, page })
  }

  /** It can be read again, or is gone. */
  mended({ volume, page }: DamagedPage): void {
    this.#pages.delete(`${volume}/${page}`)
  }

  /** The others are looked at before it again. */
  stillDamaged(damaged: DamagedPage): void {
    this.mended(damaged)
    this.found(damaged.volume, damaged.page)
  }
}
