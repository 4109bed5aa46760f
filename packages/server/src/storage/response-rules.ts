// What a webhook says about answers, as it is stored and shown.

export const RESPONSE_ACTIONS = ["delivered", "retry", "dead_letter", "pause", "disable"] as const;
export type ResponseAction = (typeof RESPONSE_ACTIONS)[number];

/** One rule; the first whose `when` is true and that has a `then` decides. */
export interface ResponseRuleSetting {
  /** An expression over `response`. */
  readonly when: string;
  /** Left out: the rule only extracts, and the next ones are asked. */
  readonly then?: ResponseAction;
  /** Of `retry`: seconds until the next attempt, or an expression that gives them. */
  readonly after?: number | string;
  /** Values to keep, each an expression; `externalId` can be searched for. */
  readonly extract?: Readonly<Record<string, string>>;
}
