// The registry of the family: one line for each provider that Claviger knows. The contract is provider.ts.
export { neon } from './neon.ts';
