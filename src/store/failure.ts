// Why a store is not opened, or refuses everything after an error of its disk.

/** What an operator can say to a folder that is refused. */
export type Remedy =
  /** Nothing: it is to be put right. */
  | 'none'
  /** Give up what the folder held: it is set aside and a new one is made. */
  | 'loss'
  /** That, or go on with what is there, although acknowledged writes are missing from it. */
  | 'damage'

/** The folder cannot be used as it is; the message is a sentence for the operator. */
export class FolderRefused extends Error {
  override readonly name = 'FolderRefused'
  readonly remedy: Remedy
  /** Of `evenkeel status`: the folder can be put back, or its loss accepted. */
  readonly code: 'OLD_FOLDER' | null

  constructor(message: string, remedy: Remedy = 'none', options?: ErrorOptions) {
    super(message, options)
    this.remedy = remedy
    this.code = remedy === 'none' ? null : 'OLD_FOLDER'
  }
}

/** The disk failed, so what is on it is unknown until the next recovery. Nothing is retried; the member stops. */
export class StoreFailed extends Error {
  override readonly name = 'StoreFailed'
}
