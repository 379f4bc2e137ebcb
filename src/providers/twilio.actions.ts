// Twilio's operations as actions: all of the API 2010-04-01, the management of keys on Twilio's other hosts, and the rest of those hosts below
// `api.*`. Paths follow Twilio's client library 6.2 and its OpenAPI documents (read 2026-11-21).
//
// In the API 2010-04-01 the last segment is an id with an extension (`SM….json`, `RE….mp3`): a parameter takes all of it. The answers of an
// account itself hold its Auth Token, so that no rest leads below accounts: whatever is there has a name, or is denied.
import type { Action } from './provider.ts';

const ACCOUNTS = '/2010-04-01/Accounts';
const ACCOUNT = `${ACCOUNTS}/{account_sid}`;
const CALL = `${ACCOUNT}/Calls/{call_sid}`;
const CONFERENCE = `${ACCOUNT}/Conferences/{conference_sid}`;
const NUMBERS = `${ACCOUNT}/IncomingPhoneNumbers`;
const ADD_ONS = `${NUMBERS}/{phone_number_sid}/AssignedAddOns`;
const AVAILABLE = `${ACCOUNT}/AvailablePhoneNumbers`;
const RECORDING = `${ACCOUNT}/Recordings/{recording_sid}`;
const RESULTS = `${RECORDING}/AddOnResults`;
const PAYLOADS = `${RESULTS}/{add_on_result_sid}/Payloads`;
const SIP = `${ACCOUNT}/SIP`;
const DOMAIN = `${SIP}/Domains/{domain_sid}`;

/** What a resource can do: to the collection `list` and `create`; to one of its members the others. */
type Verb = 'list' | 'create' | 'get' | 'update' | 'delete';

const METHODS = {
  list: { method: 'GET', effect: 'read' },
  create: { method: 'POST', effect: 'write' },
  get: { method: 'GET', effect: 'read' },
  update: { method: 'POST', effect: 'write' },
  delete: { method: 'DELETE', effect: 'delete' },
} as const;

/** The operations of one resource of the API 2010-04-01. `verbs` as text: `list create get`. */
function resource(name: string, collection: string, verbs: string): Action[] {
  const parameter = name.replaceAll('-', '_');
  return (verbs.split(' ') as Verb[]).map((verb) => {
    const isOfCollection = verb === 'list' || verb === 'create';
    const path = isOfCollection ? `${collection}.json` : `${collection}/{${parameter}}`;
    return { name: `${name}.${verb}`, path, ...METHODS[verb] };
  });
}

function action(name: string, verb: Verb, path: string): Action {
  return { name: `${name}.${verb}`, path, ...METHODS[verb] };
}

function mints(marked: Action): Action {
  return { ...marked, mints: true };
}

const KEYS: readonly Action[] = [
  // At https://iam.twilio.com.
  action('api-key', 'list', '/v1/Keys'),
  mints(action('api-key', 'create', '/v1/Keys')),
  action('api-key', 'get', '/v1/Keys/{sid}'),
  // Sets the policy of a restricted key: as good as a new one.
  mints(action('api-key', 'update', '/v1/Keys/{sid}')),
  action('api-key', 'delete', '/v1/Keys/{sid}'),
  mints(action('oauth-token', 'create', '/v1/token')),
  mints(action('oauth-token-v2', 'create', '/v2/token')),
  mints(action('oauth-app', 'create', '/v1/Account/OAuthApps')),
  mints(action('oauth-app', 'update', '/v1/Account/OAuthApps/{sid}')),
  action('oauth-app', 'delete', '/v1/Account/OAuthApps/{sid}'),
  // At https://accounts.twilio.com.
  mints(action('secondary-auth-token', 'create', '/v1/AuthTokens/Secondary')),
  action('secondary-auth-token', 'delete', '/v1/AuthTokens/Secondary'),
  mints(action('auth-token-promotion', 'create', '/v1/AuthTokens/Promote')),
  // At https://verify.twilio.com.
  mints(action('verify-access-token', 'create', '/v2/Services/{service_sid}/AccessTokens')),
  mints(action('verify-access-token', 'get', '/v2/Services/{service_sid}/AccessTokens/{sid}')),

  // The answers of these four hold the Auth Token.
  ...resource('account', ACCOUNTS, 'list create get update').map(mints),
  ...resource('key-legacy', `${ACCOUNT}/Keys`, 'list get update delete'),
  mints(action('key-legacy', 'create', `${ACCOUNT}/Keys.json`)),
  ...resource('signing-key', `${ACCOUNT}/SigningKeys`, 'list get update delete'),
  mints(action('signing-key', 'create', `${ACCOUNT}/SigningKeys.json`)),
  mints(action('ice-token', 'create', `${ACCOUNT}/Tokens.json`)),
];

