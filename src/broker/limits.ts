// What a caller may take of the broker's time and memory, and the defaults. Data alone.

export interface UpgradeLimits {
  /** WebSockets that one token may have open. */
  readonly upgradesPerTokenMax: number;
  /** How long a caller may take to say who it is in a first message, and how much it may send until it has. */
  readonly firstFrameTimeoutMs: number;
  readonly firstFrameBytesMax: number;
}

export interface BrokerLimits extends UpgradeLimits {
  readonly headerBytesMax: number;
  readonly headersTimeoutMs: number;
  /** For receiving a whole request; uploads that stream longer are cut. */
  readonly requestTimeoutMs: number;
  /** A JSON body that must be edited. */
  readonly editedBodyBytesMax: number;
  /** A JSON body that is read to see who calls, for as long as a head may take. */
  readonly strangerBodyBytesMax: number;
  readonly connectionsMax: number;
  /** Connections of one source on which no request was admitted yet. One more is closed at once. */
  readonly newcomersMax: number;
  /**
   * How long a caller may take nothing of an answer that waits for it; then the connection is cut, after a quarter more at the latest. What
   * it takes shows in steps of the system's buffers: much less than a minute would cut slow readers.
   */
  readonly clientSilenceMs: number;
}

export const DEFAULT_LIMITS: BrokerLimits = {
  headerBytesMax: 32_768,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 3_600_000,
  editedBodyBytesMax: 1_048_576,
  strangerBodyBytesMax: 16_384,
  connectionsMax: 10_000,
  newcomersMax: 256,
  clientSilenceMs: 60_000,
  upgradesPerTokenMax: 256,
  firstFrameTimeoutMs: 5_000,
  firstFrameBytesMax: 8_192,
};
