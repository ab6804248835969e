// Words as sentences for people need them.

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

export function countOf(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`
}
