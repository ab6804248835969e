// Exponential averages that are right from their first sample: the newest sample weighs (1 − e^(−dt/τ)) / (1 −
// e^(−age/τ)), about 1/n while the average is younger than τ.

/** `ageSeconds` includes the sample's own `seconds`. */
export function newestWeight(tauSeconds: number, seconds: number, ageSeconds: number): number {
  if (ageSeconds <= seconds) return 1
  return Math.expm1(-seconds / tauSeconds) / Math.expm1(-ageSeconds / tauSeconds)
}
