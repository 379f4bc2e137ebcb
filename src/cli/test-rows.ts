// For tests alone: rows and lists as the control API gives them.

export const KEY = `napi_${'canary0123456789'.repeat(4)}`;
export const STATUS = {
  version: '0.1.0',
  instance: '0a1b2c3d',
  sealed: false,
  epoch: 0,
  fence: 3,
  dialect: 'sqlite',
  logs: { control: { size: 5 }, use: { size: 9 } },
  unprotected: 0,
  openUses: 0,
};
export const CREDENTIAL = {
  id: 'crd_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
  rowVersion: 3,
  environment: 'default',
  provider: 'neon',
  name: 'billing',
  kind: 'organization-key',
  purpose: 'lend',
  policy: {},
  settings: {},
  owner: '',
  note: '',
  createdAt: '2026-09-20T14:13:20.000Z',
  suspendedAt: null,
  retiredAt: null,
  issuerId: null,
  managedBy: null,
};
export const PROVIDERS = {
  items: [
    {
      name: 'neon',
      origin: 'https://console.neon.tech',
      prefix: '/api/v2',
      kinds: [
        { name: 'organization-key', parts: ['key'] },
        { name: 'pair', parts: ['id', 'secret'] },
        { name: 'client', parts: ['clientId', 'secret'], publicParts: ['clientId'] },
      ],
      actions: [],
    },
    // A server that does not say which parts are public.
    {
      name: 'plaid',
      origin: 'https://x.example',
      prefix: '',
      kinds: [{ name: 'client', parts: ['clientId', 'secret'] }],
      actions: [],
    },
  ],
  next: null,
};
export const BROUGHT = {
  credential: CREDENTIAL,
  versions: [],
  protected: true,
  grants: 0,
  identified: { providerKeyId: '41', why: '' },
};
export const PRINCIPAL = {
  id: 'prn_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
  rowVersion: 1,
  name: 'billing-service',
  roles: [],
};
