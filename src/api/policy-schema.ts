// The policy's settings as the API describes them. What is set is checked by the policy itself (distribution/policy.ts),
// so that the API, the configuration file and the group's record refuse alike: these are words from the same table.
import { z } from 'zod'
import { DEFAULT_POLICY } from '../distribution/policy.ts'
import { SETTINGS, type Setting, type SettingName } from '../distribution/settings.ts'

const minute = { type: 'integer', minimum: 0, maximum: 1440 }
const properties = {
  ...Object.fromEntries(Object.entries(SETTINGS).map(([name, one]) => [name, words(name, one)])),
  partitionedOnly: {
    type: 'boolean',
    default: DEFAULT_POLICY.partitionedOnly,
    description: 'A session is moved only to members that are primary of a part of its volume.',
  },
  blackouts: {
    type: 'array',
    maxItems: 50,
    default: DEFAULT_POLICY.blackouts,
    description:
      'Windows in which no session is moved by load. One that passes midnight belongs to the day on which it begins.',
    items: {
      type: 'object',
      required: ['fromMinute', 'toMinute'],
      properties: {
        days: {
          type: 'array',
          minItems: 1,
          items: { type: 'integer', minimum: 0, maximum: 6 },
          description: 'Days of the week in UTC, 0 is Sunday; each day if it is missing.',
        },
        fromMinute: { ...minute, description: 'After midnight UTC.' },
        toMinute: { ...minute, description: 'The first minute that is not in the window.' },
      },
    },
  },
}

function words(name: string, { least, most, whole, unit, effect }: Setting) {
  return {
    type: whole ? 'integer' : 'number',
    minimum: least,
    maximum: most,
    default: DEFAULT_POLICY[name as SettingName],
    description: `${effect} Unit: ${unit}.`,
  }
}

const setting = z.union(
  [z.number(), z.boolean(), z.array(z.unknown())],
  'a setting is a number; partitionedOnly is true or false, blackouts a list',
)

/** Settings to change, by name. */
export const policyChange = z.record(z.string(), setting).meta({
  id: 'PolicyChange',
  description: 'Settings to change, by name; what is not named stays as it is.',
  properties,
  additionalProperties: false,
})

/** All settings, by name. */
export const policySettings = z.record(z.string(), z.unknown()).meta({
  id: 'Policy',
  description: "The group's settings, by name.",
  properties: {
    mode: {
      type: 'string',
      enum: ['off', 'advise', 'on'],
      description: 'The mode of the balance.',
    },
    ...properties,
  },
  required: Object.keys(DEFAULT_POLICY),
})
