// How long ago something was.
import { formatAge } from '../base/figures.ts'

/** Of an ISO 8601 time. */
export function ageOf(at: string): string {
  return formatAge(Date.now() - Date.parse(at))
}
