// The SystemProbe port: what the operating system says of this process and host, as differences between two looks.
// Implemented by io/system-probe.ts and sim/distribution.ts alone.

export interface SystemLook {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly hostCpu: number
  readonly loopUtilisation: number
  readonly rssBytes: number
  /** Received and sent on the sockets of the member. */
  readonly networkBytes: number
}

export interface SystemProbe {
  look(): SystemLook
}
