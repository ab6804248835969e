// The ISID, by which an initiator names a session (RFC 7143 §11.12.5), as twelve hex digits.

/** Whether it is of the random kind (type 10b), which libiscsi and QEMU make anew at every login: it names no session for long. */
export function isRandomIsid(isid: string): boolean {
  return (Number.parseInt(isid.slice(0, 2), 16) & 0xc0) === 0x80
}
