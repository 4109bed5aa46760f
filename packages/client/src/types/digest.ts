// Who is told by e-mail and chat what operational events say, as the API shows it.
export interface DigestChannel {
  readonly lastSentAt: string | null;
  readonly failingSince: string | null;
  readonly nextAttemptAt: string | null;
  /** What was wrong at the latest try, in words. */
  readonly problem: string | null;
}

export interface Digest {
  /** Who was chosen; null: the tenant's `administratorEmail`; empty: nobody. */
  readonly emails: readonly string[] | null;
  /** Who gets a mail now. */
  readonly emailsInForce: readonly string[];
  /** Whether the installation has a mail server. */
  readonly mailServer: boolean;
  /** The chat's incoming webhook, by its host alone. */
  readonly chatUrl: string | null;
  readonly chatForm: "text" | "card" | null;
  /** Operational events that somebody is to be told of yet. */
  readonly waitingEvents: number;
  readonly email: DigestChannel;
  readonly chat: DigestChannel;
}

/** Fields given are replaced. */
export interface DigestChange {
  readonly emails?: readonly string[] | null;
  readonly chatUrl?: string | null;
  readonly chatForm?: "text" | "card" | null;
}

/** What came of a test, each way; null where nobody is to be told. */
export interface DigestTest {
  readonly email: DigestTold | null;
  readonly chat: DigestTold | null;
}

export interface DigestTold {
  readonly told: boolean;
  readonly problem: string | null;
}
