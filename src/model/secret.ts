// A secret is bytes that refuse to be printed. Every way that JavaScript has to turn a value into text (string conversion,
// JSON, inspection, template literals, structured spread) yields the same placeholder. `revealSecret` is the only door; which
// files may open it is a list in test/tidy.test.ts.

const PLACEHOLDER = '[secret]';
const inspect = Symbol.for('nodejs.util.inspect.custom');

export class Secret {
  readonly #bytes: Uint8Array;

  /** Keeps its own copy of the bytes: the caller may wipe theirs. */
  constructor(bytes: Uint8Array | string) {
    this.#bytes = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : Uint8Array.from(bytes);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Whether both hold the same bytes; takes the same time wherever they differ. */
  equals(other: Secret): boolean {
    if (other.#bytes.length !== this.#bytes.length) return false;
    let difference = 0;
    for (let i = 0; i < this.#bytes.length; i++) difference |= this.#bytes[i]! ^ other.#bytes[i]!;
    return difference === 0;
  }

  /** Overwrites the bytes. Best effort: a garbage-collected runtime may have moved copies. */
  wipe(): void {
    this.#bytes.fill(0);
  }

  toString(): string {
    return PLACEHOLDER;
  }

  toJSON(): string {
    return PLACEHOLDER;
  }

  [inspect](): string {
    return PLACEHOLDER;
  }

  /** For `revealSecret` alone. */
  static bytesOf(secret: Secret): Uint8Array {
    return secret.#bytes;
  }
}

/** The bytes themselves. Not a copy: do not keep or change them. */
export function revealSecret(secret: Secret): Uint8Array {
  return Secret.bytesOf(secret);
}

/** The bytes as UTF-8 text. Strings cannot be wiped: use only where an API takes nothing else. */
export function revealSecretText(secret: Secret): string {
  return new TextDecoder().decode(Secret.bytesOf(secret));
}
