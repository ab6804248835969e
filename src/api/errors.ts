// Everything that the API can refuse, in one catalogue: code, HTTP status, what is wrong and what to do about it. The CLI
// takes its exit codes from the same statuses. On the wire an error is RFC 9457 problem+json.

export const SCHEMA = 'evenkeel/v1'
export const PROBLEM_TYPE = 'application/problem+json'

interface CatalogueEntry {
  readonly status: number
  readonly title: string
  /** What to do next, as a sentence. */
  readonly action: string
}

const catalogue = {
  badRequest: {
    status: 400,
    title: 'The request is not understood',
    action: 'Correct what the message names; the form of each request is in /openapi.json.',
  },
  badHttp: {
    status: 400,
    title: 'The request is no HTTP',
    action: 'Send an HTTP/1.1 request; the paths are listed in /openapi.json.',
  },
  requestTimeout: {
    status: 408,
    title: 'The request did not come in time',
    action: 'Send the whole request within 10 s of connecting.',
  },
  headersTooLarge: {
    status: 431,
    title: 'The headers of the request are too large',
    action: 'Send fewer or shorter ones: together at most 16 KiB.',
  },
  badHost: {
    status: 403,
    title: 'The Host header names neither this address nor localhost',
    action: 'Call the API by its IP address or as localhost.',
  },
  crossSite: {
    status: 403,
    title: 'Requests from web pages of other sites are refused',
    action: 'Call the API from the command line or from a page that this address served.',
  },
  routeNotFound: {
    status: 404,
    title: 'There is nothing at this path',
    action: 'The paths are listed in /openapi.json.',
  },
  volumeNotFound: {
    status: 404,
    title: 'No such volume',
    action: "See 'evenkeel volume list'.",
  },
  sessionNotFound: {
    status: 404,
    title: 'No such session',
    action: "See 'evenkeel session list'.",
  },
  memberNotFound: {
    status: 404,
    title: 'No such member',
    action: "See 'evenkeel member list'.",
  },
  moveNotFound: {
    status: 404,
    title: 'No such move',
    action: "See 'evenkeel move list -o wide'.",
  },
  decisionNotKept: {
    status: 404,
    title: 'What decided this move is not kept',
    action: "See 'evenkeel move show' for what its record says.",
  },
  sessionNotMeasured: {
    status: 409,
    title: 'The session has not been judged yet',
    action: 'Try again in a few seconds.',
  },
  volumeExists: {
    status: 409,
    title: 'The volume name is taken',
    action: 'Choose another name, or delete the volume that has it.',
  },
  volumeShrinks: {
    status: 409,
    title: 'A volume only grows',
    action: 'Create a smaller volume, and copy into it.',
  },
  volumeInUse: {
    status: 409,
    title: 'The volume has sessions',
    action: "Log its initiators out first; 'evenkeel session list' names them.",
  },
  sessionMoving: {
    status: 409,
    title: 'The session is being moved or is logging in',
    action: "Wait until 'evenkeel session show' says that it is live.",
  },
  sessionFixed: {
    status: 409,
    title: 'The session may not be moved',
    action: 'It goes on where it is; see whether another member may have it.',
  },
  sessionPinned: {
    status: 409,
    title: 'The session is pinned',
    action: "Unpin it first ('evenkeel session unpin'), or pin it to the other member.",
  },
  alreadyThere: {
    status: 409,
    title: 'The session is on that member already',
    action: 'Name another member.',
  },
  lastMember: {
    status: 409,
    title: 'No other member takes sessions',
    action:
      "Start another member, or let one take sessions again ('evenkeel member drain ID --undo').",
  },
  tooFewMembers: {
    status: 409,
    title: 'There are not as many members',
    action: 'Start more members, or ask for fewer copies.',
  },
  copiesMissing: {
    status: 409,
    title: 'Writes would wait for copies that are not there yet',
    action:
      "Wait until 'evenkeel layout show' tells that nothing is missing, and add one copy at a time.",
  },
  memberNotReady: {
    status: 409,
    title: 'The member takes no sessions now',
    action: "Name a member that 'evenkeel status' shows as up.",
  },
  tooLarge: {
    status: 413,
    title: 'The request is too large',
    action: 'Requests to this API have at most 64 KiB.',
  },
  notJson: {
    status: 415,
    title: 'The request is not JSON',
    action: "Send it with 'content-type: application/json'.",
  },
  tooManyStreams: {
    status: 429,
    title: 'Too many event streams are open',
    action: 'Close one, or ask another member.',
  },
  internal: {
    status: 500,
    title: 'The member failed to answer',
    action: "The reason is in member.log in the member's data folder.",
  },
  coordinatorDown: {
    status: 503,
    title: 'The coordination of the group does not answer',
    action: 'I/O goes on; try again, and look at the disk that holds the coordination file.',
  },
  recordNotKept: {
    status: 503,
    title: 'The change is made, but not safe yet',
    action:
      "Make room on the disk of this member's data folder; 'evenkeel volume list' shows what is there.",
  },
  memberSilent: {
    status: 503,
    title: 'The member that must act does not answer',
    action: "Try again, or see 'evenkeel status'.",
  },
  stopping: {
    status: 503,
    title: 'This member is starting or stopping',
    action: 'Try again, or ask another member.',
  },
} as const satisfies Record<string, CatalogueEntry>

export type ErrorCode = keyof typeof catalogue

/** An expected outcome, not an exception: what is refused, and the sentence about this very case. */
export interface Refusal<C extends ErrorCode = ErrorCode> {
  readonly kind: 'refused'
  readonly code: C
  readonly detail: string
}

export function refusal<C extends ErrorCode>(code: C, detail: string): Refusal<C> {
  return { kind: 'refused', code, detail }
}

export function statusOf(code: ErrorCode): number {
  return catalogue[code].status
}

export function titleOf(code: ErrorCode): string {
  return catalogue[code].title
}

export function actionOf(code: ErrorCode): string {
  return catalogue[code].action
}

export interface Problem {
  readonly schema: typeof SCHEMA
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly action: string
}

export function problem(code: ErrorCode, detail: string): Problem {
  const { status, title, action } = catalogue[code]
  const type = `urn:evenkeel:problem:${code}`
  return { schema: SCHEMA, type, title, status, detail, code, action }
}

export const errorCodes = Object.keys(catalogue) as readonly ErrorCode[]
