// Whether the sessions of a member stand in each other's way. Noted at each command, and looked at where one session would
// hold up the others.

export class Contention {
  #last: object | null = null
  #turnovers = 0

  /** How often a command came of another session than the one before. */
  get turnovers(): number {
    return this.#turnovers
  }

  came(session: object): void {
    if (this.#last === session) return
    this.#last = session
    this.#turnovers += 1
  }
}