const MESSAGING_AND_VOICE: readonly Action[] = [
  ...resource('message', `${ACCOUNT}/Messages`, 'list create get update delete'),
  ...resource('message-feedback', `${ACCOUNT}/Messages/{message_sid}/Feedback`, 'create'),
  ...resource('message-media', `${ACCOUNT}/Messages/{message_sid}/Media`, 'list get delete'),
  ...resource('short-code', `${ACCOUNT}/SMS/ShortCodes`, 'list get update'),

  ...resource('call', `${ACCOUNT}/Calls`, 'list create get update delete'),
  ...resource('call-event', `${CALL}/Events`, 'list'),
  ...resource('call-notification', `${CALL}/Notifications`, 'list get'),
  ...resource('call-payment', `${CALL}/Payments`, 'create update'),
  ...resource('call-recording', `${CALL}/Recordings`, 'list create get update delete'),
  ...resource('call-siprec', `${CALL}/Siprec`, 'create update'),
  ...resource('call-stream', `${CALL}/Streams`, 'create update'),
  ...resource('call-transcription', `${CALL}/Transcriptions`, 'create update'),
  ...resource('call-message-subscription', `${CALL}/UserDefinedMessageSubscriptions`, 'create delete'),
  ...resource('call-message', `${CALL}/UserDefinedMessages`, 'create'),

  ...resource('conference', `${ACCOUNT}/Conferences`, 'list get update'),
  ...resource('conference-participant', `${CONFERENCE}/Participants`, 'list create get update delete'),
  ...resource('conference-recording', `${CONFERENCE}/Recordings`, 'list get update delete'),
  ...resource('queue', `${ACCOUNT}/Queues`, 'list create get update delete'),
  ...resource('queue-member', `${ACCOUNT}/Queues/{queue_sid}/Members`, 'list get update'),
  ...resource('recording', `${ACCOUNT}/Recordings`, 'list get delete'),
  ...resource('recording-transcription', `${RECORDING}/Transcriptions`, 'list get delete'),
  ...resource('recording-add-on-result', RESULTS, 'list get delete'),
  ...resource('recording-add-on-payload', PAYLOADS, 'list get delete'),
  action('recording-add-on-data', 'get', `${PAYLOADS}/{payload_sid}/Data.json`),
  ...resource('transcription', `${ACCOUNT}/Transcriptions`, 'list get delete'),
];

