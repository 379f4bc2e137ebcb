// The rows as the control API gives them: the row types of their rooms, with their times as RFC 3339 text.
import type { GrantRow, PrincipalRow, TokenRow } from '../access/principal.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { FindingRow, FindingSeverity, Told } from '../credentials/finding.ts';
import type { CertificateRow, RevocationRow } from '../revocation/revocation.ts';
import type { RotationRow } from '../rotation/rotation.ts';
import type { Todo as RotationTodo } from '../rotation/todo.ts';
import type { KekRow } from '../vault/kek.ts';

/** A row with every `…At` as text. */
export type Rendered<R> = {
  readonly [K in keyof R]: K extends `${string}At` ? (null extends R[K] ? string | null : string) : R[K];
};

export type Principal = Rendered<PrincipalRow>;
export type Token = Rendered<Omit<TokenRow, 'hash'>>;
export type Grant = Rendered<GrantRow>;
export type Credential = Rendered<CredentialRow>;
export type Version = Rendered<VersionRow>;
export type Finding = Rendered<Omit<FindingRow, 'told'>> & {
  readonly severity: FindingSeverity;
  readonly credentialId: string | null;
  readonly told?: Omit<Told, 'at'> & { readonly at: string };
};
export type Rotation = Rendered<RotationRow>;
/** What a person must do for a rotation now. */
export type Todo = Omit<RotationTodo, 'until'> & { readonly until: string | null };
export type Revocation = Rendered<RevocationRow>;
export type Certificate = Rendered<CertificateRow>;
export type Kek = Rendered<KekRow>;

/** How a credential is called by people. */
export function credentialName(row: Pick<Credential, 'environment' | 'provider' | 'name'>): string {
  return `${row.environment}/${row.provider}/${row.name}`;
}
