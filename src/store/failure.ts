// Why a store is not opened, or refuses everything after an error of its disk.

/** The folder cannot be used as it is; the message is a sentence for the operator. */
export class FolderRefused extends Error {
  override readonly name = 'FolderRefused'
}

/** The disk failed, so what is on it is unknown until the next recovery. Nothing is retried; the member stops. */
export class StoreFailed extends Error {
  override readonly name = 'StoreFailed'
}