const NUMBERS_AND_ACCOUNT: readonly Action[] = [
  ...resource('phone-number', NUMBERS, 'list create get update delete'),
  ...resource('local-phone-number', `${NUMBERS}/Local`, 'list create'),
  ...resource('mobile-phone-number', `${NUMBERS}/Mobile`, 'list create'),
  ...resource('toll-free-phone-number', `${NUMBERS}/TollFree`, 'list create'),
  ...resource('assigned-add-on', ADD_ONS, 'list create get delete'),
  ...resource('assigned-add-on-extension', `${ADD_ONS}/{add_on_sid}/Extensions`, 'list get'),
  ...resource('available-country', AVAILABLE, 'list get'),
  ...['Local', 'MachineToMachine', 'Mobile', 'National', 'SharedCost', 'TollFree', 'Voip'].flatMap((type) =>
    resource(`available-${kebab(type)}-number`, `${AVAILABLE}/{country_code}/${type}`, 'list'),
  ),

  ...resource('address', `${ACCOUNT}/Addresses`, 'list create get update delete'),
  ...resource('address-phone-number', `${ACCOUNT}/Addresses/{address_sid}/DependentPhoneNumbers`, 'list'),
  ...resource('application', `${ACCOUNT}/Applications`, 'list create get update delete'),
  ...resource('authorized-connect-app', `${ACCOUNT}/AuthorizedConnectApps`, 'list get'),
  ...resource('connect-app', `${ACCOUNT}/ConnectApps`, 'list get update delete'),
  action('balance', 'get', `${ACCOUNT}/Balance.json`),
  ...resource('notification', `${ACCOUNT}/Notifications`, 'list get'),
  ...resource('outgoing-caller-id', `${ACCOUNT}/OutgoingCallerIds`, 'list create get update delete'),
  ...resource('usage-record', `${ACCOUNT}/Usage/Records`, 'list'),
  ...['AllTime', 'Daily', 'LastMonth', 'Monthly', 'ThisMonth', 'Today', 'Yearly', 'Yesterday'].flatMap((span) =>
    resource(`usage-record-${kebab(span)}`, `${ACCOUNT}/Usage/Records/${span}`, 'list'),
  ),
  ...resource('usage-trigger', `${ACCOUNT}/Usage/Triggers`, 'list create get update delete'),
];

const SIP_ACTIONS: readonly Action[] = [
  ...resource('sip-credential-list', `${SIP}/CredentialLists`, 'list create get update delete'),
  ...resource(
    'sip-credential',
    `${SIP}/CredentialLists/{credential_list_sid}/Credentials`,
    'list create get update delete',
  ),
  ...resource('sip-domain', `${SIP}/Domains`, 'list create get update delete'),
  ...resource('sip-domain-call-credential', `${DOMAIN}/Auth/Calls/CredentialListMappings`, 'list create get delete'),
  ...resource('sip-domain-call-acl', `${DOMAIN}/Auth/Calls/IpAccessControlListMappings`, 'list create get delete'),
  ...resource(
    'sip-domain-registration-credential',
    `${DOMAIN}/Auth/Registrations/CredentialListMappings`,
    'list create get delete',
  ),
  ...resource('sip-domain-credential', `${DOMAIN}/CredentialListMappings`, 'list create get delete'),
  ...resource('sip-domain-acl', `${DOMAIN}/IpAccessControlListMappings`, 'list create get delete'),
  ...resource('sip-acl', `${SIP}/IpAccessControlLists`, 'list create get update delete'),
  ...resource('sip-acl-address', `${SIP}/IpAccessControlLists/{acl_sid}/IpAddresses`, 'list create get update delete'),
];

/** Hosts other than api.twilio.com have versions of their own; a credential belongs to one host. */
const REST: readonly Action[] = [
  { name: 'api.read', path: '/{rest*}', ...METHODS.get },
  { name: 'api.create', path: '/{rest*}', ...METHODS.create },
  { name: 'api.replace', path: '/{rest*}', method: 'PUT', effect: 'write' },
  { name: 'api.change', path: '/{rest*}', method: 'PATCH', effect: 'write' },
  { name: 'api.delete', path: '/{rest*}', ...METHODS.delete },
];

function kebab(name: string): string {
  return name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
}

export const twilioActions: readonly Action[] = [
  ...KEYS,
  ...MESSAGING_AND_VOICE,
  ...NUMBERS_AND_ACCOUNT,
  ...SIP_ACTIONS,
  ...REST,
];
