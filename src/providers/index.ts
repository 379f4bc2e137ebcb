// The registry of the family: one line for each provider that Claviger knows. The contract is provider.ts.

export { anthropic } from './anthropic.ts';
export { cachet } from './cachet.ts';
export { cachetV2 } from './cachet-v2.ts';
export { cloudflare } from './cloudflare.ts';
export { datadog } from './datadog.ts';
export { akahu, lunchFlow, redbark, simplefin } from './financial/aggregators.ts';
export { brex, mercury, up, wise } from './financial/banks.ts';
export { ibkrFlex, indexaCapital, snaptrade, trading212 } from './financial/brokers.ts';
export { alphaVantage, eodhd, tInvest, tiingo, twelveData } from './financial/prices.ts';
export { realie, rentcast } from './financial/property.ts';
export { coinstats, etherscan } from './financial/wallets.ts';
export { gitlab } from './gitlab.ts';
export { grafana } from './grafana.ts';
export { mastodon } from './mastodon.ts';
export { neon } from './neon.ts';
export { openai } from './openai.ts';
export { plaid } from './plaid.ts';
export { prefectCloud } from './prefect-cloud.ts';
export { prefectServer } from './prefect-server.ts';
export { resend } from './resend.ts';
export { sendgrid } from './sendgrid.ts';
export { stripe } from './stripe.ts';
export { supabase } from './supabase.ts';
export { sure } from './sure.ts';
export { twilio } from './twilio.ts';
