// What somebody expects of their grants, case by case: who asks what of which credential, and whether it must be let through. The form of a case in
// a request and in a file of `claviger grant test`. Not here: how a case is decided (try-grants.ts). Follows docs/permissions.md.
import { z } from 'zod';
import { parseAddress } from '../model/address.ts';
import { NOTE_LENGTH_MAX, slugSchema, textSchema } from '../model/route.ts';
import type { TargetProblem } from './action.ts';
import { parameterNameSchema } from './api-schemas.ts';
import type { DenialReason } from './authorize.ts';

/** Cases of one request to the API. */
export const EXPECTATIONS_MAX = 1_000;
/** As long as the broker takes a request's target. */
const TARGET_LENGTH_MAX = 8_192;

/** Why a case may be refused. What belongs to a token, to the moment or to the limit of a rate is nothing that a case asks about. */
export const EXPECTED_REASONS = [
  'no-grant',
  'no-action',
  'parameter',
  'network',
  'grant-expired',
  'principal-disabled',
  'credential-suspended',
  'credential-retired',
  'no-current-version',
  'target-form',
  'encoded-dot',
  'encoded-slash',
  'encoded-backslash',
  'encoded-control',
  'encoded-unreserved',
  'bad-encoding',
  'empty-segment',
  'dot-segment',
  'path-parameter',
  'method-override',
  'repeated-parameter',
] as const satisfies readonly (DenialReason | TargetProblem)[];

export const expectationSchema = z
  .strictObject({
    as: slugSchema.meta({ description: 'Name of the principal that asks' }),
    credential: z
      .string()
      .max(200)
      .regex(/^[a-z0-9-]+\/[a-z0-9-]+(?:@[a-z0-9-]+)?$/, 'provider/name, or provider/name@environment')
      .meta({ description: 'As the broker is addressed: `neon/billing`, `neon/billing@staging`' }),
    request: z
      .string()
      .max(TARGET_LENGTH_MAX)
      .regex(
        /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) \/\S*$/,
        'a method and the provider’s own path: GET /api/v2/projects',
      )
      .optional()
      .meta({ description: 'Method and path with its query, as the provider would hear it' }),
    action: z
      .string()
      .max(200)
      .regex(/^[a-z0-9-]+\.[a-z0-9-]+$/, 'the name of an action, such as branch.create')
      .optional()
      .meta({ description: 'An action of the provider’s catalogue, instead of a request' }),
    parameters: z
      .record(parameterNameSchema, z.string().max(500))
      .optional()
      .meta({ description: 'What the action is asked for with' }),
    from: z
      .string()
      .max(64)
      .refine((text) => parseAddress(text) !== null, 'an IPv4 or IPv6 address')
      .optional()
      .meta({ description: 'Address that the request comes from; absent: one that no network holds' }),
    at: z.iso
      .datetime({ offset: true, error: 'a time such as 2026-11-21T14:00:00Z' })
      .optional()
      .meta({ description: 'When it is asked; absent: now' }),
    expect: z.enum(['allow', 'deny']),
    why: z.enum(EXPECTED_REASONS).optional().meta({ description: 'With `expect: deny`: the reason that it must have' }),
    note: textSchema(NOTE_LENGTH_MAX).optional().meta({ description: 'What the case is for' }),
  })
  .superRefine((given, context) => {
    const complain = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (given.request === undefined && given.action === undefined) complain('request', 'needed, or else an action');
    if (given.request !== undefined && given.action !== undefined) complain('action', 'goes with no request');
    if (given.parameters !== undefined && given.action === undefined) complain('parameters', 'go with an action');
    if (given.why !== undefined && given.expect === 'allow') complain('why', 'goes with expect: deny');
  });
export type Expectation = z.output<typeof expectationSchema>;

export const verdictSchema = z.object({
  decision: z.enum(['allow', 'deny']),
  reason: z.string().nullable().meta({ description: 'Why it is refused; null: it is not' }),
  action: z.string().nullable().meta({ description: 'What the request is to the catalogue; null: nothing' }),
  grant: z
    .object({ id: z.string(), actions: z.array(z.string()), note: z.string(), managedBy: z.string().nullable() })
    .nullable()
    .meta({ description: 'The grant that allows, or the one that came closest; null: none covers the action' }),
  holds: z.boolean().meta({ description: 'Whether it is as expected' }),
});
export type Verdict = z.output<typeof verdictSchema>;
