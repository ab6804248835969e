// Names of initiators and targets, ISIDs, and the SCSI port names made of them (RFC 7143 §4.2.7, §11.12.5, §13.4).
import { readU16, readU32 } from '../base/bytes.ts'
import { encodeText } from '../base/text.ts'

/** §4.2.7.1, of the name in UTF-8: names become parts of keys and lines of logs, whose bounds count on it. */
const nameBytesMax = 223
/** No character that cannot be seen either, such as a terminal's escape (RFC 3722 §5). */
const iqnForm = /^iqn\.[0-9]{4}-[0-9]{2}\.[^\s\p{C}/,:=]+(:[^\s\p{C}/,=]+)?$/u
const euiForm = /^eui\.[0-9a-f]{16}$/
const naaForm = /^naa\.([0-9a-f]{16}|[0-9a-f]{32})$/

/** The form in which names are compared: initiators may send capitals (§4.2.7.2). Null if it is no iSCSI name. */
export function normalizeName(name: string): string | null {
  const lower = name.toLowerCase()
  if (encodeText(lower).length > nameBytesMax) return null
  return iqnForm.test(lower) || euiForm.test(lower) || naaForm.test(lower) ? lower : null
}

export const isidBytes = 6

/** Twelve hexadecimal digits. */
export function formatIsid(bytes: Uint8Array, at: number): string {
  const high = readU16(bytes, at).toString(16).padStart(4, '0')
  return (
    high +
    readU32(bytes, at + 2)
      .toString(16)
      .padStart(8, '0')
  )
}

export function writeIsid(bytes: Uint8Array, at: number, isid: string): void {
  for (let i = 0; i < isidBytes; i += 1) {
    bytes[at + i] = Number.parseInt(isid.slice(2 * i, 2 * i + 2), 16)
  }
}

export const defaultPort = 3260

/** `host:port` with an IPv6 host in brackets: TargetAddress without its portal group tag (§13.8). */
export function formatPortal(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export interface Portal {
  readonly host: string
  readonly port: number
}

const portalForm = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:,[\]]+))(?::([0-9]{1,5}))?(?:,([0-9]{1,5}))?$/

/** `host[:port][,tag]` as a target sends it in TargetAddress; null if it is none. */
export function parsePortal(text: string): Portal | null {
  const parts = portalForm.exec(text)
  if (parts === null) return null
  const host = parts[1] ?? parts[2]
  const port = parts[3] === undefined ? defaultPort : Number(parts[3])
  if (host === undefined || port === 0 || port > 65_535) return null
  return { host, port }
}
