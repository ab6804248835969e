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
  /** Of these by the interface that initiators reach, and what that takes in a second each way; 0: others use it too, or it is not known. */
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly interfaceBytes: number
}

export interface SystemProbe {
  look(): SystemLook
}
