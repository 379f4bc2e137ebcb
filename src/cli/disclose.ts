// The one place of the command line that opens secrets: to send them in a request's body, to show a token once to whoever asked
// for it, and to write it into a file of mode 0600. Everything else here hands them on closed.
import { revealSecret, revealSecretText, Secret } from '../model/secret.ts';

/** JSON of a request's body, with its secrets in clear. For the wire alone: never logged, never in an error. */
export function bodyWithSecrets(body: unknown): string {
  return JSON.stringify(body, function (this: Record<string, unknown>, key: string, value: unknown) {
    // JSON.stringify has already asked the secret for its placeholder: what it stood for is still in its holder.
    const original = this[key];
    return original instanceof Secret ? revealSecretText(original) : value;
  });
}

/** A header's value with a token in it. */
export function bearer(token: Secret): string {
  return `Bearer ${revealSecretText(token)}`;
}

/** A token's text, for showing it once. */
export function showOnce(token: Secret): string {
  return revealSecretText(token);
}

/** The bytes, for a file of mode 0600. */
export function fileContent(content: Secret): Uint8Array {
  return revealSecret(content);
}

/** Base64 of a secret, as a secret: how a key file travels in JSON. */
export function base64Of(secret: Secret): Secret {
  return new Secret(revealSecret(secret).toBase64());
}

/** The secret without white space at its ends and without a BOM, as it is pasted, piped or kept in a file. */
export function trimmed(secret: Secret): Secret {
  return new Secret(revealSecretText(secret).trim());
}

/** Whether a predicate holds for the text. The text leaves through no other door than this answer. */
export function holds(secret: Secret, predicate: (text: string) => boolean): boolean {
  return predicate(revealSecretText(secret));
}
